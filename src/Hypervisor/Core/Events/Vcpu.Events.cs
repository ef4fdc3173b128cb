using Xen.Abi;

namespace Xen.Core;

public sealed partial class Vcpu
{
    /// <summary>The vCPU's vcpu_info structure.</summary>
    public VcpuInfoPage Info { get; }

    /// <summary>Whether an event upcall is due: events wait and are not masked. What block and poll look at before they sleep.</summary>
    public bool HasPendingUpcall => Info.UpcallPending && !Info.UpcallMask;
}
