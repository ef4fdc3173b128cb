using System.Diagnostics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>Closing ports.</summary>
public sealed partial class EventChannelTable
{
    /// <summary>Closes a port (EVTCHNOP_close). The other end of an interdomain channel waits for a new connection then.</summary>
    /// <returns>EINVAL: no such port, or one of the host's that the guest may not close.</returns>
    public XenErrno Close(EvtchnPort port) => Close(port, byHost: false);

    /// <summary>Closes a host port.</summary>
    public XenErrno CloseFromHost(EvtchnPort port) => Close(port, byHost: true);

    /// <summary>Closes all ports (EVTCHNOP_reset).</summary>
    public void Reset()
    {
        int count = Volatile.Read(ref _ports).Length;
        for (uint port = 1; port < count; port++)
            _ = Close(new EvtchnPort(port));
    }

    /// <summary>Closes all ports for good, those of the host too: the domain is going away. Afterwards nothing can be bound.</summary>
    internal void Shut()
    {
        lock (_lock)
            _closed = true;
        int count = Volatile.Read(ref _ports).Length;
        for (uint port = 1; port < count; port++)
            _ = Close(new EvtchnPort(port), byHost: Find(new EvtchnPort(port)).OnNotify is not null);
    }

    private XenErrno Close(EvtchnPort port, bool byHost)
    {
        while (true)
        {
            EventChannelTable other = Find(port).Peer ?? this;
            EventChannelTable first = other.Owner.Value < Owner.Value ? other : this;
            EventChannelTable second = first == this ? other : this;
            using (first._lock.EnterScope())
            using (second._lock.EnterScope())
            {
                EventChannel channel = Find(port);

                // Somebody may have connected or closed before the locks were held: then they are the wrong ones.
                if ((channel.Peer ?? this) != other)
                    continue;
                if (channel.State == EvtchnStatusKind.Closed || byHost != channel.OnNotify is not null)
                    return XenErrno.EINVAL;
                Free(port, channel);
                return XenErrno.OK;
            }
        }
    }

    private void Free(EvtchnPort port, EventChannel channel)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        if (channel.State == EvtchnStatusKind.Virq)
        {
            Span<uint> ports = _virqPorts;
            int index = ports.IndexOf(port.Value);
            if (index >= 0)
                ports[index] = 0;
        }

        if (channel.Peer is { } peer)
        {
            EventChannel end = peer.Find(channel.PeerPort);
            peer.Set(channel.PeerPort, end with { State = EvtchnStatusKind.Unbound, Remote = Owner, Peer = null, PeerPort = EvtchnPort.None });
        }

        // A channel that is connected to itself has become unbound by the above; it ends here all the same.
        Set(port, EventChannel.Free);

        // An event of the old channel must not be seen by who gets the port next.
        _bits?.ClearPending(port);
    }
}
