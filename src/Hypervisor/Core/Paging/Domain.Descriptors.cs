using Xen.Cpu;

namespace Xen.Core;

/// <summary>Segment descriptors for the vCPUs' engines.</summary>
public sealed partial class Domain
{
    /// <inheritdoc/>
    public bool TryReadDescriptor(VcpuState vcpu, ushort selector, out ulong descriptor)
    {
        foreach (Vcpu candidate in _vcpus)
        {
            if (candidate.State == vcpu)
                return candidate.Descriptors.TryReadDescriptor(selector, out descriptor);
        }

        descriptor = 0;
        return false;
    }
}
