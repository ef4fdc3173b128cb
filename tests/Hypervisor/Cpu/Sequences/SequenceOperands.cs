using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Random operands for a program's instructions: registers by what they are for, memory by way of pointers.</summary>
internal sealed class SequenceOperands(SiliconRandom random, int[] pointers, int[] small, int counter, ulong codeOffset)
{
    private static readonly InstructionInfoFactory Information = new();
    private readonly Encoder _encoder = Encoder.Create(64, new NullWriter());

    /// <summary>An instruction of a code; null when there is none that may stand in a program.</summary>
    public Instruction? Make(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        var instruction = default(Instruction);
        instruction.Code = code;
        for (int i = 0; i < info.OpCount; i++)
        {
            if (!TrySetOperand(ref instruction, i, info.GetOpKind(i), info))
                return null;
        }

        if (info.CanUseLockPrefix && instruction.Op0Kind == OpKind.Memory && random.OneIn(3))
            instruction.HasLockPrefix = true;
        return IsUsable(in instruction) && CanEncode(in instruction) ? instruction : null;
    }

    /// <summary>Whether the operands go together: high bytes of registers and the newer registers do not.</summary>
    public bool CanEncode(in Instruction instruction) => _encoder.TryEncode(in instruction, TestVcpu.CodeAddress + codeOffset, out _, out _);

    /// <summary>A memory operand's parts in an instruction.</summary>
    public void SetMemory(ref Instruction instruction, int operand, int size)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        int step = size >= 16 && !random.OneIn(12) ? 16 : random.OneIn(3) ? 1 : Math.Max(size, 1);
        int displacement = (random.Below(24) - 12) * step;
        if (random.OneIn(10))
            displacement = (random.Below(400) - 200) * step;
        switch (random.Below(16))
        {
            case 0:
                // What is within reach of the code.
                instruction.MemoryBase = codeOffset == 0 && random.OneIn(4) ? Register.EIP : Register.RIP;
                instruction.MemoryDisplSize = 8;
                instruction.MemoryDisplacement64 = Constant(step) + codeOffset;
                return;
            case 1:
                instruction.MemoryDisplSize = 4;
                instruction.MemoryDisplacement64 = Constant(step);
                return;
            case 2:
                // Over a segment's base.
                instruction.SegmentPrefix = random.Pick(Register.FS, Register.GS);
                if (random.OneIn(2))
                {
                    instruction.MemoryDisplSize = 4;
                    instruction.MemoryDisplacement64 = (ulong)(random.Below(32) * step);
                    return;
                }

                instruction.MemoryBase = Wide(random.Pick<int>(small));
                break;
            case 3:
                instruction.MemoryBase = Register.EAX + random.Pick<int>(pointers);
                displacement = Math.Abs(displacement);
                break;
            case 4 or 5:
                instruction.MemoryBase = Wide(Pointer());
                instruction.MemoryIndex = Wide(random.Pick<int>(small));
                instruction.MemoryIndexScale = 1 << random.Below(4);
                break;
            case 6:
                instruction.MemoryBase = Wide(random.Pick<int>(small));
                instruction.MemoryIndex = Wide(random.Pick<int>(pointers));
                instruction.MemoryIndexScale = 1;
                break;
            default:
                instruction.MemoryBase = Wide(Pointer());
                break;
        }

        instruction.MemoryDisplSize = displacement == 0 ? 0 : displacement == (sbyte)displacement ? 1 : instruction.MemoryBase.IsGPR32() ? 4 : 8;
        instruction.MemoryDisplacement64 = (ulong)displacement;
    }

    /// <summary>Any register but rsp and the counter; mostly none that is for something.</summary>
    public int Any()
    {
        while (true)
        {
            int number = random.OneIn(4) ? random.Pick(10, 11, 14, 15) : random.Below(16);
            bool reserved = number == counter || number == 4 || ((pointers.Contains(number) || small.Contains(number)) && !random.OneIn(6));
            if (!reserved)
                return number;
        }
    }

    /// <summary>A pointer, rsp too.</summary>
    public int Pointer() => random.OneIn(4) ? 4 : random.Pick<int>(pointers);

    public static Register Wide(int number) => Register.RAX + number;

    private ulong Constant(int step) => SequenceMachine.AddressOf(random.Pick(3, 4, 5, 7, 8, 9, 10)) + (ulong)((random.Below(40) - 12) * step);

    private bool TrySetOperand(ref Instruction instruction, int operand, OpCodeOperandKind kind, OpCodeInfo info)
    {
        switch (kind)
        {
            case OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem
                or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem
                when random.OneIn(2):
            case OpCodeOperandKind.mem:
                SetMemory(ref instruction, operand, info.MemorySize.GetSize());
                return true;
            case OpCodeOperandKind.mem_offs:
                instruction.SetOpKind(operand, OpKind.Memory);
                instruction.MemoryDisplSize = 8;
                instruction.MemoryDisplacement64 = Constant(1) | (random.OneIn(4) ? SequenceMachine.High : 0);
                return true;
        }

        if (RegisterOf(kind) is var register and not Register.None)
            instruction.SetOpRegister(operand, register);
        else
            return TrySetImmediate(ref instruction, operand, kind);
        return true;
    }

    private Register RegisterOf(OpCodeOperandKind kind) => kind switch
    {
        OpCodeOperandKind.al => Register.AL,
        OpCodeOperandKind.cl => Register.CL,
        OpCodeOperandKind.ax => Register.AX,
        OpCodeOperandKind.eax => Register.EAX,
        OpCodeOperandKind.rax => Register.RAX,
        OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => random.OneIn(3) ? Register.AH + random.Below(4) : Byte(Any()),
        OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_rm or OpCodeOperandKind.r16_opcode => Register.AX + Source(),
        OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_rm or OpCodeOperandKind.r32_opcode or OpCodeOperandKind.r32_vvvv => Register.EAX + Source(),
        OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_rm or OpCodeOperandKind.r64_opcode or OpCodeOperandKind.r64_vvvv => Register.RAX + Source(),
        OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm => Register.MM0 + random.Below(8),
        OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm or OpCodeOperandKind.xmm_vvvv or OpCodeOperandKind.xmm_is4 => Register.XMM0 + random.Below(16),
        OpCodeOperandKind.ymm_or_mem or OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_rm or OpCodeOperandKind.ymm_vvvv or OpCodeOperandKind.ymm_is4 => Register.YMM0 + random.Below(16),
        OpCodeOperandKind.seg_reg => random.Pick(Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS),
        _ => Register.None,
    };

    /// <summary>rsp now and then: where it would be written, the instruction is refused later.</summary>
    private int Source() => random.OneIn(20) ? 4 : Any();

    private static Register Byte(int number) => number < 4 ? Register.AL + number : Register.SPL + (number - 4);

    private bool TrySetImmediate(ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        (OpKind opKind, ulong value) = kind switch
        {
            OpCodeOperandKind.imm8 => (OpKind.Immediate8, (byte)random.Value()),
            OpCodeOperandKind.imm8_const_1 => (OpKind.Immediate8, 1ul),
            OpCodeOperandKind.imm8sex16 => (OpKind.Immediate8to16, (ulong)(sbyte)random.Value()),
            OpCodeOperandKind.imm8sex32 => (OpKind.Immediate8to32, (ulong)(sbyte)random.Value()),
            OpCodeOperandKind.imm8sex64 => (OpKind.Immediate8to64, (ulong)(sbyte)random.Value()),
            OpCodeOperandKind.imm16 => (OpKind.Immediate16, (ushort)random.Value()),
            OpCodeOperandKind.imm32 => (OpKind.Immediate32, (uint)random.Value()),
            OpCodeOperandKind.imm32sex64 => (OpKind.Immediate32to64, (ulong)(int)random.Value()),
            OpCodeOperandKind.imm64 => (OpKind.Immediate64, random.Value()),
            _ => (OpKind.Register, 0ul),
        };
        if (opKind == OpKind.Register)
            return false;
        instruction.SetOpKind(operand, opKind);
        instruction.SetImmediate(operand, value);
        return true;
    }

    /// <summary>Whether an instruction leaves the counter alone, and mostly the pointers and the small numbers; and has no result that is undefined.</summary>
    private bool IsUsable(in Instruction instruction)
    {
        foreach (UsedRegister used in Information.GetInfo(in instruction, InstructionInfoOptions.NoMemoryUsage).GetUsedRegisters())
        {
            if (!used.Register.IsGPR() || used.Access is OpAccess.Read or OpAccess.CondRead or OpAccess.NoMemAccess)
                continue;
            int number = used.Register.GetFullRegister().GetNumber();
            bool stack = number == 4 && !instruction.IsStackInstruction;
            if (number == counter || ((stack || pointers.Contains(number)) && !random.OneIn(30)) || (small.Contains(number) && !random.OneIn(10)))
                return false;
        }

        if (instruction.Mnemonic is Mnemonic.Shld or Mnemonic.Shrd && instruction.Op1Register.GetSize() == 2)
            return instruction.Op2Kind != OpKind.Register && (instruction.Immediate8 & 31) <= 16;

        // A bit's number in a register reaches far: only a small one.
        bool moves = instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc && instruction.Op0Kind == OpKind.Memory && instruction.Op1Kind == OpKind.Register;
        return !moves || small.Contains(instruction.Op1Register.GetFullRegister().GetNumber());
    }

    private sealed class NullWriter : CodeWriter
    {
        public override void WriteByte(byte value)
        {
        }
    }
}
