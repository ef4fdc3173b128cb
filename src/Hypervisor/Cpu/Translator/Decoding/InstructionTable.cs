using Iced.Intel;

namespace Xen.Cpu;

/// <summary>What holds of an instruction's code, whatever its operands are.</summary>
internal static class InstructionTable
{
    /// <summary>How many codes there are; a test looks whether this still is the last.</summary>
    public const int CodeCount = (int)Code.VEX_Vsm3rnds2_xmm_xmm_xmmm128_imm8 + 1;

    private const byte Unknown = 0, No = 1, Yes = 2;

    /// <summary>By <see cref="Code"/>: whether the instruction may be re-encoded, once somebody has asked.</summary>
    private static readonly byte[] Plain = new byte[CodeCount];

    /// <summary>Whether the instruction, which is one of 64-bit code, stays what it is with other registers and another memory operand.</summary>
    public static bool IsPlain(Code code)
    {
        // Several threads find out the same.
        ref byte known = ref Plain[(int)code];
        if (known == Unknown)
            known = Examine(code) ? Yes : No;
        return known == Yes;
    }

    /// <summary>
    /// Other codes for what the host would take for something else, or has no general form of: TZCNT and LZCNT are BSF and BSR to a guest whose
    /// processor does not have them; moves to and from absolute addresses.
    /// </summary>
    public static Code Substitute(Code code) => InstructionSets.KindOf(code) == SiliconKind.General ? code : code switch
    {
        Code.Tzcnt_r16_rm16 => Code.Bsf_r16_rm16,
        Code.Tzcnt_r32_rm32 => Code.Bsf_r32_rm32,
        Code.Tzcnt_r64_rm64 => Code.Bsf_r64_rm64,
        Code.Lzcnt_r16_rm16 => Code.Bsr_r16_rm16,
        Code.Lzcnt_r32_rm32 => Code.Bsr_r32_rm32,
        Code.Lzcnt_r64_rm64 => Code.Bsr_r64_rm64,
        Code.Mov_AL_moffs8 => Code.Mov_r8_rm8,
        Code.Mov_AX_moffs16 => Code.Mov_r16_rm16,
        Code.Mov_EAX_moffs32 => Code.Mov_r32_rm32,
        Code.Mov_RAX_moffs64 => Code.Mov_r64_rm64,
        Code.Mov_moffs8_AL => Code.Mov_rm8_r8,
        Code.Mov_moffs16_AX => Code.Mov_rm16_r16,
        Code.Mov_moffs32_EAX => Code.Mov_rm32_r32,
        Code.Mov_moffs64_RAX => Code.Mov_rm64_r64,
        _ => code,
    };

    private static bool Examine(Code code)
    {
        if (InstructionSets.KindOf(code) != SiliconKind.None)
            return code.Mnemonic() is not (Mnemonic.Rdrand or Mnemonic.Rdseed); // never the same twice
        if (code.Encoding() != EncodingKind.Legacy || code.IsPrivileged() || code.IsStackInstruction() || code.FlowControl() != FlowControl.Next)
        {
            return false;
        }

        if (Substitute(code) != code)
            return false;
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            if (feature is not (CpuidFeature.INTEL8086 or CpuidFeature.INTEL186 or CpuidFeature.INTEL386 or CpuidFeature.INTEL486 or CpuidFeature.X64 or CpuidFeature.CMOV
                or CpuidFeature.SSE or CpuidFeature.SSE2 or CpuidFeature.SSE3 or CpuidFeature.SSSE3 or CpuidFeature.SSE4_1 or CpuidFeature.SSE4_2
                or CpuidFeature.POPCNT or CpuidFeature.CX8 or CpuidFeature.CMPXCHG16B or CpuidFeature.PAUSE))
            {
                return false;
            }
        }

        return code.Mnemonic() is not (
            Mnemonic.Lodsb or Mnemonic.Lodsw or Mnemonic.Lodsd or Mnemonic.Lodsq or Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq
            or Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsq or Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsq
            or Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq or Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd or Mnemonic.Outsb or Mnemonic.Outsw or Mnemonic.Outsd
            or Mnemonic.Xlatb or Mnemonic.Maskmovq or Mnemonic.Maskmovdqu or Mnemonic.Ldmxcsr or Mnemonic.Stmxcsr or Mnemonic.Cpuid
            or Mnemonic.In or Mnemonic.Out or Mnemonic.Cli or Mnemonic.Sti or Mnemonic.Cld or Mnemonic.Std or Mnemonic.Hlt or Mnemonic.Wait
            or Mnemonic.Lar or Mnemonic.Lsl or Mnemonic.Verr or Mnemonic.Verw or Mnemonic.Str or Mnemonic.Sldt or Mnemonic.Smsw or Mnemonic.Sgdt or Mnemonic.Sidt
            or Mnemonic.Lfs or Mnemonic.Lgs or Mnemonic.Lss or Mnemonic.Enter or Mnemonic.Invd or Mnemonic.Wbinvd or Mnemonic.Invlpg or Mnemonic.Rsm or Mnemonic.Ud0 or Mnemonic.Ud1 or Mnemonic.Ud2
            or Mnemonic.INVALID or Mnemonic.Db or Mnemonic.Dw or Mnemonic.Dd or Mnemonic.Dq or Mnemonic.Div or Mnemonic.Idiv or Mnemonic.Lea
            or Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc)
            && !IsOtherForm(code) || IsRegisterBitTest(code);
    }

    private static bool IsOtherForm(Code code) => code is Code.Movsd_m32_m32 or Code.Cmpsd_m32_m32;

    /// <summary>Bit tests whose memory operand, if they have one, is where its address says: the bit number is a constant.</summary>
    private static bool IsRegisterBitTest(Code code) => code is
        Code.Bt_rm16_imm8 or Code.Bt_rm32_imm8 or Code.Bt_rm64_imm8 or Code.Bts_rm16_imm8 or Code.Bts_rm32_imm8 or Code.Bts_rm64_imm8
        or Code.Btr_rm16_imm8 or Code.Btr_rm32_imm8 or Code.Btr_rm64_imm8 or Code.Btc_rm16_imm8 or Code.Btc_rm32_imm8 or Code.Btc_rm64_imm8
        or Code.Bt_rm16_r16 or Code.Bt_rm32_r32 or Code.Bt_rm64_r64 or Code.Bts_rm16_r16 or Code.Bts_rm32_r32 or Code.Bts_rm64_r64
        or Code.Btr_rm16_r16 or Code.Btr_rm32_r32 or Code.Btr_rm64_r64 or Code.Btc_rm16_r16 or Code.Btc_rm32_r32 or Code.Btc_rm64_r64;
}
