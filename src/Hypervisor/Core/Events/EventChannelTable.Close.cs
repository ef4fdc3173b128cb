using System.Diagnostics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>Closing ports.</summary>
public sealed partial class EventChannelTable
{
    /// <summary>Where a reset that was interrupted goes on; 0: none is under way. Under the lock.</summary>
    private uint _nextReset;

    /// <summary>Closes a port (EVTCHNOP_close). The other end of an interdomain channel waits for a new connection then.</summary>
    /// <returns>EINVAL: no such port, or one of the host's that the guest may not close.</returns>
    public XenErrno Close(EvtchnPort port) => Close(port, byHost: false, out _);

    /// <summary>
    /// Closes a host port. When it returns no call of the port's handler begins any more, and none runs, unless the caller is itself in a handler of this
    /// table: then it does not wait for calls on other threads. Do not call it holding a lock that the handler takes.
    /// </summary>
    /// <returns>EINVAL: no host port, or it is closed already.</returns>
    public XenErrno CloseFromHost(EvtchnPort port)
    {
        XenErrno errno = Close(port, byHost: true, out HostPort? host);
        host?.Close(wait: true);
        return errno;
    }

    /// <summary>Closes all ports of the guest and takes it back to the two-level ABI (EVTCHNOP_reset).</summary>
    /// <returns>EBUSY: another reset is under way. EAGAIN: a port was opened meanwhile.</returns>
    public XenErrno Reset() => Reset(resuming: false, int.MaxValue, current: null, out _);

    /// <summary>The same in slices (EVTCHNOP_reset_cont).</summary>
    /// <param name="resuming">Goes on where the last slice ended. <b>Errors</b>: EBUSY when there was none.</param>
    /// <param name="most">Ports to look at.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does.</param>
    /// <param name="isDone">False: call again.</param>
    internal XenErrno Reset(bool resuming, int most, Vcpu? current, out bool isDone)
    {
        isDone = true;
        uint port;
        lock (_lock)
        {
            if (resuming == (_nextReset == 0))
                return XenErrno.EBUSY;
            port = _nextReset = Math.Max(_nextReset, 1);
        }

        for (int i = 0; i < most && HasPort(new EvtchnPort(port)); i++)
            _ = Close(new EvtchnPort(port++));
        IReadOnlyList<Mfn> frames;
        lock (_lock)
        {
            isDone = !HasPort(new EvtchnPort(port));
            _nextReset = isDone ? 0 : port;
            if (!isDone)
                return XenErrno.OK;
            if (HasGuestPorts())
                return XenErrno.EAGAIN;
            frames = LeaveFifo();
        }

        foreach (Mfn frame in frames)
            _domain!.ReleaseHold(frame, current);
        return XenErrno.OK;
    }

    /// <summary>Ends of this table's channels whose other end does not know of them: none, or the hypervisor is at fault. For audits, while nobody binds or closes.</summary>
    public IReadOnlyList<EvtchnPort> FindHalfConnected()
    {
        List<EvtchnPort> found = [];
        EventChannel[] ports = Volatile.Read(ref _ports);
        for (uint i = 1; i < ports.Length; i++)
        {
            var port = new EvtchnPort(i);
            EventChannel channel = Find(port);
            if (channel.State == EvtchnStatusKind.Interdomain && !IsEndOf(channel.Peer!.Find(channel.PeerPort), this, port))
                found.Add(port);
        }

        return found;
    }

    /// <summary>Closes all ports for good, those of the host too: the domain is going away. Afterwards nothing can be bound, and no sender touches its memory.</summary>
    internal void Shut()
    {
        lock (_lock)
            _closed = true;
        for (uint i = 1; HasPort(new EvtchnPort(i)); i++)
        {
            var port = new EvtchnPort(i);
            _ = Close(port, byHost: Find(port).Host is not null, out HostPort? host);
            host?.Close(wait: false);
        }

        lock (_lock)
            _gate.Close(forGood: true);
    }

    private XenErrno Close(EvtchnPort port, bool byHost, out HostPort? host)
    {
        host = null;
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
                if (channel.State == EvtchnStatusKind.Closed || byHost != channel.Host is not null)
                    return XenErrno.EINVAL;
                Free(port, channel);
                host = channel.Host;
                return XenErrno.OK;
            }
        }
    }

    private void Free(EvtchnPort port, EventChannel channel)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        if (channel.State == EvtchnStatusKind.Virq)
        {
            int index = _virqPorts.AsSpan().IndexOf(port.Value);
            if (index >= 0)
                Volatile.Write(ref _virqPorts[index], 0);
        }

        if (channel.Peer is { } peer)
        {
            EventChannel end = peer.Find(channel.PeerPort);
            peer.Set(channel.PeerPort, end with { State = EvtchnStatusKind.Unbound, Remote = Owner, Peer = null, PeerPort = EvtchnPort.None });
        }

        // A channel that is connected to itself has become unbound by the above; it ends here all the same.
        Set(port, EventChannel.Free);

        // An event of the old channel must not be seen by who gets the port next: wait for senders who found it open, then take their events back.
        if (_abi is not null && channel.Host is null)
        {
            _gate.Close();
            _ = Abi.ClearPending(port);
            _gate.Open();
        }

        _inUse.Release(port.Value);
    }

    private bool HasGuestPorts()
    {
        for (uint i = 1; _inUse.Count != 0 && i < _ports.Length; i++)
        {
            EventChannel channel = Find(new EvtchnPort(i));
            if (channel.State != EvtchnStatusKind.Closed && channel.Host is null)
                return true;
        }

        return false;
    }
}
