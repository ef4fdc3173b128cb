using Xen.Abi;

namespace Xen.Core;

/// <summary>The domain's event channels.</summary>
public sealed partial class Domain
{
    /// <summary>The domain's ports.</summary>
    public EventChannelTable Events { get; }

    /// <summary>Raises a virtual interrupt line of a vCPU (a global line: of the domain). Any thread; nothing happens when the guest has not bound it.</summary>
    public void SendVirq(VcpuId vcpu, VirtualIrq virq) => Events.SendVirq(vcpu.Value, virq);
}
