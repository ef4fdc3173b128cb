namespace Xen.Abi;

/// <summary>Xen's CPUID leaves. <b>Source</b>: arch-x86/cpuid.h.</summary>
public static class CpuidLeaves
{
    /// <summary>First leaf: eax is the highest one, ebx, ecx, edx are the signature (XEN_CPUID_FIRST_LEAF).</summary>
    public const uint First = 0x40000000;

    /// <summary>eax: version, major in the upper half.</summary>
    public const uint Version = First + 1;

    /// <summary>eax: hypercall pages, ebx: base of the MSRs, ecx: features.</summary>
    public const uint Hypercalls = First + 2;

    /// <summary>TSC mode, offset, multiplier and frequency, by sub-leaf.</summary>
    public const uint Tsc = First + 3;

    /// <summary>HVM features.</summary>
    public const uint Hvm = First + 4;

    /// <summary>PV parameters: sub-leaf 0, ebx bits 7-0: machine address width.</summary>
    public const uint Pv = First + 5;

    /// <summary>Highest leaf, counted from <see cref="First"/> (XEN_CPUID_MAX_NUM_LEAVES).</summary>
    public const uint MaxNumLeaves = 5;

    /// <summary>"XenV".</summary>
    public const uint SignatureEbx = 0x566e6558;

    /// <summary>"MMXe".</summary>
    public const uint SignatureEcx = 0x65584d4d;

    /// <summary>"nVMM".</summary>
    public const uint SignatureEdx = 0x4d4d566e;

    /// <summary>In ecx of <see cref="Hypercalls"/>: MMU_PT_UPDATE_PRESERVE_AD works.</summary>
    public const uint FeatureMmuPtUpdatePreserveAd = 1 << 0;

    /// <summary>In ebx of <see cref="Pv"/> (XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK).</summary>
    public const uint MachineAddressWidthMask = 0xff;

    /// <summary>The bytes before a CPUID that Xen shall emulate: ud2a; "xen" (XEN_EMULATE_PREFIX).</summary>
    public static ReadOnlySpan<byte> EmulatePrefix => [0x0f, 0x0b, 0x78, 0x65, 0x6e];
}
