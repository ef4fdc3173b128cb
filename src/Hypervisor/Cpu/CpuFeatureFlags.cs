namespace Xen.Cpu;

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
    Fma = 1u << 12,
    Cx16 = 1u << 13,
    Sse41 = 1u << 19,
    Sse42 = 1u << 20,
    Movbe = 1u << 22,
    Popcnt = 1u << 23,

    /// <summary>AES-NI.</summary>
    Aes = 1u << 25,

    /// <summary>XSAVE, XRSTOR, XGETBV, XSETBV.</summary>
    Xsave = 1u << 26,

    /// <summary>Not an instruction set: CR4.OSXSAVE is set.</summary>
    Osxsave = 1u << 27,
    Avx = 1u << 28,

    /// <summary>Conversions from and to half precision.</summary>
    F16c = 1u << 29,
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
    Avx2 = 1u << 5,
    Bmi2 = 1u << 8,

    /// <summary>Fast REP MOVSB and STOSB.</summary>
    Erms = 1u << 9,

    /// <summary>Not an instruction set: the x87 saves its code and data selectors as 0.</summary>
    FpuSelectorsAbsent = 1u << 13,
    Rdseed = 1u << 18,
    Adx = 1u << 19,
    Clflushopt = 1u << 23,
    Clwb = 1u << 24,
    Sha = 1u << 29,
}

/// <summary>CPUID leaf 7, subleaf 0, ecx.</summary>
[Flags]
public enum Leaf7Ecx : uint
{
    None = 0,
    Gfni = 1u << 8,
    Vaes = 1u << 9,
    Vpclmulqdq = 1u << 10,
}

/// <summary>CPUID leaf 0xD, subleaf 1, eax: forms of XSAVE.</summary>
[Flags]
public enum LeafDEax : uint
{
    None = 0,
    Xsaveopt = 1u << 0,
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
