using Iced.Intel;

namespace Xen.Cpu;

/// <summary>What kind of instruction the host's processor executes for the guest, as far as exceptions go.</summary>
internal enum SiliconKind : byte
{
    /// <summary>None: the interpreter has it itself, or nobody has.</summary>
    None,

    /// <summary>On general registers: no state has to be enabled.</summary>
    General,

    /// <summary>On vector registers, with legacy encoding: #NM, aligned operands; upper halves stay.</summary>
    Vector,

    /// <summary>On vector registers, with VEX encoding: #UD without the AVX state, #NM; upper halves are written.</summary>
    Extended,
}

/// <summary>Which instructions are executed by the host's own processor: those of <see cref="CpuFeatures.OfHost"/> that the interpreter does not have.</summary>
internal static class InstructionSets
{
    private const byte Unknown = 0;

    /// <summary>By <see cref="Code"/>: the kind plus one, once somebody has asked.</summary>
    private static readonly byte[] Kinds = new byte[InstructionTable.CodeCount];

    /// <summary>How an instruction is executed; <see cref="SiliconKind.None"/> for those that need care though the processor has them.</summary>
    public static SiliconKind KindOf(Code code)
    {
        // Several threads find out the same.
        ref byte known = ref Kinds[(int)code];
        if (known == Unknown)
            known = (byte)(Examine(code) + 1);
        return (SiliconKind)(known - 1);
    }

    /// <summary>Whether guests have what a code asks for, beyond what the interpreter implements.</summary>
    public static bool IsOffered(Code code)
    {
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            if (!IsOffered(feature))
                return false;
        }

        return true;
    }

    private static SiliconKind Examine(Code code)
    {
        if (code.IsPrivileged() || code.FlowControl() != FlowControl.Next || !IsOffered(code) || NeedsCare(code.Mnemonic()))
            return SiliconKind.None;
        bool general = true, beyond = false;
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            general &= feature is CpuidFeature.BMI1 or CpuidFeature.BMI2 or CpuidFeature.LZCNT or CpuidFeature.ADX or CpuidFeature.MOVBE
                or CpuidFeature.RDRAND or CpuidFeature.RDSEED;
            beyond |= !IsBaseline(feature);
        }

        return (code.Encoding(), beyond, general) switch
        {
            (EncodingKind.Legacy or EncodingKind.VEX, true, true) => SiliconKind.General,
            (EncodingKind.Legacy, true, false) => SiliconKind.Vector,
            (EncodingKind.VEX, true, false) => SiliconKind.Extended,
            _ => SiliconKind.None,
        };
    }

    /// <summary>Faults element by element, MXCSR.</summary>
    private static bool NeedsCare(Mnemonic mnemonic) => mnemonic is
        Mnemonic.Vmaskmovps or Mnemonic.Vmaskmovpd or Mnemonic.Vpmaskmovd or Mnemonic.Vpmaskmovq or Mnemonic.Vmaskmovdqu
        or Mnemonic.Vpgatherdd or Mnemonic.Vpgatherdq or Mnemonic.Vpgatherqd or Mnemonic.Vpgatherqq
        or Mnemonic.Vgatherdps or Mnemonic.Vgatherdpd or Mnemonic.Vgatherqps or Mnemonic.Vgatherqpd
        or Mnemonic.Vldmxcsr or Mnemonic.Vstmxcsr;

    private static bool IsBaseline(CpuidFeature feature) => feature is CpuidFeature.SSE or CpuidFeature.SSE2 or CpuidFeature.SSE3 or CpuidFeature.SSSE3
        or CpuidFeature.SSE4_1 or CpuidFeature.SSE4_2;

    private static bool IsOffered(CpuidFeature feature)
    {
        CpuFeatures host = CpuFeatures.OfHost;
        return feature switch
        {
            CpuidFeature.MOVBE => host.Has(Leaf1Ecx.Movbe),
            CpuidFeature.PCLMULQDQ => host.Has(Leaf1Ecx.Pclmulqdq),
            CpuidFeature.AES => host.Has(Leaf1Ecx.Aes),
            CpuidFeature.RDRAND => host.Has(Leaf1Ecx.Rdrand),
            CpuidFeature.AVX => host.Has(Leaf1Ecx.Avx),
            CpuidFeature.FMA => host.Has(Leaf1Ecx.Fma),
            CpuidFeature.F16C => host.Has(Leaf1Ecx.F16c),
            CpuidFeature.BMI1 => host.Has(Leaf7Ebx.Bmi1),
            CpuidFeature.BMI2 => host.Has(Leaf7Ebx.Bmi2),
            CpuidFeature.AVX2 => host.Has(Leaf7Ebx.Avx2),
            CpuidFeature.ADX => host.Has(Leaf7Ebx.Adx),
            CpuidFeature.RDSEED => host.Has(Leaf7Ebx.Rdseed),
            CpuidFeature.SHA => host.Has(Leaf7Ebx.Sha),
            CpuidFeature.GFNI => host.Has(Leaf7Ecx.Gfni),
            CpuidFeature.VAES => host.Has(Leaf7Ecx.Vaes),
            CpuidFeature.VPCLMULQDQ => host.Has(Leaf7Ecx.Vpclmulqdq),
            CpuidFeature.LZCNT => host.Has(Extended1Ecx.Abm),
            _ => IsBaseline(feature),
        };
    }
}
