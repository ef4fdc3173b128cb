using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>The integer instructions, for the silicon tests.</summary>
internal static class SiliconIntegerClasses
{
    private static readonly CpuidFeature[] Features =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.POPCNT, CpuidFeature.MULTIBYTENOP,
    ];

    public static IReadOnlyList<SiliconClass> All { get; } =
    [
        new("arithmetic", code => IsPlain(code) && !IsSpecial(code), 4),
        new("shifts", code => IsPlain(code) && IsShift(code.Mnemonic()), 3) { Prepare = PrepareShift, Forgive = SiliconVendors.FullRotation },
        new("division", code => code.Mnemonic() is Mnemonic.Div or Mnemonic.Idiv) { Prepare = PrepareDivision },
        new("bits", code => IsPlain(code) && IsBit(code.Mnemonic()), 2) { Prepare = PrepareBits },
        new("strings", code => IsPlain(code) && code.IsStringInstruction(), 2) { Prepare = PrepareString },
        new("stack", code => IsPlain(code) && code.ToOpCode().IsStackInstruction && code.ToOpCode().Op0Kind is not (OpCodeOperandKind.fs or OpCodeOperandKind.gs))
        {
            Prepare = PrepareStack,
        },
        new("exchanges", code => code.Mnemonic() is Mnemonic.Cmpxchg or Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b or Mnemonic.Xadd or Mnemonic.Xchg)
        {
            Prepare = PrepareExchange,
        },
        new("pairs", code => IsPlain(code) && code.Mnemonic() is Mnemonic.Cmp or Mnemonic.Test or Mnemonic.Add or Mnemonic.Sub or Mnemonic.And or Mnemonic.Inc or Mnemonic.Dec, 2)
        {
            FollowedByJump = true,
        },
        new("branches", IsBranch) { Prepare = PrepareBranch },
    ];

    private static bool IsPlain(Code code) =>
        SiliconClass.Needs(code, Features) && code.FlowControl() == FlowControl.Next && code.Mnemonic() is not (
            Mnemonic.Lar or Mnemonic.Lsl or Mnemonic.Verr or Mnemonic.Verw or Mnemonic.Lss or Mnemonic.Lfs or Mnemonic.Lgs
            or Mnemonic.Sgdt or Mnemonic.Sidt or Mnemonic.Sldt or Mnemonic.Str or Mnemonic.Smsw or Mnemonic.Wait)
        && !code.ToString().Contains("Sreg", StringComparison.Ordinal)
        && code != Code.Bswap_r16;

    private static bool IsSpecial(Code code) =>
        IsShift(code.Mnemonic()) || IsBit(code.Mnemonic()) || code.IsStringInstruction() || code.ToOpCode().IsStackInstruction
        || code.Mnemonic() is Mnemonic.Div or Mnemonic.Idiv or Mnemonic.Cmpxchg or Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b or Mnemonic.Xadd or Mnemonic.Xchg
        || code is Code.Xlat_m8;

    private static bool IsShift(Mnemonic mnemonic) => mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror
        or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd;

    private static bool IsBit(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc or Mnemonic.Bsf or Mnemonic.Bsr or Mnemonic.Xlatb;

    private static bool IsBranch(Code code) => code.Mnemonic() != Mnemonic.Xbegin && (code.IsJccShortOrNear() || code.IsLoop() || code.IsLoopcc() || code.IsJcxShort()
        || code is Code.Jmp_rel8_64 or Code.Jmp_rel32_64 or Code.Call_rel32_64 or Code.Jmp_rm64 or Code.Call_rm64 or Code.Retnq or Code.Retnq_imm16)
        && code.ToOpCode().Op0Kind is not (OpCodeOperandKind.br16_1 or OpCodeOperandKind.br16_2 or OpCodeOperandKind.br32_1 or OpCodeOperandKind.br32_4)
        && !code.ToString().Contains("_CX", StringComparison.Ordinal);

    /// <summary>Double shifts of 16 bits by more than 16 are undefined.</summary>
    private static bool PrepareShift(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        bool undefined = made.Instruction.Mnemonic is Mnemonic.Shld or Mnemonic.Shrd && made.Instruction.Op1Register.GetSize() == 2;
        int count = made.Instruction.OpCount == 3 && made.Instruction.Op2Kind != OpKind.Register ? made.Instruction.Immediate8 : (int)made.Registers.Gpr[1];
        return !undefined || (count & 31) <= 16;
    }

    private static bool PrepareDivision(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        // Mostly quotients that fit: a high half that is small, or the sign.
        if (!random.OneIn(8))
            made.Registers.Gpr[2] = random.OneIn(2) ? (ulong)random.Below(3) : (ulong)((long)made.Registers.Gpr[0] >> 63);
        return !Uses(in made.Instruction, Register.RDX) && !Uses(in made.Instruction, Register.RAX);
    }

    /// <summary>Bit offsets in registers reach far: here a page or so. XLATB's base is in the data.</summary>
    private static bool PrepareBits(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        if (made.Instruction.Mnemonic == Mnemonic.Xlatb)
        {
            made.Registers.Gpr[3] = SiliconGenerator.DataStart + (ulong)random.Below(0x2000);
            if (made.Instruction.SegmentPrefix == Register.GS)
                made.Registers.Gpr[3] -= SiliconProcessor.GsBase;
        }
        else if (made.Instruction.Op0Kind == OpKind.Memory && made.Instruction.Op1Kind == OpKind.Register)
        {
            Register offset = made.Instruction.Op1Register.GetFullRegister();
            if (offset == made.Instruction.MemoryBase.GetFullRegister() || offset == made.Instruction.MemoryIndex.GetFullRegister())
                return false;
            ulong junk = made.Instruction.Op1Register.GetSize() == 4 ? random.Next() << 32 : 0;
            made.Registers.Gpr[offset.GetNumber()] = junk ^ (uint)(random.Below(0x4000) - 0x2000);
            if (made.Instruction.Op1Register.GetSize() == 8)
                made.Registers.Gpr[offset.GetNumber()] = (ulong)(long)(random.Below(0x4000) - 0x2000);
        }

        return true;
    }

    private static bool PrepareString(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        ref RegisterFile r = ref made.Registers;
        r.Gpr[1] = random.OneIn(16) ? (ulong)random.Below(600) : (ulong)random.Below(12);
        r.Gpr[6] = SiliconGenerator.DataStart + 0x1400 + (ulong)random.Below(0x1400);
        r.Gpr[7] = random.OneIn(3) ? r.Gpr[6] + (ulong)random.Below(20) - 10 : SiliconGenerator.DataStart + 0x1400 + (ulong)random.Below(0x1400);
        if (made.Instruction.SegmentPrefix == Register.GS)
            r.Gpr[6] -= SiliconProcessor.GsBase;
        if (random.OneIn(3))
            r.Rflags |= 0x400;

        // Something to find, and something that is equal for a while.
        if (random.OneIn(2))
        {
            ulong value = random.Value();
            for (ulong i = 0; i < 64; i += 8)
            {
                poke(SiliconGenerator.DataStart + 0x2000 + i, value);
                poke(SiliconGenerator.DataStart + 0x2100 + i, value);
            }

            r.Gpr[0] = value;
            r.Gpr[7] = SiliconGenerator.DataStart + 0x2008 + (ulong)(random.Below(4) * 8);
            if (made.Instruction.SegmentPrefix != Register.GS)
                r.Gpr[6] = SiliconGenerator.DataStart + 0x2108 + (ulong)(random.Below(4) * 8);
        }

        return true;
    }

    private static bool PrepareStack(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        // What POPF must not get: TF, IF, IOPL, NT, AC and the reserved bits.
        if (made.Instruction.Mnemonic is Mnemonic.Popf or Mnemonic.Popfq)
            poke(made.Registers.Gpr[4], random.Next() & 0x20_0CD5);
        if (made.Instruction.Mnemonic is Mnemonic.Enter or Mnemonic.Leave)
            made.Registers.Gpr[5] = SiliconGenerator.StackMiddle + 0x100 + (ulong)random.Below(0x100);
        return true;
    }

    private static bool PrepareExchange(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        ref RegisterFile r = ref made.Registers;
        if (made.Instruction.Op0Kind == OpKind.Memory && made.Instruction.Mnemonic != Mnemonic.Xchg && random.OneIn(2)
            && !Uses(in made.Instruction, Register.RAX) && !Uses(in made.Instruction, Register.RDX))
        {
            // What CMPXCHG expects is there.
            ulong address = made.MemoryAddress;
            poke(address, r.Gpr[0]);
            if (made.Instruction.Mnemonic == Mnemonic.Cmpxchg8b)
                poke(address, (uint)r.Gpr[0] | (r.Gpr[2] << 32));
            else if (made.Instruction.Mnemonic == Mnemonic.Cmpxchg16b)
                poke(address + 8, r.Gpr[2]);
        }
        else if (made.Instruction.Op0Kind == OpKind.Register && random.OneIn(2))
        {
            r.Gpr[made.Instruction.Op0Register.GetFullRegister().GetNumber()] = r.Gpr[0];
        }

        return true;
    }

    private static bool PrepareBranch(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        if (random.OneIn(3))
            made.Registers.Gpr[1] = random.Pick(0ul, 1ul, 1ul << 32, 0x1_0000_0001ul);
        if (made.Instruction.Mnemonic == Mnemonic.Ret)
            poke(made.Registers.Gpr[4], made.BranchTarget);
        else if (made.Instruction.Op0Kind == OpKind.Register)
            made.Registers.Gpr[made.Instruction.Op0Register.GetNumber()] = made.BranchTarget;
        else if (made.Instruction.Op0Kind == OpKind.Memory && !Uses(in made.Instruction, Register.RCX))
            poke(made.MemoryAddress, made.BranchTarget);
        else
            return made.Instruction.Op0Kind != OpKind.Memory;
        return true;
    }

    private static bool Uses(in Instruction instruction, Register register) =>
        instruction.MemoryBase.GetFullRegister() == register || instruction.MemoryIndex.GetFullRegister() == register;
}
