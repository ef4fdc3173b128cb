using System.Globalization;
using System.Numerics;

namespace Xen.Core;

/// <summary>A set of physical CPUs, 0 to 63: a bit for each.</summary>
public readonly record struct CpuSet(ulong Bits)
{
    /// <summary>The most physical CPUs that a machine may have.</summary>
    public const int MaxCpus = 64;

    /// <summary>Any physical CPU.</summary>
    public static readonly CpuSet All = new(ulong.MaxValue);

    public bool IsEmpty => Bits == 0;

    public int Count => BitOperations.PopCount(Bits);

    /// <summary>The set of one.</summary>
    public static CpuSet Of(int cpu) => new(1ul << cpu);

    /// <summary>The CPUs from 0 to <paramref name="count"/> - 1.</summary>
    public static CpuSet First(int count) => new(count >= MaxCpus ? ulong.MaxValue : (1ul << count) - 1);

    public bool Contains(int cpu) => ((Bits >> cpu) & 1) != 0;

    /// <summary>What is in both.</summary>
    public CpuSet Intersect(CpuSet other) => new(Bits & other.Bits);

    public override string ToString() => this == All ? "all" : Bits.ToString("x", CultureInfo.InvariantCulture);
}
