using System.Diagnostics.CodeAnalysis;

namespace Xen.Cpu;

/// <summary>Words of CPUID that list features.</summary>
public enum CpuFeatureWord
{
    Leaf1Edx,
    Leaf1Ecx,
    Leaf7Ebx,
    Leaf7Ecx,
    LeafDEax,
    Extended1Edx,
    Extended1Ecx,
}

/// <summary>What features are called in configuration files. <b>Source</b>: xl.cfg(5), cpuid.</summary>
public static class CpuFeatureNames
{
    /// <summary>Features that a guest can have here, if the host has them.</summary>
    private static readonly Dictionary<string, (CpuFeatureWord Word, uint Bit)> Known = new(StringComparer.Ordinal)
    {
        ["fpu"] = Bit(Leaf1Edx.Fpu), ["tsc"] = Bit(Leaf1Edx.Tsc), ["msr"] = Bit(Leaf1Edx.Msr), ["pae"] = Bit(Leaf1Edx.Pae),
        ["cmpxchg8"] = Bit(Leaf1Edx.Cx8), ["cx8"] = Bit(Leaf1Edx.Cx8), ["cmov"] = Bit(Leaf1Edx.Cmov), ["pat"] = Bit(Leaf1Edx.Pat),
        ["clfsh"] = Bit(Leaf1Edx.Clfsh), ["mmx"] = Bit(Leaf1Edx.Mmx), ["fxsr"] = Bit(Leaf1Edx.Fxsr),
        ["sse"] = Bit(Leaf1Edx.Sse), ["sse2"] = Bit(Leaf1Edx.Sse2),
        ["sse3"] = Bit(Leaf1Ecx.Sse3), ["pni"] = Bit(Leaf1Ecx.Sse3), ["pclmulqdq"] = Bit(Leaf1Ecx.Pclmulqdq), ["ssse3"] = Bit(Leaf1Ecx.Ssse3),
        ["fma"] = Bit(Leaf1Ecx.Fma), ["cmpxchg16"] = Bit(Leaf1Ecx.Cx16), ["cx16"] = Bit(Leaf1Ecx.Cx16),
        ["sse4.1"] = Bit(Leaf1Ecx.Sse41), ["sse4_1"] = Bit(Leaf1Ecx.Sse41), ["sse4.2"] = Bit(Leaf1Ecx.Sse42), ["sse4_2"] = Bit(Leaf1Ecx.Sse42),
        ["movbe"] = Bit(Leaf1Ecx.Movbe), ["popcnt"] = Bit(Leaf1Ecx.Popcnt), ["aes"] = Bit(Leaf1Ecx.Aes), ["aesni"] = Bit(Leaf1Ecx.Aes),
        ["xsave"] = Bit(Leaf1Ecx.Xsave), ["avx"] = Bit(Leaf1Ecx.Avx), ["f16c"] = Bit(Leaf1Ecx.F16c), ["rdrand"] = Bit(Leaf1Ecx.Rdrand),
        ["fsgsbase"] = Bit(Leaf7Ebx.FsGsBase), ["bmi1"] = Bit(Leaf7Ebx.Bmi1), ["avx2"] = Bit(Leaf7Ebx.Avx2), ["bmi2"] = Bit(Leaf7Ebx.Bmi2),
        ["erms"] = Bit(Leaf7Ebx.Erms), ["rdseed"] = Bit(Leaf7Ebx.Rdseed), ["adx"] = Bit(Leaf7Ebx.Adx), ["clflushopt"] = Bit(Leaf7Ebx.Clflushopt),
        ["clwb"] = Bit(Leaf7Ebx.Clwb), ["sha"] = Bit(Leaf7Ebx.Sha), ["sha_ni"] = Bit(Leaf7Ebx.Sha),
        ["gfni"] = Bit(Leaf7Ecx.Gfni), ["vaes"] = Bit(Leaf7Ecx.Vaes), ["vpclmulqdq"] = Bit(Leaf7Ecx.Vpclmulqdq),
        ["xsaveopt"] = Bit(LeafDEax.Xsaveopt),
        ["syscall"] = Bit(Extended1Edx.Syscall), ["nx"] = Bit(Extended1Edx.Nx), ["rdtscp"] = Bit(Extended1Edx.Rdtscp), ["lm"] = Bit(Extended1Edx.Lm),
        ["lahfsahf"] = Bit(Extended1Ecx.LahfSahf), ["lahf_lm"] = Bit(Extended1Ecx.LahfSahf), ["abm"] = Bit(Extended1Ecx.Abm), ["lzcnt"] = Bit(Extended1Ecx.Abm),
        ["3dnowprefetch"] = Bit(Extended1Ecx.Prefetchw),
    };

    /// <summary>Features that xl knows, and no guest has here.</summary>
    private static readonly HashSet<string> Absent = [..
        ("3dnow 3dnowext acpi altmovcr8 arat avx512-4fmaps avx512-4vnniw avx512bw avx512cd avx512dq avx512er avx512f avx512ifma avx512pf avx512vbmi avx512vl " +
        "avx-vnni cldemote cmplegacy cmt cntxid dca de ds dscpl dtes64 est extapic ffxsr fma4 hle htt ia64 ibs invpcid invtsc lwp mca mce misalignsse mmxext monitor mpx mtrr " +
        "nodeid ospke osvw page1gb pbe pcid pdcm perfctr_core perfctr_nb pge pku psn pse pse36 rtm skinit smap smep smx ss sse4a svm svm_decode svm_lbrv " +
        "svm_npt svm_nrips svm_pausefilt svm_tscrate svm_vmcbclean sysenter tbm tm tm2 topoext tsc-deadline tsc_adjust umip vme vmx wdt x2apic xop xsavec xsaves xtpr").Split(' ')];

    /// <summary>What belongs to the interface of paravirtual guests, or follows from others.</summary>
    private static readonly HashSet<string> Fixed = ["hypervisor", "apic", "osxsave"];

    /// <summary>All names, for messages.</summary>
    public static IEnumerable<string> All => Known.Keys.Concat(Absent).Concat(Fixed);

    /// <summary>The feature of a name.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out CpuFeatures? feature)
    {
        feature = Known.TryGetValue(name, out (CpuFeatureWord Word, uint Bit) found) ? CpuFeatures.None.With(found.Word, found.Bit) : null;
        return feature is not null;
    }

    /// <summary>Whether a name is that of a feature which no guest has.</summary>
    public static bool IsAbsent(string name) => Absent.Contains(name);

    /// <summary>Whether a name is that of a feature which cannot be chosen.</summary>
    public static bool IsFixed(string name) => Fixed.Contains(name);

    private static (CpuFeatureWord Word, uint Bit) Bit(Leaf1Edx bit) => (CpuFeatureWord.Leaf1Edx, (uint)bit);

    private static (CpuFeatureWord Word, uint Bit) Bit(Leaf1Ecx bit) => (CpuFeatureWord.Leaf1Ecx, (uint)bit);

    private static (CpuFeatureWord Word, uint Bit) Bit(Leaf7Ebx bit) => (CpuFeatureWord.Leaf7Ebx, (uint)bit);

    private static (CpuFeatureWord Word, uint Bit) Bit(Leaf7Ecx bit) => (CpuFeatureWord.Leaf7Ecx, (uint)bit);

    private static (CpuFeatureWord Word, uint Bit) Bit(LeafDEax bit) => (CpuFeatureWord.LeafDEax, (uint)bit);

    private static (CpuFeatureWord Word, uint Bit) Bit(Extended1Edx bit) => (CpuFeatureWord.Extended1Edx, (uint)bit);

    private static (CpuFeatureWord Word, uint Bit) Bit(Extended1Ecx bit) => (CpuFeatureWord.Extended1Ecx, (uint)bit);
}
