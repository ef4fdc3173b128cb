using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>The x87, for the silicon tests.</summary>
internal static class SiliconX87Classes
{
    private static readonly CpuidFeature[] Features = [CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.SSE3, CpuidFeature.CMOV];

    public static IReadOnlyList<SiliconClass> All { get; } =
    [
        new("x87", code => IsX87(code) && !IsTranscendental(code.Mnemonic()) && !IsEnvironment(code.Mnemonic()), 8)
        {
            Prepare = PrepareValues,
            ComparesX87 = true,
            Forgive = SiliconVendors.TinyUnchanged,
        },
        new("x87 transcendental", code => IsX87(code) && IsTranscendental(code.Mnemonic())) { Prepare = PrepareAngles, ComparesX87 = true, Forgive = ForgiveApproximation },
        new("x87 environment", code => IsX87(code) && IsEnvironment(code.Mnemonic())) { Prepare = PrepareEnvironment, ComparesX87 = true },
    ];

    /// <summary>A register that is interesting for arithmetic.</summary>
    public static Float80 Extended(SiliconRandom random)
    {
        ushort sign = (ushort)(random.Below(2) << 15);
        (int exponent, ulong significand) = random.Below(16) switch
        {
            0 => (0, 0ul),
            1 => (0, random.Next() >> 1),
            2 => (0, random.Next() | (1ul << 63)),
            3 => (0x7FFF, 1ul << 63),
            4 => (0x7FFF, random.Next() | (1ul << 63)),
            5 => (random.Below(0x8000), random.Next()),
            6 => (random.Below(70), random.Next() | (1ul << 63)),
            7 => (0x7FFE - random.Below(70), random.Next() | (1ul << 63)),
            8 => (0x3FFF + random.Below(70), (random.Next() << random.Below(63)) | (1ul << 63)),
            9 => (0x3FFF, 1ul << 63),
            10 => (0x3FFF - 1023 - random.Below(60), random.Next() | (1ul << 63)),
            11 => (0x3FFF - 127 - random.Below(30), random.Next() | (1ul << 63)),
            12 => (0x3FFF + random.Below(4), (random.Next() << 50) | (1ul << 63)),
            _ => (0x3FFF - 4 + random.Below(8), random.Next() | (1ul << 63)),
        };
        return new Float80 { Significand = significand, SignExponent = (ushort)(sign | exponent) };
    }

    private static bool IsX87(Code code) =>
        SiliconClass.Needs(code, Features) && code.FlowControl() == FlowControl.Next && code.ToString()[0] is 'F' or 'W' && code.CpuidFeatures()[0] != CpuidFeature.CMOV
        && (code.CpuidFeatures().Contains(CpuidFeature.FPU) || code.ToString().StartsWith('F') || code == Code.Wait)
        && code.Mnemonic() is not (Mnemonic.Frstpm or Mnemonic.Fstdw or Mnemonic.Fstsg or Mnemonic.Fxsave or Mnemonic.Fxrstor)
        && !IsTwoInstructions(code.Mnemonic());

    /// <summary>WAIT and the instruction that does not wait by itself.</summary>
    private static bool IsTwoInstructions(Mnemonic mnemonic) => mnemonic is Mnemonic.Fstcw or Mnemonic.Fstsw or Mnemonic.Fstenv or Mnemonic.Fsave
        or Mnemonic.Fclex or Mnemonic.Finit or Mnemonic.Feni or Mnemonic.Fdisi or Mnemonic.Fsetpm or Mnemonic.Fstdw or Mnemonic.Fstsg;

    private static bool IsTranscendental(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.F2xm1 or Mnemonic.Fyl2x or Mnemonic.Fyl2xp1 or Mnemonic.Fpatan or Mnemonic.Fptan or Mnemonic.Fsin or Mnemonic.Fcos or Mnemonic.Fsincos;

    private static bool IsEnvironment(Mnemonic mnemonic) =>
        mnemonic is Mnemonic.Fldcw or Mnemonic.Fldenv or Mnemonic.Frstor or Mnemonic.Fnstenv or Mnemonic.Fnsave;

    private static bool PrepareValues(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        // Some exceptions are not masked: they wait for the next x87 instruction, which never comes.
        int masks = random.OneIn(3) ? random.Below(64) : 63;
        made.Registers.Fcw = (ushort)(0x40 | masks | (random.Below(4) << 10) | (random.OneIn(2) ? 0x300 : random.Pick(0, 2) << 8));
        made.Registers.Fsw = (ushort)((random.Below(8) << 11) | (random.Below(64) & masks) | ((int)random.Next() & 0x4700));
        made.Registers.Ftw = random.OneIn(6) ? (byte)random.Next() : random.OneIn(2) ? (byte)0xFF : (byte)~(1 << ((((made.Registers.Fsw >> 11) & 7) - 1) & 7));
        for (int i = 0; i < 8; i++)
            made.Registers.X87[i] = Extended(random);
        if (SiliconVectorClasses.TryAddress(made, out ulong address))
        {
            Float80 value = Extended(random);
            bool tens = random.OneIn(2);
            poke(address, made.Instruction.MemorySize switch
            {
                MemorySize.Float32 => SiliconVectorClasses.Single(random),
                MemorySize.Float64 => SiliconVectorClasses.Double(random),
                MemorySize.Float80 => value.Significand,
                MemorySize.Bcd => Decimals(random),
                _ => random.Value(),
            });
            poke(address + 8, tens ? value.SignExponent : Decimals(random));
        }

        return true;
    }

    /// <summary>F2XM1 and FYL2XP1 are undefined beyond small numbers.</summary>
    private static bool PrepareAngles(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        if (!PrepareValues(made, random, poke))
            return false;
        int exponent = made.Registers.X87[(made.Registers.Fsw >> 11) & 7].SignExponent & 0x7FFF;
        return made.Instruction.Mnemonic is not (Mnemonic.F2xm1 or Mnemonic.Fyl2xp1) || exponent < 0x3FFF - 2 || exponent == 0x7FFF;
    }

    private static ulong Decimals(SiliconRandom random)
    {
        ulong digits = 0;
        for (int i = 0; i < 16; i++)
            digits = (digits << 4) | (uint)random.Below(10);
        return digits;
    }

    private static bool PrepareEnvironment(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke)
    {
        if (!PrepareValues(made, random, poke) || !SiliconVectorClasses.TryAddress(made, out ulong address))
            return false;
        if (made.Instruction.Mnemonic is Mnemonic.Fldenv or Mnemonic.Frstor)
        {
            bool narrow = made.Instruction.MemorySize is MemorySize.FpuEnv14 or MemorySize.FpuState94;
            ulong control = 0x40 | (random.Next() & 0xF3F), status = (ulong)random.Below(8) << 11;
            poke(address, narrow ? control | (status << 16) | (random.Next() << 32) : control | (status << 32));
            poke(address + 8, narrow ? 0 : (uint)random.Next());
            poke(address + 16, 0);
            poke(address + 24, 0);
        }

        return true;
    }

    /// <summary>A result may differ in its last digit, and so in the direction of its rounding (C1).</summary>
    private static void ForgiveApproximation(SiliconInstance made, ref RegisterFile interpreted, ref RegisterFile native)
    {
        bool forgiven = false;
        for (int i = 0; i < 8; i++)
        {
            Float80 ours = interpreted.X87[i], theirs = native.X87[i];
            if (AreNeighbours(ours, theirs))
            {
                interpreted.X87[i] = theirs;
                forgiven = true;
            }
        }

        const int C1 = 0x200;
        if (forgiven || (interpreted.Fsw & 0x20) != 0)
            interpreted.Fsw = (ushort)((interpreted.Fsw & ~C1) | (native.Fsw & C1));
        SiliconVendors.TinyLogarithm(made, ref interpreted, ref native);
    }

    /// <summary>Whether no number is between the two: digits and exponent together count up, without the integer bit, which follows from the exponent.</summary>
    private static bool AreNeighbours(Float80 a, Float80 b)
    {
        return ((a.SignExponent ^ b.SignExponent) & 0x8000) == 0 && Int128.Abs(Rank(a) - Rank(b)) == 1;

        static Int128 Rank(Float80 number) => ((Int128)(number.SignExponent & 0x7FFF) << 63) | (number.Significand & (ulong)long.MaxValue);
    }
}
