using System.Numerics;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Decides how an instruction is translated. What it does not know for certain is left to the interpreter.</summary>
internal sealed class InstructionClassifier
{
    public const RflagsBits Arithmetic = RflagsBits.CF | RflagsBits.PF | RflagsBits.AF | RflagsBits.ZF | RflagsBits.SF | RflagsBits.OF;

    private const int MaxOperands = 5;

    private readonly InstructionInfoFactory _information = new();

    /// <summary>By code and operand: the access plus one, or 0 when it is not known yet.</summary>
    private readonly byte[] _accesses = new byte[InstructionTable.CodeCount * MaxOperands];

    /// <summary>Whether emitted code reads the time stamp counter itself. If not, the interpreter does.</summary>
    public bool ReadsTimeStamps { get; set; } = true;

    /// <summary>Fills in everything but what depends on the neighbours.</summary>
    /// <param name="guest">Its code is set.</param>
    /// <param name="variant">Whether vector instructions may be executed; otherwise the interpreter raises #NM, or #UD.</param>
    public void Classify(ref GuestInstruction guest, BlockVariant variant)
    {
        guest.Code.Code = InstructionTable.Substitute(guest.Code.Code);
        ref readonly Instruction code = ref guest.Code;
        guest.HasWrittenRegisters = false;
        guest.Operand = default;
        guest.Stack = default;
        guest.Kind = KindOf(in code);
        if (guest.Kind is InstructionKind.Plain && !IsEnabled(in code, variant))
            guest.Kind = InstructionKind.Interpret;
        if (guest.Kind is not (InstructionKind.Interpret or InstructionKind.Nothing or InstructionKind.Address or InstructionKind.RepeatString))
            AddAccesses(ref guest);
        SetFlags(ref guest);
    }

    private InstructionKind KindOf(in Instruction code)
    {
        switch (code.FlowControl)
        {
            case FlowControl.UnconditionalBranch:
                return code.Code is Code.Jmp_rel8_64 or Code.Jmp_rel32_64 ? InstructionKind.Jump : InstructionKind.Interpret;
            case FlowControl.IndirectBranch:
                return code.Code == Code.Jmp_rm64 && IsPlainAddress(in code) ? InstructionKind.JumpIndirect : InstructionKind.Interpret;
            case FlowControl.ConditionalBranch:
                return code.IsJccShortOrNear && code.Op0Kind == OpKind.NearBranch64 ? InstructionKind.ConditionalJump : InstructionKind.Interpret;
            case FlowControl.Call:
                return code.Code switch
                {
                    Code.Call_rel32_64 => InstructionKind.Call,
                    Code.Syscall => InstructionKind.SystemCall,
                    _ => InstructionKind.Interpret,
                };
            case FlowControl.IndirectCall:
                return code.Code == Code.Call_rm64 && !(code.Op0Kind == OpKind.Register && code.Op0Register == Register.RSP) && IsPlainAddress(in code) ? InstructionKind.CallIndirect : InstructionKind.Interpret;
            case FlowControl.Return:
                return code.Code is Code.Retnq or Code.Retnq_imm16 ? InstructionKind.Return : InstructionKind.Interpret;
            case FlowControl.Next:
                break;
            default:
                return InstructionKind.Interpret;
        }

        switch (code.Mnemonic)
        {
            case Mnemonic.Nop or Mnemonic.Endbr64 or Mnemonic.Endbr32 or Mnemonic.Reservednop or Mnemonic.Rdsspd or Mnemonic.Rdsspq
                or Mnemonic.Prefetchnta or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1 or Mnemonic.Prefetcht2 or Mnemonic.Prefetchw or Mnemonic.Prefetch:
                return InstructionKind.Nothing;
            case Mnemonic.Lea:
                return code.Code == Code.Lea_r16_m ? InstructionKind.Interpret : InstructionKind.Address;
            case Mnemonic.Div or Mnemonic.Idiv:
                return code.Code is Code.Div_rm32 or Code.Div_rm64 or Code.Idiv_rm32 or Code.Idiv_rm64 && IsPlainAddress(in code) ? InstructionKind.Divide : InstructionKind.Interpret;
            case Mnemonic.Push:
                return code.Code is Code.Push_r64 or Code.Push_rm64 or Code.Pushq_imm8 or Code.Pushq_imm32 && IsPlainAddress(in code) ? InstructionKind.Push : InstructionKind.Interpret;
            case Mnemonic.Pop:
                return code.Code is Code.Pop_r64 or Code.Pop_rm64 && code.Op0Kind == OpKind.Register && code.Op0Register != Register.RSP
                    ? InstructionKind.Pop : InstructionKind.Interpret;
            case Mnemonic.Rdtsc:
                return ReadsTimeStamps ? InstructionKind.ReadTimeStamp : InstructionKind.Interpret;
            case Mnemonic.Pushfq:
                return code.Code == Code.Pushfq ? InstructionKind.PushFlags : InstructionKind.Interpret;
            case Mnemonic.Leave:
                return code.Code == Code.Leaveq ? InstructionKind.Leave : InstructionKind.Interpret;
            case Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsd or Mnemonic.Movsq or Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq
                when code.HasRepPrefix && code.IsStringInstruction:
                return IsPlainString(in code) ? InstructionKind.RepeatString : InstructionKind.Interpret;
        }

        if (code.Code is Code.Mov_r32m16_Sreg or Code.Mov_r64m16_Sreg && code.Op0Kind == OpKind.Register)
            return InstructionKind.ReadSegment;
        if (!InstructionTable.IsPlain(code.Code) || NeedsCare(in code))
            return InstructionKind.Interpret;

        // The bit's number moves the address.
        bool movesAddress = code.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc
            && code.Op0Kind == OpKind.Memory && code.Op1Kind == OpKind.Register;
        return movesAddress ? InstructionKind.BitTest : InstructionKind.Plain;
    }

    private static bool IsPlainAddress(in Instruction code) =>
        (code.MemoryBase == Register.None && code.MemoryIndex == Register.None)
        || code.IsIPRelativeMemoryOperand || (long)code.MemoryDisplacement64 == (int)code.MemoryDisplacement64;

    private static bool IsPlainString(in Instruction code) =>
        code.SegmentPrefix == Register.None
        && code.Op0Kind is OpKind.MemoryESRDI
        && code.Op1Kind is OpKind.MemorySegRSI or OpKind.Register;

    /// <summary>Operands with which an otherwise plain instruction is not.</summary>
    private static bool NeedsCare(in Instruction code)
    {
        for (int i = 0; i < code.OpCount; i++)
        {
            if (code.GetOpKind(i) == OpKind.Memory)
            {
                // Unsigned displacements of 32 bits do not fit into other forms.
                if (!IsPlainAddress(in code))
                    return true;
                if (code.MemoryIndex.IsVectorRegister())
                    return true;
            }
            else if (code.GetOpKind(i) == OpKind.Register && !IsPlainRegister(code.GetOpRegister(i)))
            {
                return true;
            }
        }

        // The compared AL is in the same register as the high byte that is turned.
        if (code.Code == Code.Cmpxchg_rm8_r8 && code.Op0Kind == OpKind.Memory && code.Op1Register == Register.AH)
            return true;
        return !FitsScratch(in code);
    }

    /// <summary>Whether there are scratch registers for all displaced register operands; and whether high-byte registers can be had, which exclude the new registers.</summary>
    private static bool FitsScratch(in Instruction code)
    {
        // Those with VEX encoding read no more registers than there are, and results take the places of sources.
        if (code.Encoding == EncodingKind.VEX)
            return true;
        int first = -1, second = -1, available = 2;
        bool high = false, stack = false;
        for (int i = 0; i < code.OpCount; i++)
        {
            if (code.GetOpKind(i) == OpKind.Memory)
                available = 1;
            if (code.GetOpKind(i) != OpKind.Register || !code.GetOpRegister(i).IsGPR())
                continue;
            Register register = code.GetOpRegister(i);
            high |= register is >= Register.AH and <= Register.BH;
            int number = register.GetFullRegister().GetNumber();
            stack |= number == RegisterMap.GuestRsp && register is not Register.AH;
            if (!RegisterMap.IsDisplaced(number) || number == first || number == second)
                continue;
            if (first < 0)
                first = number;
            else if (second < 0)
                second = number;
            else
                return false;
        }

        int needed = first < 0 ? 0 : second < 0 ? 1 : 2;
        return needed <= available && !(high && stack);
    }

    private static bool IsPlainRegister(Register register) => register.IsGPR() || register is (>= Register.XMM0 and <= Register.XMM15) or (>= Register.YMM0 and <= Register.YMM15);

    private static bool IsEnabled(in Instruction code, BlockVariant variant)
    {
        if ((variant & BlockVariant.TaskSwitched) != 0 && UsesVector(in code))
            return false;
        return (variant & BlockVariant.Extended) != 0 || InstructionSets.KindOf(code.Code) != SiliconKind.Extended;
    }

    private static bool UsesVector(in Instruction code)
    {
        if (code.Mnemonic is Mnemonic.Lfence or Mnemonic.Mfence or Mnemonic.Sfence or Mnemonic.Pause or Mnemonic.Movnti or Mnemonic.Crc32 or Mnemonic.Popcnt)
            return false;
        SiliconKind kind = InstructionSets.KindOf(code.Code);
        if (kind != SiliconKind.None)
            return kind != SiliconKind.General;
        foreach (CpuidFeature feature in code.CpuidFeatures)
        {
            if (feature is CpuidFeature.SSE or CpuidFeature.SSE2 or CpuidFeature.SSE3 or CpuidFeature.SSSE3 or CpuidFeature.SSE4_1 or CpuidFeature.SSE4_2)
                return true;
        }

        return false;
    }

    private void AddAccesses(ref GuestInstruction guest)
    {
        ref readonly Instruction code = ref guest.Code;
        switch (guest.Kind)
        {
            case InstructionKind.Push:
            case InstructionKind.PushFlags:
            case InstructionKind.Call:
            case InstructionKind.CallIndirect:
                guest.Stack = new MemoryUse { Size = 8, Alignment = 1, Writes = true, Base = RegisterMap.GuestRsp, Displacement = -8 };
                break;
            case InstructionKind.Pop:
            case InstructionKind.Return:
                guest.Stack = new MemoryUse { Size = 8, Alignment = 1, Base = RegisterMap.GuestRsp };
                break;
            case InstructionKind.Leave:
                guest.Stack = new MemoryUse { Size = 8, Alignment = 1, Base = 5 };
                break;
        }

        for (int i = 0; i < code.OpCount; i++)
        {
            if (code.GetOpKind(i) == OpKind.Memory)
            {
                guest.Operand = OperandOf(in code, i);

                // A register's high byte is turned into its low byte for the while, so that the register cannot be a base.
                if (guest.Kind == InstructionKind.BitTest || HasHighByte(in code))
                    guest.Operand.Base = -1;
                if (guest.Operand.Size == 0)
                    guest.Kind = InstructionKind.Interpret;
            }
        }
    }

    private MemoryUse OperandOf(in Instruction code, int operand)
    {
        OpAccess access = AccessOf(in code, operand);
        int size = code.MemorySize.GetSize();
        bool atomic = code.HasLockPrefix || code.Mnemonic == Mnemonic.Xchg;
        if (size > 32 || !BitOperations.IsPow2(size))
            return default;
        return new MemoryUse
        {
            Size = (byte)size,
            Alignment = (byte)(atomic ? size : VectorAlignment.Of(in code)),
            IsAtomic = atomic || code.Mnemonic == Mnemonic.Cmpxchg16b,
            Writes = access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite,
            Base = BaseOf(in code),
            Displacement = (int)code.MemoryDisplacement64,
        };
    }

    /// <summary>How a code accesses its memory operand: asked once for each code.</summary>
    private OpAccess AccessOf(in Instruction code, int operand)
    {
        ref byte known = ref _accesses[((int)code.Code * MaxOperands) + operand];
        if (known == 0)
            known = (byte)(_information.GetInfo(in code, InstructionInfoOptions.NoRegisterUsage).GetOpAccess(operand) + 1);
        return (OpAccess)(known - 1);
    }

    /// <summary>The guest register of an address that is register and constant, or -1.</summary>
    private static sbyte BaseOf(in Instruction code) =>
        code.MemoryIndex == Register.None && code.MemoryBase.IsGPR64() && code.MemorySegment is not (Register.FS or Register.GS)
            ? (sbyte)code.MemoryBase.GetNumber() : (sbyte)-1;

    private static bool HasHighByte(in Instruction code)
    {
        for (int i = 0; i < code.OpCount; i++)
        {
            if (code.GetOpKind(i) == OpKind.Register && code.GetOpRegister(i) is >= Register.AH and <= Register.BH)
                return true;
        }

        return false;
    }

    private static void SetFlags(ref GuestInstruction guest)
    {
        ref readonly Instruction code = ref guest.Code;
        switch (guest.Kind)
        {
            // What the interpreter does with the flags, and what the hypervisor shows of them, is not looked into: they leave the block.
            case InstructionKind.Interpret or InstructionKind.SystemCall or InstructionKind.Nothing:
                guest.Reads = guest.Kills = guest.Writes = RflagsBits.None;
                return;
        }

        guest.Reads = guest.Kind == InstructionKind.PushFlags ? Arithmetic : code.RflagsRead & Arithmetic;
        guest.Writes = code.RflagsModified & Arithmetic;
        guest.Kills = guest.Writes & ~guest.Reads;

        // A shift by zero leaves the flags alone.
        if (code.Mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd
            && (code.GetOpKind(code.OpCount - 1) == OpKind.Register || (code.GetImmediate(code.OpCount - 1) & 0x1F) == 0))
        {
            guest.Kills = RflagsBits.None;
        }
    }
}
