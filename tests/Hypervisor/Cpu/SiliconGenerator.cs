using System.Runtime.Intrinsics;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>One instance: an instruction as bytes, at an address, and the registers to execute it with.</summary>
internal sealed class SiliconInstance
{
    public Instruction Instruction;
    public RegisterFile Registers;

    public required byte[] Bytes { get; init; }

    /// <summary>Linear address of the explicit memory operand.</summary>
    public ulong MemoryAddress => Instruction.GetVirtualAddress(MemoryOperand, 0, (register, _, _) => register switch
    {
        Register.GS => Registers.GsBase,
        Register.DS or Register.SS or Register.ES or Register.CS or Register.FS => 0,
        _ => register.IsGPR32() ? (uint)Registers.Gpr[register.GetNumber()] : Registers.Gpr[register.GetNumber()],
    });

    /// <summary>Which operand is in memory, by address; -1: none.</summary>
    public int MemoryOperand
    {
        get
        {
            for (int i = 0; i < Instruction.OpCount; i++)
            {
                if (Instruction.GetOpKind(i) == OpKind.Memory)
                    return i;
            }

            return -1;
        }
    }

    /// <summary>Where a branch goes.</summary>
    public ulong BranchTarget { get; init; }
}

/// <summary>Makes random instances of a code: operands, addressing mode, registers.</summary>
/// <param name="random">Where values come from.</param>
/// <param name="poke">Writes 8 bytes of memory on both sides.</param>
internal sealed class SiliconGenerator(SiliconRandom random, Action<ulong, ulong> poke)
{
    /// <summary>Where explicit memory operands are: within two pages that both sides map, over their boundary too.</summary>
    public const ulong DataStart = TestVcpu.DataAddress, DataSize = 0x4000;

    /// <summary>Where rsp is, give or take; the pages around it are compared too.</summary>
    public const ulong StackMiddle = TestVcpu.Base + 0x3E_000, StackSize = 0x2000;

    private const int BranchDistance = 40;

    /// <summary>Where the memory operand is to be, instead of anywhere in the data area.</summary>
    public ulong? Target { get; set; }

    /// <summary>Makes an instance at an address; null when the encoder or the class refuses the combination.</summary>
    public SiliconInstance? Make(Code code, ulong address, SiliconClass family)
    {
        OpCodeInfo info = code.ToOpCode();
        var instruction = default(Instruction);
        instruction.Code = code;
        for (int i = 0; i < info.OpCount; i++)
            SetOperand(ref instruction, i, info.GetOpKind(i), address);
        SetPrefixes(ref instruction, info);
        if (TryEncode(instruction, address) is not { } bytes)
            return null;
        if (family.FollowedByJump)
            bytes = [.. bytes, (byte)(0x70 + random.Below(16)), (byte)(BranchDistance - bytes.Length - 2)];
        var made = new SiliconInstance { Bytes = bytes, BranchTarget = address + BranchDistance };
        var decoder = Decoder.Create(64, bytes);
        decoder.IP = address;
        decoder.Decode(out made.Instruction);
        if (made.Instruction.IsInvalid)
            return null; // registers that must differ
        Fill(ref made.Registers);
        made.Registers.Rip = address;
        if (!AimMemoryOperand(in made.Instruction, ref made.Registers))
            return null;
        if (family.Prepare is { } prepare && !prepare(made, random, poke))
            return null;
        return IsSplit(made) ? null : made;
    }

    private static byte[]? TryEncode(in Instruction instruction, ulong address)
    {
        var writer = new ByteWriter();
        return Encoder.Create(64, writer).TryEncode(in instruction, address, out _, out _) ? [.. writer.Bytes] : null;
    }

    private void Fill(ref RegisterFile r)
    {
        for (int i = 0; i < 16; i++)
            r.Gpr[i] = random.Value();
        r.Gpr[4] = StackMiddle + (ulong)random.Below(64);
        r.GsBase = SiliconProcessor.GsBase;
        r.Rflags = 0x202 | (random.Next() & LazyFlags.All);
        for (int i = 0; i < 16; i++)
            r.Xmm[i] = Vector128.Create(random.Value(), random.Value()).AsByte();
        r.UpperHalvesInUse = CpuFeatures.OfHost.Has(Leaf1Ecx.Avx) && !random.OneIn(4) ? 1u : 0;
        for (int i = 0; r.UpperHalvesInUse != 0 && i < 16; i++)
            r.UpperHalves[i] = Vector128.Create(random.Value(), random.Value()).AsByte();
        r.Mxcsr = 0x1F80;
        r.Fcw = 0x37F;
    }

    private void SetOperand(ref Instruction instruction, int operand, OpCodeOperandKind kind, ulong address)
    {
        switch (kind)
        {
            case OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem
                or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem or OpCodeOperandKind.r32_or_mem_mpx or OpCodeOperandKind.r64_or_mem_mpx
                when random.OneIn(2):
            case OpCodeOperandKind.mem or OpCodeOperandKind.mem_mpx:
                SetMemory(ref instruction, operand);
                break;
            case OpCodeOperandKind.mem_vsib32x or OpCodeOperandKind.mem_vsib64x:
                SetIndices(ref instruction, operand, Register.XMM0);
                break;
            case OpCodeOperandKind.mem_vsib32y or OpCodeOperandKind.mem_vsib64y:
                SetIndices(ref instruction, operand, Register.YMM0);
                break;
            case OpCodeOperandKind.mem_offs:
                instruction.SetOpKind(operand, OpKind.Memory);
                instruction.MemoryDisplSize = 8;
                instruction.MemoryDisplacement64 = Aim();
                break;
            case OpCodeOperandKind.es_rDI:
                instruction.SetOpKind(operand, OpKind.MemoryESRDI);
                break;
            case OpCodeOperandKind.seg_rSI:
                instruction.SetOpKind(operand, OpKind.MemorySegRSI);
                break;
            case OpCodeOperandKind.seg_rDI:
                instruction.SetOpKind(operand, OpKind.MemorySegRDI);
                break;
            case OpCodeOperandKind.seg_rBX_al:
                instruction.SetOpKind(operand, OpKind.Memory);
                instruction.MemoryBase = Register.RBX;
                instruction.MemoryIndex = Register.AL;
                break;
            case OpCodeOperandKind.br64_1 or OpCodeOperandKind.br64_4:
                instruction.SetOpKind(operand, OpKind.NearBranch64);
                instruction.NearBranch64 = address + BranchDistance;
                break;
            default:
                if (RegisterOf(kind) is var register and not Register.None)
                    instruction.SetOpRegister(operand, register);
                else
                    SetImmediate(ref instruction, operand, kind);
                break;
        }
    }

    private Register RegisterOf(OpCodeOperandKind kind) => kind switch
    {
        OpCodeOperandKind.al => Register.AL,
        OpCodeOperandKind.cl => Register.CL,
        OpCodeOperandKind.ax => Register.AX,
        OpCodeOperandKind.dx => Register.DX,
        OpCodeOperandKind.eax => Register.EAX,
        OpCodeOperandKind.rax => Register.RAX,
        OpCodeOperandKind.fs => Register.FS,
        OpCodeOperandKind.gs => Register.GS,
        OpCodeOperandKind.st0 => Register.ST0,
        OpCodeOperandKind.sti_opcode => Register.ST0 + random.Below(8),
        OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => Register.AL + Other(20, 4),
        OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_rm or OpCodeOperandKind.r16_opcode => Register.AX + Other(16, 4),
        OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_rm or OpCodeOperandKind.r32_opcode or OpCodeOperandKind.r32_vvvv => Register.EAX + Other(16, 4),
        OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_rm or OpCodeOperandKind.r64_opcode or OpCodeOperandKind.r64_vvvv => Register.RAX + Other(16, 4),
        OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm => Register.MM0 + random.Below(8),
        OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm or OpCodeOperandKind.xmm_vvvv or OpCodeOperandKind.xmm_is4 => Register.XMM0 + random.Below(16),
        OpCodeOperandKind.ymm_or_mem or OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_rm or OpCodeOperandKind.ymm_vvvv or OpCodeOperandKind.ymm_is4 => Register.YMM0 + random.Below(16),
        OpCodeOperandKind.seg_reg => random.Pick(Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS),
        _ => Register.None,
    };

    /// <summary>A number of a register; not rsp's (or for 8-bit registers spl's, which would need another check: there 4 is ah).</summary>
    private int Other(int count, int stackPointer)
    {
        int number = random.Below(count);
        return number == (count == 20 ? 8 : stackPointer) ? 0 : number;
    }

    private void SetImmediate(ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        (OpKind opKind, ulong value) = kind switch
        {
            OpCodeOperandKind.imm8 when operand > 0 && instruction.GetOpKind(operand - 1) == OpKind.Immediate16 => (OpKind.Immediate8_2nd, (ulong)(byte)random.Below(4)),
            OpCodeOperandKind.imm8 => (OpKind.Immediate8, (byte)random.Value()),
            OpCodeOperandKind.imm8_const_1 => (OpKind.Immediate8, 1ul),
            OpCodeOperandKind.imm8sex16 => (OpKind.Immediate8to16, (ulong)(sbyte)random.Value()),
            OpCodeOperandKind.imm8sex32 => (OpKind.Immediate8to32, (ulong)(sbyte)random.Value()),
            OpCodeOperandKind.imm8sex64 => (OpKind.Immediate8to64, (ulong)(sbyte)random.Value()),
            OpCodeOperandKind.imm16 when instruction.Mnemonic is Mnemonic.Enter or Mnemonic.Ret => (OpKind.Immediate16, (ulong)random.Below(512)),
            OpCodeOperandKind.imm16 => (OpKind.Immediate16, (ushort)random.Value()),
            OpCodeOperandKind.imm32 => (OpKind.Immediate32, (uint)random.Value()),
            OpCodeOperandKind.imm32sex64 => (OpKind.Immediate32to64, (ulong)(int)random.Value()),
            OpCodeOperandKind.imm64 => (OpKind.Immediate64, random.Value()),
            _ => throw new InvalidOperationException($"{instruction.Code}: no operand of kind {kind} is known"),
        };
        instruction.SetOpKind(operand, opKind);
        instruction.SetImmediate(operand, value);
    }

    /// <summary>An addressing mode; the registers are aimed later.</summary>
    private void SetMemory(ref Instruction instruction, int operand)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        bool narrow = random.OneIn(12);
        Register first = narrow ? Register.EAX : Register.RAX;
        switch (random.Below(8))
        {
            case 0:
                instruction.MemoryBase = narrow ? Register.EIP : Register.RIP;
                instruction.MemoryDisplSize = 8;
                instruction.MemoryDisplacement64 = Aim();
                break;
            case 1:
                instruction.MemoryDisplSize = 4;
                instruction.MemoryDisplacement64 = Aim();
                break;
            case 2:
                instruction.MemoryIndex = first + Other(16, 4);
                instruction.MemoryIndexScale = 1 << random.Below(4);
                instruction.MemoryDisplSize = 4;
                instruction.MemoryDisplacement64 = (ulong)(int)random.Next();
                break;
            case 3 or 4:
                instruction.MemoryBase = first + Other(16, 4);
                instruction.MemoryIndex = first + Other(16, 4);
                instruction.MemoryIndexScale = 1 << random.Below(4);
                SetDisplacement(ref instruction);
                break;
            default:
                instruction.MemoryBase = first + Other(16, 4);
                SetDisplacement(ref instruction);
                break;
        }
    }

    /// <summary>An address for each element.</summary>
    private void SetIndices(ref Instruction instruction, int operand, Register first)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        instruction.MemoryBase = Register.RAX + Other(16, 4);
        instruction.MemoryIndex = first + random.Below(16);
        instruction.MemoryIndexScale = 1 << random.Below(4);
        SetDisplacement(ref instruction);
    }

    private void SetDisplacement(ref Instruction instruction)
    {
        instruction.MemoryDisplSize = random.Pick(0, 1, 4);
        instruction.MemoryDisplacement64 = instruction.MemoryDisplSize switch
        {
            0 => 0,
            1 => (ulong)(sbyte)random.Next(),
            _ => (ulong)(int)random.Next(),
        };
    }

    private void SetPrefixes(ref Instruction instruction, OpCodeInfo info)
    {
        if (info.CanUseLockPrefix && instruction.Op0Kind == OpKind.Memory && random.OneIn(2))
            instruction.HasLockPrefix = true;
        if (instruction.IsStringInstruction)
        {
            bool compares = instruction.Mnemonic is >= Mnemonic.Cmpsb and <= Mnemonic.Cmpsw or >= Mnemonic.Scasb and <= Mnemonic.Scasw;
            instruction.HasRepPrefix = random.OneIn(2);
            instruction.HasRepnePrefix = compares && !instruction.HasRepPrefix && random.OneIn(2);
        }

        bool memory = instruction.Op0Kind == OpKind.Memory || instruction.Op1Kind == OpKind.Memory || instruction.IsStringInstruction;
        if (memory && random.OneIn(10))
            instruction.SegmentPrefix = Register.GS;
    }

    /// <summary>An address for a memory operand: any, or at the end of a page.</summary>
    private ulong Aim()
    {
        if (Target is { } target)
            return target;
        ulong address = DataStart + 0x800 + (ulong)random.Below(0x2800);
        return random.OneIn(4) ? address & ~63ul : random.OneIn(8) ? DataStart + 0x2000 - (ulong)random.Below(17) : address;
    }

    /// <summary>Sets registers so that the memory operand is in the data area. False: this addressing mode cannot get there.</summary>
    private bool AimMemoryOperand(in Instruction instruction, ref RegisterFile r)
    {
        Instruction copy = instruction;
        if (!Enumerable.Range(0, instruction.OpCount).Any(i => copy.GetOpKind(i) == OpKind.Memory) || instruction.Mnemonic == Mnemonic.Xlatb)
            return true;
        ulong target = Aim();
        if (Target is null && (instruction.Mnemonic is Mnemonic.Cmpxchg16b || (AlignsOperands(in instruction) && !random.OneIn(20))))
            target &= ~(ulong)(Math.Max(16, instruction.MemorySize.GetSize()) - 1);
        if (instruction.SegmentPrefix == Register.GS)
            target -= r.GsBase;
        if (instruction.IsIPRelativeMemoryOperand || (instruction.MemoryBase == Register.None && instruction.MemoryIndex == Register.None))
            return instruction.SegmentPrefix != Register.GS;
        bool narrow = instruction.MemoryBase.IsGPR32() || instruction.MemoryIndex.IsGPR32();
        ulong offset = target - instruction.MemoryDisplacement64;
        int baseNumber = instruction.MemoryBase == Register.None ? -1 : instruction.MemoryBase.GetNumber();
        int indexNumber = instruction.MemoryIndex == Register.None || instruction.MemoryIndex.IsVectorRegister() ? -1 : instruction.MemoryIndex.GetNumber();
        ulong scale = (ulong)instruction.MemoryIndexScale;
        if (baseNumber < 0)
        {
            // Only the index: what it cannot reach exactly it reaches to within its scale.
            r.Gpr[indexNumber] = narrow ? (uint)offset / scale : (ulong)((long)offset / (long)scale);
        }
        else if (baseNumber == indexNumber)
        {
            r.Gpr[baseNumber] = narrow ? (uint)offset / (scale + 1) : (ulong)((long)offset / (long)(scale + 1));
        }
        else
        {
            ulong index = indexNumber < 0 ? 0 : r.Gpr[indexNumber];
            r.Gpr[baseNumber] = offset - (index * scale);
        }

        // Upper halves do not count in 32-bit arithmetic.
        if (narrow && baseNumber >= 0 && baseNumber != indexNumber)
            r.Gpr[baseNumber] = (uint)r.Gpr[baseNumber] | (random.Next() << 32);
        return true;
    }

    /// <summary>Whether it is an atomic access across cache lines, which hosts make very slow on purpose.</summary>
    private static bool IsSplit(SiliconInstance made)
    {
        ref Instruction instruction = ref made.Instruction;
        if (!instruction.HasLockPrefix && (instruction.Mnemonic != Mnemonic.Xchg || instruction.Op0Kind != OpKind.Memory))
            return false;
        ulong size = (ulong)instruction.MemorySize.GetSize();
        ulong address = made.MemoryAddress;
        if (instruction.Mnemonic is Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc)
            return (address & (size - 1)) != 0;
        return (address & 63) + size > 64;
    }

    private static bool AlignsOperands(in Instruction instruction) => instruction.MemorySize.GetSize() is 16 or 32;

    private sealed class ByteWriter : CodeWriter
    {
        public List<byte> Bytes { get; } = [];

        public override void WriteByte(byte value) => Bytes.Add(value);
    }
}
