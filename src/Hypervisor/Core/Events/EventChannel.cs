using Xen.Abi;

namespace Xen.Core;

/// <summary>One port, immutable: a change of state is another object, so that a sender may look without a lock.</summary>
internal sealed record EventChannel
{
    public static readonly EventChannel Free = new();

    /// <summary>What the port is.</summary>
    public EvtchnStatusKind State { get; init; }

    /// <summary>Unbound: who may bind. Interdomain: who did.</summary>
    public DomId Remote { get; init; }

    /// <summary>Interdomain: the other end's table.</summary>
    public EventChannelTable? Peer { get; init; }

    /// <summary>Interdomain: the other end's port.</summary>
    public EvtchnPort PeerPort { get; init; }

    /// <summary>Virq: the line.</summary>
    public VirtualIrq Virq { get; init; }

    /// <summary>The vCPU that is told.</summary>
    public int NotifyVcpu { get; init; }

    /// <summary>How urgent its events are: 0 first, 15 last. Only the FIFO ABI knows of it.</summary>
    public int Priority { get; init; } = FifoEventLimits.PriorityDefault;

    /// <summary>For a port of the host's own code: called instead of telling a vCPU, on the sender's thread, without locks.</summary>
    public HostPort? Host { get; init; }
}
