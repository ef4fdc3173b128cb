using System.Numerics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>Allocating and binding ports.</summary>
public sealed partial class EventChannelTable
{
    /// <summary>Allocates a port that <paramref name="remote"/> may bind to (EVTCHNOP_alloc_unbound).</summary>
    /// <returns>ENOSPC: no port left.</returns>
    public XenErrno AllocateUnbound(DomId remote, out EvtchnPort port) =>
        Allocate(new EventChannel { State = EvtchnStatusKind.Unbound, Remote = remote }, out port);

    /// <summary>The same for code of this process: events that come are told to <paramref name="onNotify"/>, on the senders' threads (several at once perhaps), without locks; it must be quick.</summary>
    public XenErrno AllocateUnboundForHost(DomId remote, Action onNotify, out EvtchnPort port) =>
        Allocate(new EventChannel { State = EvtchnStatusKind.Unbound, Remote = remote, Host = new HostPort(onNotify, _inHandlers) }, out port);

    /// <summary>Connects a new port to one that waits for this domain (EVTCHNOP_bind_interdomain). The new port is pending at once.</summary>
    /// <returns>EINVAL: the remote port does not wait for this domain. ENOSPC: no port left.</returns>
    public XenErrno BindInterdomain(EventChannelTable remote, EvtchnPort remotePort, out EvtchnPort port) =>
        Connect(remote, remotePort, null, out port);

    /// <summary>The same for code of this process. <paramref name="onNotify"/> is called once before this returns: events may have been sent before.</summary>
    public XenErrno BindInterdomainForHost(EventChannelTable remote, EvtchnPort remotePort, Action onNotify, out EvtchnPort port)
    {
        var host = new HostPort(onNotify, _inHandlers);
        XenErrno errno = Connect(remote, remotePort, host, out port);
        if (errno == XenErrno.OK)
            host.Call();
        return errno;
    }

    /// <summary>Binds a port to a virtual interrupt line (EVTCHNOP_bind_virq).</summary>
    /// <returns>EINVAL: no such line, or a global one not on vCPU 0. ENOENT: no such vCPU. EEXIST: bound already. ENOSPC.</returns>
    public XenErrno BindVirq(VirtualIrq virq, uint vcpu, out EvtchnPort port)
    {
        port = EvtchnPort.None;
        if ((uint)virq >= EventChannelLimits.NrVirqs || (vcpu != 0 && !VirtualIrqs.IsPerVcpu(virq)))
            return XenErrno.EINVAL;
        if (!HasVcpu(vcpu))
            return XenErrno.ENOENT;
        lock (_lock)
        {
            ref uint bound = ref _virqPorts[VirqIndex((int)vcpu, virq)];
            if (bound != 0)
                return XenErrno.EEXIST;
            XenErrno errno = Allocate(
                new EventChannel { State = EvtchnStatusKind.Virq, Virq = virq, NotifyVcpu = (int)vcpu }, out port);
            Volatile.Write(ref bound, port.Value);
            return errno;
        }
    }

    /// <summary>Allocates a port by which the domain's vCPUs interrupt one of them (EVTCHNOP_bind_ipi).</summary>
    public XenErrno BindIpi(uint vcpu, out EvtchnPort port)
    {
        port = EvtchnPort.None;
        return HasVcpu(vcpu)
            ? Allocate(new EventChannel { State = EvtchnStatusKind.Ipi, NotifyVcpu = (int)vcpu }, out port)
            : XenErrno.ENOENT;
    }

    /// <summary>Chooses the vCPU that a port tells (EVTCHNOP_bind_vcpu).</summary>
    /// <returns>EINVAL: no such port, or one whose vCPU is fixed. ENOENT: no such vCPU.</returns>
    public XenErrno BindVcpu(EvtchnPort port, uint vcpu)
    {
        if (!HasVcpu(vcpu))
            return XenErrno.ENOENT;
        lock (_lock)
        {
            EventChannel channel = Find(port);
            bool movable = channel.State is EvtchnStatusKind.Unbound or EvtchnStatusKind.Interdomain
                || (channel.State == EvtchnStatusKind.Virq && !VirtualIrqs.IsPerVcpu(channel.Virq));
            if (!movable || channel.Host is not null)
                return XenErrno.EINVAL;
            Set(port, channel with { NotifyVcpu = (int)vcpu });
            return XenErrno.OK;
        }
    }

    /// <summary>What a port is at this moment (EVTCHNOP_status).</summary>
    /// <returns>EINVAL: a number that no port can have.</returns>
    public XenErrno GetStatus(EvtchnPort port, out EventChannelStatus status)
    {
        status = default;
        if (!HasPort(port))
            return XenErrno.EINVAL;
        EventChannel channel = Find(port);
        status = new EventChannelStatus(channel.State, channel.NotifyVcpu, channel.Remote, channel.PeerPort, channel.Virq);
        return XenErrno.OK;
    }

    private XenErrno Connect(EventChannelTable remote, EvtchnPort remotePort, HostPort? host, out EvtchnPort port)
    {
        port = EvtchnPort.None;
        EventChannelTable first = remote.Owner.Value < Owner.Value ? remote : this;
        EventChannelTable second = first == this ? remote : this;
        using (first._lock.EnterScope())
        using (second._lock.EnterScope())
        {
            EventChannel waiting = remote.Find(remotePort);
            if (waiting.State != EvtchnStatusKind.Unbound || waiting.Remote != Owner)
                return XenErrno.EINVAL;

            var local = new EventChannel
            {
                State = EvtchnStatusKind.Interdomain, Remote = remote.Owner, Peer = remote, PeerPort = remotePort, Host = host,
            };
            XenErrno errno = Allocate(local, out port);
            if (errno != XenErrno.OK)
                return errno;
            remote.Set(remotePort, waiting with { State = EvtchnStatusKind.Interdomain, Remote = Owner, Peer = this, PeerPort = port });

            // The other end may have sent before there was anybody to hear it.
            if (host is null && _gate.TryEnter())
            {
                SetPending(port, local);
                _gate.Exit();
            }

            return XenErrno.OK;
        }
    }

    private XenErrno Allocate(EventChannel channel, out EvtchnPort port)
    {
        lock (_lock)
        {
            port = EvtchnPort.None;
            if (_closed)
                return XenErrno.EINVAL;
            uint free = FindFree();
            if (free >= PortLimit)
                return XenErrno.ENOSPC;
            if (free >= _ports.Length)
                Grow(free);
            port = new EvtchnPort(free);
            _inUse.Take(free);
            Set(port, channel);
            return XenErrno.OK;
        }
    }

    /// <summary>One past the highest port that may be used now.</summary>
    private uint PortLimit => (uint)Math.Min(_abi?.PortCount ?? FifoEventLimits.NrChannels, MaxPort + 1);

    /// <summary>The lowest port that can be used. One that was closed while it stood in a queue of the guest's cannot, until the guest takes it out.</summary>
    private uint FindFree()
    {
        uint free = _inUse.FindFree();
        if (_abi is null || !_gate.TryEnter())
            return free;
        uint limit = PortLimit;
        while (free < limit && Abi.IsBusy(new EvtchnPort(free)))
            free = _inUse.FindFree(free + 1);

        // What was left there by events before the guest changed its ABI is nobody's.
        if (free < limit)
            _ = Abi.ClearPending(new EvtchnPort(free));
        _gate.Exit();
        return free;
    }

    private void Grow(uint port)
    {
        // A power of two always; more than the double when busy ports were passed over.
        int length = _ports.Length;
        var grown = new EventChannel[BitOperations.RoundUpToPowerOf2(port + 1)];
        _ports.CopyTo(grown, 0);
        Array.Fill(grown, EventChannel.Free, length, grown.Length - length);
        Volatile.Write(ref _ports, grown);
    }

    private bool HasVcpu(uint vcpu) => _domain is not null && vcpu < (uint)_domain.Vcpus.Count;
}

/// <summary>A port's state as a guest may ask for it.</summary>
/// <param name="State">What it is.</param>
/// <param name="NotifyVcpu">The vCPU that it tells.</param>
/// <param name="Remote">The domain it waits for or is connected to.</param>
/// <param name="RemotePort">The port it is connected to.</param>
/// <param name="Virq">The virtual line it is bound to.</param>
public readonly record struct EventChannelStatus(EvtchnStatusKind State, int NotifyVcpu, DomId Remote, EvtchnPort RemotePort, VirtualIrq Virq);
