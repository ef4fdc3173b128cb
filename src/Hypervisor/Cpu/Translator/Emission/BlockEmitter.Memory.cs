using System.Numerics;
using Iced.Intel;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>Guest memory: addresses, and the checks that make host addresses of them.</summary>
internal sealed partial class BlockEmitter
{
    private const int EntryShift = 5, IndexShift = Page.Shift - EntryShift;
    private const int VectorAlignment = 16;
    private const int IndexBits = (TlbMemory.EntryCount - 1) << EntryShift;

    /// <summary>Loads the linear address of an instruction's memory operand into the first scratch register. May use the second; keeps flags.</summary>
    private void EmitOperandAddress(in Instruction code)
    {
        const HostRegister result = RegisterMap.Scratch;
        bool narrow = code.MemoryBase.IsGPR32() || code.MemoryIndex.IsGPR32();
        if (code.IsIPRelativeMemoryOperand)
        {
            _emitter.Move(result, code.IPRelativeMemoryAddress);
        }
        else
        {
            HostAddress address = HostAddressOf(in code);
            if (address.Base == HostRegister.None && address.Index == HostRegister.None)
                _emitter.Move(result, code.MemoryDisplacement64);
            else
                _emitter.Lea(result, in address, wide: !narrow);
        }

        int segment = code.MemorySegment switch
        {
            Register.FS => ContextOffsets.FsBase,
            Register.GS => ContextOffsets.GsBase,
            _ => 0,
        };
        if (segment != 0)
        {
            _emitter.Load(RegisterMap.Scratch2, HostAddress.Context(segment));
            _emitter.Lea(result, new HostAddress(result, RegisterMap.Scratch2, 0, 0));
        }
    }

    /// <summary>The guest's address form in host registers. Displaced registers are loaded into the scratch registers. Not for rip-relative forms.</summary>
    private HostAddress HostAddressOf(in Instruction code)
    {
        HostRegister start = HostRegister.None, index = HostRegister.None;
        if (code.MemoryBase != Register.None)
            start = LoadGuest(code.MemoryBase.GetFullRegister().GetNumber(), RegisterMap.Scratch);
        if (code.MemoryIndex != Register.None)
            index = LoadGuest(code.MemoryIndex.GetFullRegister().GetNumber(), RegisterMap.Scratch2);
        return new HostAddress(start, index, (byte)BitOperations.Log2((uint)code.MemoryIndexScale), (int)code.MemoryDisplacement64);
    }

    /// <summary>The host register that has a guest register's value; a displaced one is loaded.</summary>
    private HostRegister LoadGuest(int guest, HostRegister scratch)
    {
        if (!RegisterMap.IsDisplaced(guest))
            return RegisterMap.HostOf(guest);
        _emitter.Load(scratch, HostAddress.Context(ContextOffsets.Gpr(guest)));
        return scratch;
    }

    private void EmitBaseAddress(int guest, int displacement) =>
        _emitter.Lea(RegisterMap.Scratch, HostAddress.At(LoadGuest(guest, RegisterMap.Scratch), displacement));

    /// <summary>Makes an instruction's memory operand accessible. Returns how the host reaches it; the second scratch register is free then.</summary>
    private HostAddress EmitAccess(ref GuestInstruction instruction)
    {
        ref MemoryUse use = ref instruction.Operand;
        if (use.IsGrouped)
            return EmitGrouped(ref instruction, ref use);
        bool free = TryFreeFlags(in instruction);
        if (free && TryEmitConstant(ref instruction, out HostAddress constant))
            return constant;
        int start = _emitter.Position;
        EmitOperandAddress(in instruction.Code);
        EmitCheck(ref instruction, in use, free, start);
        return HostAddress.At(RegisterMap.Scratch);
    }

    /// <summary>Makes the stack access of an instruction accessible.</summary>
    private HostAddress EmitStackAccess(ref GuestInstruction instruction)
    {
        ref MemoryUse use = ref instruction.Stack;
        if (use.IsGrouped)
            return EmitGrouped(ref instruction, ref use);
        bool free = TryFreeFlags(in instruction);
        int start = _emitter.Position;
        EmitBaseAddress(use.Base, use.Displacement);
        EmitCheck(ref instruction, in use, free, start);
        return HostAddress.At(RegisterMap.Scratch);
    }

    private HostAddress EmitGrouped(ref GuestInstruction instruction, ref MemoryUse use)
    {
        if (!use.Group.IsEmpty)
            EmitGroupCheck(ref instruction, in use);
        return new HostAddress(LoadGuest(use.Base, RegisterMap.Scratch), RegisterMap.Delta, 0, use.Displacement);
    }

    /// <summary>
    /// From a linear address in the first scratch register to a host address there, by the TLB:
    /// <code>
    /// index = address >> 12 mod entries;   offset = address + entry.Bias;   offset > 4096 - size: miss;   host = entry.HostPage + offset
    /// </code>
    /// </summary>
    private void EmitCheck(ref GuestInstruction instruction, in MemoryUse use, bool flagsAreFree, int start)
    {
        const HostRegister address = RegisterMap.Scratch, index = RegisterMap.Scratch2;
        var path = new ColdPath
        {
            Exit = ExitAt(in instruction, BlockExitKind.Miss) with { Form = FormOf(flagsAreFree), Resume = start, Size = use.Size, Writes = use.Writes },
            KeepsFlags = !flagsAreFree,
        };
        int bias = _tlb + (use.Writes ? ContextOffsets.WriteBias : ContextOffsets.ReadBias);
        if (flagsAreFree)
        {
            EmitIndex();
            _emitter.Add(address, HostAddress.Context(bias, index));
            path.From = EmitRangeTest(address, use.Size, use.Alignment);
            AddCold(in path);
            _emitter.Add(address, HostAddress.Context(_tlb + ContextOffsets.HostPage, index));
            return;
        }

        EmitIndexKeepingFlags();
        EmitRangeTestKeepingFlags(ref path, bias, use.Size, use.Alignment);
        _emitter.Load(index, HostAddress.Context(_tlb + ContextOffsets.HostPage, index, scale: 2));
        _emitter.Lea(address, new HostAddress(address, index, 0, 0));
    }

    private void EmitGroupCheck(ref GuestInstruction instruction, in MemoryUse use)
    {
        const HostRegister address = RegisterMap.Scratch, index = RegisterMap.Scratch2;
        AccessRange range = use.Group;
        bool free = TryFreeFlags(in instruction);
        int start = _emitter.Position;
        EmitBaseAddress(use.Base, range.Low);
        var path = new ColdPath
        {
            Exit = ExitAt(in instruction, BlockExitKind.GroupMiss) with { Form = FormOf(free), Resume = start, Size = (ushort)range.Length, Writes = range.Writes },
            KeepsFlags = !free,
        };
        int bias = _tlb + (range.Writes ? ContextOffsets.WriteBias : ContextOffsets.ReadBias);
        if (free)
        {
            EmitIndex();
            _emitter.Add(address, HostAddress.Context(bias, index));
            if (range.IsAligned)
            {
                _emitter.Test(address, VectorAlignment - 1);
                AddCold(path with { From = _emitter.Jump(HostCondition.NotEqual) });
            }

            path.From = EmitRangeTest(address, range.Length, 1);
            AddCold(in path);
            _emitter.Load(RegisterMap.Delta, HostAddress.Context(_tlb + ContextOffsets.Addend, index));
            return;
        }

        EmitIndexKeepingFlags();
        EmitRangeTestKeepingFlags(ref path, bias, range.Length, 1);
        if (range.IsAligned)
            EmitAlignmentTestKeepingFlags(path);
        _emitter.Load(RegisterMap.Delta, HostAddress.Context(_tlb + ContextOffsets.Addend, index, scale: 2));
    }

    private static MissForm FormOf(bool flagsAreFree) => flagsAreFree ? MissForm.Biased : MissForm.BiasedByQuarters;

    private void EmitIndex()
    {
        _emitter.Rotate(RegisterMap.Scratch2, RegisterMap.Scratch, IndexShift);
        _emitter.And(RegisterMap.Scratch2, IndexBits, wide: false);
    }

    /// <summary>As <see cref="EmitIndex"/>, but the index counts in units of 8 bytes, a quarter of an entry.</summary>
    private void EmitIndexKeepingFlags()
    {
        _emitter.Extract(RegisterMap.Scratch2, RegisterMap.Scratch, ContextOffsets.IndexMask);
        _emitter.Lea(RegisterMap.Scratch2, new HostAddress(HostRegister.None, RegisterMap.Scratch2, 3, 0));
    }

    /// <summary>Tests an offset in a page. Returns the jump that is taken when it is none.</summary>
    private int EmitRangeTest(HostRegister offset, int size, int alignment)
    {
        if (alignment > 1)
        {
            _emitter.Test(offset, ~(int)Page.OffsetMask | (alignment - 1));
            return _emitter.Jump(HostCondition.NotEqual);
        }

        _emitter.Compare(offset, Page.Size - size);
        return _emitter.Jump(HostCondition.Above);
    }

    /// <summary>Makes an offset of the address in the first scratch register and tests it, without touching flags: rcx is borrowed for JRCXZ.</summary>
    private void EmitRangeTestKeepingFlags(ref ColdPath path, int bias, int size, int alignment)
    {
        const HostRegister address = RegisterMap.Scratch, counter = HostRegister.Rcx;
        _emitter.Store(HostAddress.Context(ContextOffsets.Borrowed), counter);
        _emitter.Load(counter, HostAddress.Context(bias, RegisterMap.Scratch2, scale: 2));
        _emitter.Lea(address, new HostAddress(address, counter, 0, 0));
        if (alignment == 1 && size > 1)
            _emitter.Lea(counter, HostAddress.At(address, size - 1));
        else
            _emitter.Move(counter, address);
        _emitter.Extract(counter, counter, ContextOffsets.PageMasks + (BitOperations.Log2((uint)alignment) * sizeof(ulong)));
        int good = _emitter.JumpIfRcxZero();
        path.RestoresCounter = true;
        path.From = _emitter.Jump();
        AddCold(in path);
        _emitter.BindShort(good);
        _emitter.Load(counter, HostAddress.Context(ContextOffsets.Borrowed));
    }

    /// <summary>Tests that the address in the first scratch register is a multiple of 16.</summary>
    private void EmitAlignmentTestKeepingFlags(ColdPath path)
    {
        const HostRegister counter = HostRegister.Rcx;
        _emitter.Store(HostAddress.Context(ContextOffsets.Borrowed), counter);
        _emitter.Extract(counter, RegisterMap.Scratch, ContextOffsets.LowBits);
        int good = _emitter.JumpIfRcxZero();
        path.From = _emitter.Jump();
        AddCold(in path);
        _emitter.BindShort(good);
        _emitter.Load(counter, HostAddress.Context(ContextOffsets.Borrowed));
    }

    /// <summary>An operand at a constant address: its TLB entry is known, and one comparison does. Flags are free.</summary>
    private bool TryEmitConstant(ref GuestInstruction instruction, out HostAddress operand)
    {
        ref readonly Instruction code = ref instruction.Code;
        ref MemoryUse use = ref instruction.Operand;
        operand = default;
        bool isConstant = code.IsIPRelativeMemoryOperand || (code.MemoryBase == Register.None && code.MemoryIndex == Register.None);
        if (!isConstant || code.MemorySegment is Register.FS or Register.GS)
            return false;
        ulong address = code.IsIPRelativeMemoryOperand ? code.IPRelativeMemoryAddress : code.MemoryDisplacement64;
        int offset = (int)(address & Page.OffsetMask);
        if (address == 0 || offset + use.Size > Page.Size || (offset & (use.Alignment - 1)) != 0)
            return false;
        int start = _emitter.Position;
        int entry = _tlb + ((int)((address >> Page.Shift) & (TlbMemory.EntryCount - 1)) << EntryShift);
        HostAddress bias = HostAddress.Context(entry + (use.Writes ? ContextOffsets.WriteBias : ContextOffsets.ReadBias));
        ulong wanted = 0 - (address & ~Page.OffsetMask);
        if ((long)wanted == (int)wanted)
        {
            _emitter.Compare(in bias, (int)wanted, wide: true);
        }
        else
        {
            _emitter.Move(RegisterMap.Scratch, wanted);
            _emitter.Compare(RegisterMap.Scratch, in bias);
        }

        AddCold(new ColdPath
        {
            From = _emitter.Jump(HostCondition.NotEqual),
            Exit = ExitAt(in instruction, BlockExitKind.Miss) with { Resume = start, Size = use.Size, Writes = use.Writes },
            ConstantAddress = address,
        });
        _emitter.Load(RegisterMap.Scratch, HostAddress.Context(entry + ContextOffsets.HostPage));
        operand = HostAddress.At(RegisterMap.Scratch, offset);
        return true;
    }
}
