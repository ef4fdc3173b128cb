using Xen.Cpu;

namespace Xen.Core;

/// <summary>CPUID as the domain's guests see it.</summary>
public sealed partial class Domain
{
    /// <inheritdoc/>
    public void Cpuid(VcpuState vcpu, uint leaf, uint subleaf, out uint eax, out uint ebx, out uint ecx, out uint edx)
    {
        int number = Array.FindIndex(_vcpus, candidate => candidate.State == vcpu);
        (eax, ebx, ecx, edx) = CpuidPolicy.Read(Features, Math.Max(number, 0), leaf, subleaf);
    }
}
