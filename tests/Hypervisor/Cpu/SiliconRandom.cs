namespace Xen.Cpu.Tests;

/// <summary>Random values as test material: reproducible from a seed, and often the interesting ones.</summary>
internal sealed class SiliconRandom(ulong seed)
{
    private ulong _state = seed * 0x9E37_79B9_7F4A_7C15 + 0x1234_5678_9ABC_DEF1;

    /// <summary>SplitMix64.</summary>
    public ulong Next()
    {
        ulong z = _state += 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }

    /// <summary>0 to <paramref name="limit"/> - 1.</summary>
    public int Below(int limit) => (int)(Next() % (ulong)limit);

    public bool OneIn(int chances) => Below(chances) == 0;

    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    /// <summary>A value in which carries, signs and boundaries are more frequent than chance has them.</summary>
    public ulong Value() => Below(8) switch
    {
        0 => Pick<ulong>(0, 1, ulong.MaxValue, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, long.MaxValue, 1ul << 63),
        1 => Next() >> Below(64),
        2 => ~(Next() >> Below(64)),
        3 => (ulong)Below(70),
        4 => 1ul << Below(64),
        _ => Next(),
    };
}
