using System.Buffers.Binary;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>The four registers of a CPUID leaf.</summary>
internal readonly record struct CpuidLeaf(uint Eax, uint Ebx, uint Ecx, uint Edx);

/// <summary>
/// The processor that guests see: what the engines implement, under the name of one that does not speculate, so that kernels do not slow
/// themselves down by workarounds for what cannot happen here.
/// </summary>
/// <remarks>See docs/decisions/0004-a-processor-that-does-not-speculate.md. Leaves that are not listed are zero.</remarks>
internal static class CpuidPolicy
{
    /// <summary>Highest basic and extended leaf.</summary>
    public const uint MaxBasic = 0xD, MaxExtended = 0x8000_0008;

    /// <summary>First of Xen's own leaves. <b>Source</b>: arch-x86/cpuid.h.</summary>
    public const uint XenBase = CpuidLeaves.First;

    /// <summary>Family 6, model 0x1c, stepping 10: an in-order processor.</summary>
    private const uint Signature = 0x0001_06CA;

    /// <summary>What is no instruction set: a hypervisor is there (leaf 1, ecx), and the local APIC that PV kernels expect and do not use (edx).</summary>
    private const uint HypervisorPresent = 1u << 31, Apic = 1u << 9;

    private const uint PhysicalAddressBits = 46, LinearAddressBits = 48;

    /// <summary>The time-stamp counter, and what makes nanoseconds of it: (ticks &lt;&lt; 1) * 0x80000000 >> 32.</summary>
    private const uint TscKHz = 1_000_000, TscMultiplier = 0x8000_0000, TscShift = 1;

    private static ReadOnlySpan<byte> Brand => "Xen.sln virtual x86-64 processor\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"u8;

    /// <summary>Answers CPUID.</summary>
    /// <param name="features">What the engine implements.</param>
    /// <param name="vcpu">The vCPU's number: its APIC id is twice that.</param>
    /// <param name="leaf">eax.</param>
    /// <param name="subleaf">ecx.</param>
    public static CpuidLeaf Read(CpuFeatures features, int vcpu, uint leaf, uint subleaf) => leaf switch
    {
        0 => new CpuidLeaf(MaxBasic, 0x756E_6547, 0x6C65_746E, 0x4965_6E69), // "GenuineIntel"
        1 => new CpuidLeaf(Signature, ((uint)CpuFeatures.ClflushLineSize << 8) | ((uint)vcpu << 25), (uint)features.Leaf1Ecx | HypervisorPresent, (uint)features.Leaf1Edx | Apic),
        2 => new CpuidLeaf(0x00FE_FF01, 0xF0, 0, 0), // "see leaf 4"
        4 => ReadCache(subleaf),
        7 when subleaf == 0 => new CpuidLeaf(0, (uint)features.Leaf7Ebx, (uint)features.Leaf7Ecx, 0),
        0xD when features.Has(Leaf1Ecx.Xsave) => ReadXsave(features, subleaf),
        >= XenBase and <= XenBase + CpuidLeaves.MaxNumLeaves => ReadXen(leaf - XenBase, subleaf),
        0x8000_0000 => new CpuidLeaf(MaxExtended, 0, 0, 0),
        0x8000_0001 => new CpuidLeaf(0, 0, (uint)features.Extended1Ecx, (uint)features.Extended1Edx),
        >= 0x8000_0002 and <= 0x8000_0004 => ReadBrand((int)(leaf - 0x8000_0002)),
        0x8000_0006 => new CpuidLeaf(0, 0, 0x0200_6040, 0), // 512 KiB, 8 ways, 64-byte lines
        0x8000_0008 => new CpuidLeaf((LinearAddressBits << 8) | PhysicalAddressBits, 0, 0, 0),
        _ => default,
    };

    private static CpuidLeaf ReadXen(uint leaf, uint subleaf) => (leaf, subleaf) switch
    {
        (0, _) => new CpuidLeaf(XenBase + CpuidLeaves.MaxNumLeaves, CpuidLeaves.SignatureEbx, CpuidLeaves.SignatureEcx, CpuidLeaves.SignatureEdx),
        (1, _) => new CpuidLeaf(((uint)XenVersion.Major << 16) | XenVersion.Minor, 0, 0, 0),
        (2, _) => new CpuidLeaf(1, XenBase, CpuidLeaves.FeatureMmuPtUpdatePreserveAd, 0), // one hypercall page, its register
        (3, 0) => new CpuidLeaf(1, 0, TscKHz, 0), // emulated counter
        (3, 1) => new CpuidLeaf(0, 0, TscMultiplier, TscShift),
        (3, 2) => new CpuidLeaf(TscKHz, 0, 0, 0),
        (5, 0) => new CpuidLeaf(0, PhysicalAddressBits, 0, 0),
        _ => default,
    };

    /// <summary>The XSAVE image: what components there are, how large it is (with the components that are enabled, and with all), where they are in it.</summary>
    private static CpuidLeaf ReadXsave(CpuFeatures features, uint subleaf)
    {
        bool avx = features.Has(Leaf1Ecx.Avx);
        const XsaveComponents Legacy = XsaveComponents.X87 | XsaveComponents.Sse;
        uint size = (uint)(avx ? XsaveImage.Size : XsaveImage.UpperHalves);
        return subleaf switch
        {
            0 => new CpuidLeaf((uint)(avx ? XsaveComponents.All : Legacy), size, size, 0),
            1 => new CpuidLeaf((uint)features.LeafDEax, 0, 0, 0),
            2 when avx => new CpuidLeaf(XsaveImage.UpperHalvesSize, XsaveImage.UpperHalves, 0, 0),
            _ => default,
        };
    }

    /// <summary>L1 data, L1 instruction (32 KiB, 8 ways) and L2 (512 KiB, 8 ways), lines of 64 bytes, shared by nobody.</summary>
    private static CpuidLeaf ReadCache(uint subleaf) => subleaf switch
    {
        0 => new CpuidLeaf(0x0000_0121, 0x01C0_003F, 63, 0),
        1 => new CpuidLeaf(0x0000_0122, 0x01C0_003F, 63, 0),
        2 => new CpuidLeaf(0x0000_0143, 0x01C0_003F, 1023, 0),
        _ => default,
    };

    private static CpuidLeaf ReadBrand(int part)
    {
        ReadOnlySpan<byte> bytes = Brand.Slice(part * 16, 16);
        return new CpuidLeaf(
            BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]));
    }
}
