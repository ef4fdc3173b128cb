using System.Numerics;
using Iced.Intel;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// REP MOVS and REP STOS: the host's own instruction, page after page. What goes backwards, elements that cross pages, and pages that the TLB
/// does not have are the interpreter's, which then goes on with the same instruction: it can be continued after any element.
/// </summary>
internal sealed partial class BlockEmitter
{
    private void EmitRepeat(ref GuestInstruction instruction)
    {
        const HostRegister first = RegisterMap.Scratch, second = RegisterMap.Scratch2, count = HostRegister.Rcx;
        const int DirectionByte = 1, DirectionBit = 4;
        ref readonly Instruction code = ref instruction.Code;
        bool keep = !TryFreeFlags(in instruction);
        bool moves = code.Op1Kind == OpKind.MemorySegRSI;
        byte scale = (byte)BitOperations.Log2((uint)code.MemorySize.GetSize());
        var care = new ColdPath
        {
            RestoresFlags = keep,
            Exit = ExitAt(in instruction, BlockExitKind.Interpret),
        };
        if (keep)
            FlagSaving.Save(_emitter);
        _emitter.TestByte(HostAddress.Context(ContextOffsets.Rflags + DirectionByte), DirectionBit);
        AddCold(care with { From = _emitter.Jump(HostCondition.NotEqual) });

        // A run: as many elements as are left, and as fit on the pages.
        int again = _emitter.Position;
        _emitter.Compare(count, 0);
        int done = _emitter.Jump(HostCondition.Equal);
        _emitter.Compare(HostAddress.Context(ContextOffsets.Requests), 0, wide: false);
        AddCold(care with { From = _emitter.Jump(HostCondition.NotEqual) });
        _emitter.Store(HostAddress.Context(ContextOffsets.RunLength), count);
        EmitRun(HostRegister.Rdi, scale, writes: true, ContextOffsets.Held, fill: !keep, in care);
        if (moves)
        {
            // Two pages may want the same TLB entry: a missing source must not begin with the destination again.
            EmitRun(HostRegister.Rsi, scale, writes: false, ContextOffsets.Held2, fill: !keep, in care);
        }

        _emitter.Load(first, HostAddress.Context(ContextOffsets.RunLength));
        _emitter.Subtract(count, first);
        _emitter.Store(HostAddress.Context(ContextOffsets.RunRest), count);
        _emitter.Move(count, first);

        _emitter.Load(first, HostAddress.Context(ContextOffsets.Held));
        _emitter.Add(HostRegister.Rdi, first);
        if (moves)
        {
            _emitter.Load(second, HostAddress.Context(ContextOffsets.Held2));
            _emitter.Add(HostRegister.Rsi, second);
        }

        Encode(in code);
        _emitter.Subtract(HostRegister.Rdi, first);
        if (moves)
            _emitter.Subtract(HostRegister.Rsi, second);
        _emitter.Load(count, HostAddress.Context(ContextOffsets.RunRest));
        _emitter.JumpTo(again);
        _emitter.Bind(done);
        if (keep)
            FlagSaving.Restore(_emitter);
    }

    /// <summary>
    /// Shortens the run to what fits on the page at a register, and keeps the page's delta in the context. A page that is missing in the TLB is filled
    /// in, or else the interpreter goes on.
    /// </summary>
    private void EmitRun(HostRegister register, byte scale, bool writes, int delta, bool fill, in ColdPath care)
    {
        const HostRegister offset = RegisterMap.Scratch, room = RegisterMap.Scratch2;
        int resume = _emitter.Position;
        _emitter.Move(offset, register);
        EmitIndex();
        _emitter.Add(offset, HostAddress.Context(_tlb + (writes ? ContextOffsets.WriteBias : ContextOffsets.ReadBias), RegisterMap.Scratch2));
        _emitter.Compare(offset, Page.Size);
        AddCold(care with
        {
            From = _emitter.Jump(HostCondition.AboveOrEqual),
            Exit = fill ? care.Exit with { Kind = BlockExitKind.Miss, Form = MissForm.Biased, Resume = resume, Size = 1, Writes = writes } : care.Exit,
        });
        _emitter.Load(room, HostAddress.Context(_tlb + ContextOffsets.Addend, RegisterMap.Scratch2));
        _emitter.Store(HostAddress.Context(delta), room);
        _emitter.Move(room, Page.Size);
        _emitter.Subtract(room, offset);
        if (scale > 0)
        {
            _emitter.ShiftRight(room, scale);
            _emitter.Compare(room, 0);
            AddCold(care with { From = _emitter.Jump(HostCondition.Equal) });
        }

        _emitter.Compare(room, HostAddress.Context(ContextOffsets.RunLength));
        int fits = _emitter.Jump(HostCondition.AboveOrEqual);
        _emitter.Store(HostAddress.Context(ContextOffsets.RunLength), room);
        _emitter.Bind(fits);
    }
}
