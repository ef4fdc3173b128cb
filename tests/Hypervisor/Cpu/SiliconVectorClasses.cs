using System.Runtime.Intrinsics;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>SSE and MMX instructions, for the silicon tests.</summary>
internal static class SiliconVectorClasses
{
    private const uint Masked = 0x1F80;

    private static readonly CpuidFeature[] Features =
    [
        CpuidFeature.MMX, CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.FXSR, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2,
    ];

    public static IReadOnlyList<SiliconClass> All { get; } =
    [
        new("string comparisons", code => IsVector(code) && IsString(code.Mnemonic()), 2) { Prepare = PrepareStrings },
        new("vectors", code => IsVector(code) && !IsFloat(code) && !IsString(code.Mnemonic()), 6) { Prepare = PrepareVector, ComparesX87 = true },
        new("floats", code => IsVector(code) && IsFloat(code), 4) { Prepare = PrepareFloats, ComparesX87 = true, Forgive = SiliconVendors.NaNOfDotProduct },
        new("floats with control", code => IsVector(code) && IsFloat(code), 8) { Prepare = PrepareControl, ComparesX87 = true, Forgive = SiliconVendors.NaNOfDotProduct },
        new("state images", code => code.Mnemonic() is Mnemonic.Fxsave or Mnemonic.Fxsave64 or Mnemonic.Fxrstor or Mnemonic.Fxrstor64)
        {
            Prepare = PrepareImage,
            Forgive = SiliconVendors.MisalignedMode,
        },
    ];

    /// <summary>A number of 32 bits that is interesting for floating-point arithmetic.</summary>
    public static uint Single(SiliconRandom random)
    {
        uint sign = (uint)random.Below(2) << 31;
        return sign | random.Below(12) switch
        {
            0 => random.Pick<uint>(0, 1, 0x7F_FFFF, 0x80_0000, 0x80_0001, 0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001, 0x7FC0_0000, 0x7FFF_FFFF),
            1 => 0,
            2 => (uint)random.Next() & 0x7F_FFFF,
            3 => BitConverter.SingleToUInt32Bits(random.Below(1000)),
            4 => BitConverter.SingleToUInt32Bits(random.Below(1000) + 0.5f),
            5 => (uint)random.Next() & 0x7FFF_FFFF,
            6 => 0x4E80_0000 + ((uint)random.Next() & 0x1FF_FFFF),
            7 => (uint)random.Below(3) << 23 | ((uint)random.Next() & 0x7F_FFFF),
            8 => 0x3F80_0000 | ((uint)random.Next() & 0xF0),
            _ => 0x3D00_0000 + ((uint)random.Next() & 0x7FF_FFFF),
        };
    }

    /// <summary>As <see cref="Single"/>, of 64 bits.</summary>
    public static ulong Double(SiliconRandom random)
    {
        ulong sign = (ulong)random.Below(2) << 63;
        return sign | random.Below(13) switch
        {
            0 => random.Pick<ulong>(0, 1, 0xF_FFFF_FFFF_FFFF, 0x10_0000_0000_0000, 0x10_0000_0000_0001, 0x7FEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0001, 0x7FF8_0000_0000_0000),
            1 => 0,
            2 => random.Next() & 0xF_FFFF_FFFF_FFFF,
            3 => BitConverter.DoubleToUInt64Bits(random.Below(1000)),
            4 => BitConverter.DoubleToUInt64Bits(random.Below(1000) + 0.5),
            5 => random.Next() & long.MaxValue,
            6 => BitConverter.DoubleToUInt64Bits(2147483647.0 + random.Below(4) - 1.5),
            7 => BitConverter.DoubleToUInt64Bits(9223372036854775807.0) + (ulong)random.Below(5) - 2,
            8 => (ulong)random.Below(3) << 52 | (random.Next() & 0xF_FFFF_FFFF_FFFF),
            9 => BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle(Single(random) & 0x7FFF_FFFF)),
            10 => 0x3800_0000_0000_0000 + (random.Next() & 0x3F_FFFF_FFFF_FFFF),
            _ => 0x3FE0_0000_0000_0000 + (random.Next() & 0x3F_FFFF_FFFF_FFFF),
        };
    }

    /// <summary>The address of the memory operand, if there is one.</summary>
    public static bool TryAddress(SiliconInstance made, out ulong address)
    {
        address = 0;
        for (int i = 0; i < made.Instruction.OpCount; i++)
        {
            if (made.Instruction.GetOpKind(i) == OpKind.Memory)
            {
                address = made.Instruction.GetVirtualAddress(i, 0, (register, _, _) => register switch
                {
                    Register.GS => SiliconProcessor.GsBase,
                    >= Register.EAX and <= Register.R15D => (uint)made.Registers.Gpr[register - Register.EAX],
                    >= Register.RAX and <= Register.R15 => made.Registers.Gpr[register - Register.RAX],
                    _ => 0,
                });
                return true;
            }
        }

        return false;
    }

    /// <summary>Random registers of the x87, as MMX registers or not.</summary>
    public static void FillX87(SiliconInstance made, SiliconRandom random)
    {
        made.Registers.Fsw = (ushort)(random.Below(8) << 11);
        made.Registers.Ftw = random.OneIn(2) ? (byte)0xFF : (byte)random.Next();
        for (int i = 0; i < 8; i++)
            made.Registers.X87[i] = new Float80 { Significand = random.Value(), SignExponent = (ushort)(random.OneIn(2) ? 0xFFFF : random.Next()) };
    }

    private static bool IsVector(Code code) =>
        SiliconClass.Needs(code, Features) && code.FlowControl() == FlowControl.Next
        && code.Mnemonic() is not (Mnemonic.Fxsave or Mnemonic.Fxsave64 or Mnemonic.Fxrstor or Mnemonic.Fxrstor64 or Mnemonic.Fisttp);

    private static bool IsString(Mnemonic mnemonic) => mnemonic is Mnemonic.Pcmpistri or Mnemonic.Pcmpistrm or Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm
        or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64;

    private static bool IsFloat(Code code)
    {
        string name = code.Mnemonic().ToString();
        return code.Mnemonic() is not (Mnemonic.Movss or Mnemonic.Movsd or Mnemonic.Movups or Mnemonic.Movaps or Mnemonic.Movhps or Mnemonic.Movlps)
            && (name.EndsWith("ps", StringComparison.Ordinal) || name.EndsWith("pd", StringComparison.Ordinal) || name.EndsWith("ss", StringComparison.Ordinal)
                || name.EndsWith("sd", StringComparison.Ordinal) || name.StartsWith("Cvt", StringComparison.Ordinal));
    }

    private static bool PrepareVector(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        FillX87(made, random);

        // Shift counts that are not all too large.
        if (random.OneIn(2))
        {
            int small = random.Below(16);
            made.Registers.Xmm[small] = Vector128.Create((ulong)random.Below(70), random.Value()).AsByte();
            made.Registers.X87[small & 7].Significand = (ulong)random.Below(70);
        }

        if (made.Instruction.Mnemonic is Mnemonic.Maskmovdqu or Mnemonic.Maskmovq)
            made.Registers.Gpr[7] = SiliconGenerator.DataStart + 0x1000 + (ulong)random.Below(0x1000) - (made.Instruction.SegmentPrefix == Register.GS ? SiliconProcessor.GsBase : 0);
        if (made.Instruction.Mnemonic == Mnemonic.Ldmxcsr && TryAddress(made, out ulong address))
            poke(address, Control(random));
        return true;
    }

    /// <summary>Strings of few letters, and lengths about those of a vector.</summary>
    private static bool PrepareStrings(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        for (int i = 0; i < 16; i++)
            made.Registers.Xmm[i] = Vector128.Create(Letters(random), Letters(random)).AsByte();
        bool free = !UsesLengths(made.Instruction.MemoryBase) && !UsesLengths(made.Instruction.MemoryIndex);
        if (free && !random.OneIn(4))
        {
            made.Registers.Gpr[0] = (ulong)(random.Below(40) - 20);
            made.Registers.Gpr[2] = (ulong)(random.Below(40) - 20);
        }

        if (TryAddress(made, out ulong address))
        {
            poke(address, Letters(random));
            poke(address + 8, Letters(random));
        }

        return true;
    }

    private static bool UsesLengths(Register register) => register != Register.None && register.GetFullRegister() is Register.RAX or Register.RDX;

    private static ulong Letters(SiliconRandom random)
    {
        ulong letters = 0;
        int kinds = random.Pick(2, 4, 8);
        for (int i = 0; i < 8; i++)
            letters = (letters << 8) | (random.OneIn(10) ? 0ul : random.OneIn(10) ? 0x80 + (ulong)random.Below(3) : 1 + (ulong)random.Below(kinds));
        return letters;
    }

    private static bool PrepareFloats(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        FillX87(made, random);
        for (int i = 0; i < 16; i++)
            made.Registers.Xmm[i] = Vector128.Create(Pair(random), Pair(random)).AsByte();
        if (TryAddress(made, out ulong address))
        {
            poke(address, Pair(random));
            poke(address + 8, Pair(random));
        }

        return true;
    }

    private static bool PrepareControl(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        made.Registers.Mxcsr = Control(random);
        return PrepareFloats(made, random, poke);
    }

    /// <summary>An MXCSR with all exceptions masked: the process would not survive one.</summary>
    private static uint Control(SiliconRandom random) =>
        Masked | (random.OneIn(4) ? 0x20u : (uint)random.Next() & 0x3F) | ((uint)random.Next() & (random.OneIn(2) ? 0x6000u : 0xE040u));

    private static ulong Pair(SiliconRandom random) =>
        random.OneIn(2) ? Double(random) : Single(random) | ((ulong)Single(random) << 32);

    private static bool PrepareImage(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        FillX87(made, random);
        if (!TryAddress(made, out ulong address) || address > SiliconGenerator.DataStart + SiliconGenerator.DataSize - 512)
            return false;
        if (made.Instruction.Mnemonic is Mnemonic.Fxrstor or Mnemonic.Fxrstor64)
        {
            poke(address, 0x37F | ((ulong)random.Below(8) << 27) | ((random.Next() & 0xFF) << 32));
            poke(address + 8, 0);
            poke(address + 16, 0);
            poke(address + 24, Control(random));
        }

        return true;
    }
}
