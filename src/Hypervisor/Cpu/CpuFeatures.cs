namespace Xen.Cpu;

/// <summary>
/// What an instruction set is, as CPUID reports it: feature words of the leaves that list instructions. The CPUID policy of a
/// domain offers at most these bits; an instruction that no engine has raises #UD (or is executed as the hint it is on older processors).
/// </summary>
/// <param name="Leaf1Edx">Leaf 1, edx.</param>
/// <param name="Leaf1Ecx">Leaf 1, ecx.</param>
/// <param name="Leaf7Ebx">Leaf 7, subleaf 0, ebx.</param>
/// <param name="Leaf7Ecx">Leaf 7, subleaf 0, ecx.</param>
/// <param name="LeafDEax">Leaf 0xD, subleaf 1, eax.</param>
/// <param name="Extended1Edx">Leaf 0x80000001, edx, without the bits that repeat leaf 1.</param>
/// <param name="Extended1Ecx">Leaf 0x80000001, ecx.</param>
public sealed partial record CpuFeatures(
    Leaf1Edx Leaf1Edx,
    Leaf1Ecx Leaf1Ecx,
    Leaf7Ebx Leaf7Ebx,
    Leaf7Ecx Leaf7Ecx,
    LeafDEax LeafDEax,
    Extended1Edx Extended1Edx,
    Extended1Ecx Extended1Ecx)
{
    private static readonly Lazy<CpuFeatures> Host = new(static () => HostFeatures.AddTo(Portable!));

    /// <summary>What <see cref="Cpu.Interpreter"/> implements by itself: on every host the same.</summary>
    public static CpuFeatures Portable { get; } = new(
        Leaf1Edx.Fpu | Leaf1Edx.Tsc | Leaf1Edx.Msr | Leaf1Edx.Pae | Leaf1Edx.Cx8 | Leaf1Edx.Cmov | Leaf1Edx.Pat | Leaf1Edx.Clfsh
            | Leaf1Edx.Mmx | Leaf1Edx.Fxsr | Leaf1Edx.Sse | Leaf1Edx.Sse2,
        Leaf1Ecx.Sse3 | Leaf1Ecx.Ssse3 | Leaf1Ecx.Cx16 | Leaf1Ecx.Sse41 | Leaf1Ecx.Sse42 | Leaf1Ecx.Popcnt,
        Leaf7Ebx.Erms | Leaf7Ebx.FpuSelectorsAbsent,
        Leaf7Ecx.None,
        LeafDEax.None,
        Extended1Edx.Syscall | Extended1Edx.Nx | Extended1Edx.Lm,
        Extended1Ecx.LahfSahf | Extended1Ecx.Prefetchw);

    /// <summary>What all engines implement on this host: <see cref="Portable"/>, and what the host's processor can execute for them.</summary>
    public static CpuFeatures OfHost => Host.Value;

    /// <summary>Size of a cache line that CLFLUSH flushes, for bits 15:8 of leaf 1's ebx. <b>Units</b>: 8 bytes.</summary>
    public const int ClflushLineSize = 8;

    public bool Has(Leaf1Ecx feature) => (Leaf1Ecx & feature) == feature;

    public bool Has(Leaf7Ebx feature) => (Leaf7Ebx & feature) == feature;

    public bool Has(Leaf7Ecx feature) => (Leaf7Ecx & feature) == feature;

    public bool Has(Extended1Ecx feature) => (Extended1Ecx & feature) == feature;
}
