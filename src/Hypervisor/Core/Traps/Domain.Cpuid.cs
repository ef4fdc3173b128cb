using Xen.Cpu;

namespace Xen.Core;

/// <summary>CPUID as the domain's guests see it.</summary>
public sealed partial class Domain
{
    /// <inheritdoc/>
    public void Cpuid(VcpuState vcpu, uint leaf, uint subleaf, out uint eax, out uint ebx, out uint ecx, out uint edx)
    {
        CpuidLeaf read = ReadCpuid(vcpu, leaf, subleaf, vcpu.XsaveEnabled);
        (eax, ebx, ecx, edx) = read;
    }

    /// <summary>
    /// CPUID behind Xen's prefix. There a kernel sees OSXSAVE where it may enable it, though it has not yet: Linux asks so, before it writes CR4, whether Xen has XSAVE.
    /// </summary>
    internal CpuidLeaf ForcedCpuid(VcpuState vcpu, uint leaf, uint subleaf) =>
        ReadCpuid(vcpu, leaf, subleaf, vcpu.XsaveEnabled || vcpu.Mode == GuestMode.Kernel);

    private CpuidLeaf ReadCpuid(VcpuState vcpu, uint leaf, uint subleaf, bool xsaveEnabled)
    {
        int number = Array.FindIndex(_vcpus, candidate => candidate.State == vcpu);
        CpuidLeaf read = CpuidPolicy.Read(Features, Math.Max(number, 0), leaf, subleaf);
        return leaf switch
        {
            1 when xsaveEnabled && Features.Has(Leaf1Ecx.Xsave) => read with { Ecx = read.Ecx | (uint)Leaf1Ecx.Osxsave },
            0xD when subleaf == 0 && (vcpu.Xcr0 & XsaveComponents.Avx) == 0 => read with { Ebx = Math.Min(read.Ebx, XsaveImage.UpperHalves) },
            _ => read,
        };
    }
}
