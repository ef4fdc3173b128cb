namespace Xen.Cpu;

/// <summary>
/// What an engine's instruction set is, as CPUID reports it: feature words of the leaves that list instructions. The CPUID policy of a
/// domain offers at most these bits; an instruction whose bit is clear raises #UD (or is executed as the hint it is on older processors).
/// </summary>
/// <param name="Leaf1Edx">Leaf 1, edx.</param>
/// <param name="Leaf1Ecx">Leaf 1, ecx.</param>
/// <param name="Leaf7Ebx">Leaf 7, subleaf 0, ebx.</param>
/// <param name="Extended1Edx">Leaf 0x80000001, edx, without the bits that repeat leaf 1.</param>
/// <param name="Extended1Ecx">Leaf 0x80000001, ecx.</param>
public sealed record CpuFeatures(
    Leaf1Edx Leaf1Edx,
    Leaf1Ecx Leaf1Ecx,
    Leaf7Ebx Leaf7Ebx,
    Extended1Edx Extended1Edx,
    Extended1Ecx Extended1Ecx)
{
    /// <summary>What <see cref="Cpu.Interpreter"/> implements.</summary>
    public static CpuFeatures Interpreter { get; } = new(
        Leaf1Edx.Fpu | Leaf1Edx.Tsc | Leaf1Edx.Msr | Leaf1Edx.Pae | Leaf1Edx.Cx8 | Leaf1Edx.Cmov | Leaf1Edx.Pat | Leaf1Edx.Clfsh
            | Leaf1Edx.Mmx | Leaf1Edx.Fxsr | Leaf1Edx.Sse | Leaf1Edx.Sse2,
        Leaf1Ecx.Sse3 | Leaf1Ecx.Ssse3 | Leaf1Ecx.Cx16 | Leaf1Ecx.Sse41 | Leaf1Ecx.Sse42 | Leaf1Ecx.Popcnt,
        Leaf7Ebx.Erms | Leaf7Ebx.FpuSelectorsAbsent,
        Extended1Edx.Syscall | Extended1Edx.Nx | Extended1Edx.Lm,
        Extended1Ecx.LahfSahf | Extended1Ecx.Prefetchw);

    /// <summary>Size of a cache line that CLFLUSH flushes, for bits 15:8 of leaf 1's ebx. <b>Units</b>: 8 bytes.</summary>
    public const int ClflushLineSize = 8;
}

/// <summary>CPUID leaf 1, edx.</summary>
[Flags]
public enum Leaf1Edx : uint
{
    None = 0,
    Fpu = 1u << 0,
    Tsc = 1u << 4,
    Msr = 1u << 5,
    Pae = 1u << 6,
    Cx8 = 1u << 8,
    Cmov = 1u << 15,
    Pat = 1u << 16,
    Clfsh = 1u << 19,
    Mmx = 1u << 23,
    Fxsr = 1u << 24,
    Sse = 1u << 25,
    Sse2 = 1u << 26,
}

/// <summary>CPUID leaf 1, ecx.</summary>
[Flags]
public enum Leaf1Ecx : uint
{
    None = 0,
    Sse3 = 1u << 0,
    Pclmulqdq = 1u << 1,
    Ssse3 = 1u << 9,
    Cx16 = 1u << 13,
    Sse41 = 1u << 19,
    Sse42 = 1u << 20,
    Movbe = 1u << 22,
    Popcnt = 1u << 23,
    Rdrand = 1u << 30,

    /// <summary>Not an instruction set: a hypervisor is present.</summary>
    Hypervisor = 1u << 31,
}

/// <summary>CPUID leaf 7, subleaf 0, ebx.</summary>
[Flags]
public enum Leaf7Ebx : uint
{
    None = 0,
    FsGsBase = 1u << 0,
    Bmi1 = 1u << 3,
    Bmi2 = 1u << 8,

    /// <summary>Fast REP MOVSB and STOSB.</summary>
    Erms = 1u << 9,

    /// <summary>Not an instruction set: the x87 saves its code and data selectors as 0.</summary>
    FpuSelectorsAbsent = 1u << 13,
    Rdseed = 1u << 18,
    Adx = 1u << 19,
    Clflushopt = 1u << 23,
    Clwb = 1u << 24,
}

/// <summary>CPUID leaf 0x80000001, edx.</summary>
[Flags]
public enum Extended1Edx : uint
{
    None = 0,
    Syscall = 1u << 11,
    Nx = 1u << 20,
    Rdtscp = 1u << 27,

    /// <summary>Long mode.</summary>
    Lm = 1u << 29,
}

/// <summary>CPUID leaf 0x80000001, ecx.</summary>
[Flags]
public enum Extended1Ecx : uint
{
    None = 0,

    /// <summary>LAHF and SAHF in 64-bit mode.</summary>
    LahfSahf = 1u << 0,

    /// <summary>LZCNT.</summary>
    Abm = 1u << 5,
    Prefetchw = 1u << 8,
}
