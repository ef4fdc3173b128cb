using Iced.Intel;

namespace Xen.Cpu;

/// <summary>How an instruction moves a register that addresses are based on.</summary>
internal static class BaseMotion
{
    private static readonly ThreadLocal<InstructionInfoFactory> Factory = new(static () => new InstructionInfoFactory());

    /// <summary>Whether the register's new value is a known distance from its old one.</summary>
    public static bool TryMove(ref GuestInstruction instruction, int register, out int distance)
    {
        ref readonly Instruction code = ref instruction.Code;
        distance = 0;
        bool stack = register == RegisterMap.GuestRsp;
        switch (instruction.Kind)
        {
            case InstructionKind.Nothing or InstructionKind.Jump or InstructionKind.JumpIndirect or InstructionKind.ConditionalJump:
                return true;
            case InstructionKind.Push or InstructionKind.Call or InstructionKind.CallIndirect:
                distance = stack ? -8 : 0;
                return true;
            case InstructionKind.Return:
                distance = 8 + (code.OpCount == 0 ? 0 : code.Immediate16);
                return !stack || code.OpCount == 0;
            case InstructionKind.Pop:
                distance = stack ? 8 : 0;
                return code.Op0Register.GetNumber() != register;
            case InstructionKind.Leave:
                return !stack && register != 5;
            case InstructionKind.Interpret or InstructionKind.SystemCall:
                return false;
        }

        if (IsConstantMotion(in code, register, out distance))
            return true;
        return !Writes(ref instruction, register);
    }

    private static bool IsConstantMotion(in Instruction code, int register, out int distance)
    {
        distance = 0;
        if (code.OpCount < 2 || code.Op0Kind != OpKind.Register || !code.Op0Register.IsGPR64() || code.Op0Register.GetNumber() != register)
            return false;
        switch (code.Code)
        {
            case Code.Add_rm64_imm8 or Code.Add_rm64_imm32:
                distance = (int)(long)code.GetImmediate(1);
                return true;
            case Code.Sub_rm64_imm8 or Code.Sub_rm64_imm32:
                distance = -(int)(long)code.GetImmediate(1);
                return distance != int.MinValue;
            case Code.Lea_r64_m:
                distance = (int)code.MemoryDisplacement64;
                return code.MemoryBase == code.Op0Register && code.MemoryIndex == Register.None;
            default:
                return false;
        }
    }

    /// <summary>Whether the instruction writes the register, by the mask that is found out once.</summary>
    private static bool Writes(ref GuestInstruction instruction, int register)
    {
        if (!instruction.HasWrittenRegisters)
        {
            instruction.WrittenRegisters = WrittenBy(in instruction.Code);
            instruction.HasWrittenRegisters = true;
        }

        return (instruction.WrittenRegisters & (1 << register)) != 0;
    }

    /// <summary>The general registers that an instruction writes, one bit each.</summary>
    private static ushort WrittenBy(in Instruction code)
    {
        int written = 0;
        foreach (UsedRegister used in Factory.Value!.GetInfo(in code, InstructionInfoOptions.NoMemoryUsage).GetUsedRegisters())
        {
            if (used.Register.IsGPR() && used.Access is not (OpAccess.Read or OpAccess.CondRead or OpAccess.NoMemAccess))
                written |= 1 << used.Register.GetFullRegister().GetNumber();
        }

        return (ushort)written;
    }
}
