using System.Diagnostics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>Allocating and binding ports.</summary>
public sealed partial class EventChannelTable
{
    /// <summary>Allocates a port that <paramref name="remote"/> may bind to (EVTCHNOP_alloc_unbound).</summary>
    /// <returns>ENOSPC: no port left.</returns>
    public XenErrno AllocateUnbound(DomId remote, out EvtchnPort port) =>
        Allocate(new EventChannel { State = EvtchnStatusKind.Unbound, Remote = remote }, out port);

    /// <summary>The same for code of this process: events that come are told to <paramref name="onNotify"/>, on the sender's thread, without locks; it must be quick.</summary>
    public XenErrno AllocateUnboundForHost(DomId remote, Action onNotify, out EvtchnPort port) =>
        Allocate(new EventChannel { State = EvtchnStatusKind.Unbound, Remote = remote, OnNotify = onNotify }, out port);

    /// <summary>Connects a new port to one that waits for this domain (EVTCHNOP_bind_interdomain). The new port is pending at once.</summary>
    /// <returns>EINVAL: the remote port does not wait for this domain. ENOSPC: no port left.</returns>
    public XenErrno BindInterdomain(EventChannelTable remote, EvtchnPort remotePort, out EvtchnPort port) =>
        Connect(remote, remotePort, null, out port);

    /// <summary>The same for code of this process. <paramref name="onNotify"/> is called once at once: events may have been sent before.</summary>
    public XenErrno BindInterdomainForHost(EventChannelTable remote, EvtchnPort remotePort, Action onNotify, out EvtchnPort port)
    {
        XenErrno errno = Connect(remote, remotePort, onNotify, out port);
        if (errno == XenErrno.OK)
            onNotify();
        return errno;
    }

    /// <summary>Sends through a host port, as its owner. The guest cannot.</summary>
    public XenErrno NotifyFromHost(EvtchnPort port)
    {
        EventChannel channel = Find(port);
        if (channel.OnNotify is null)
            return XenErrno.EINVAL;
        channel.Peer?.Deliver(channel.PeerPort, this, port);
        return XenErrno.OK;
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
            bound = port.Value;
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
            if (!movable || channel.OnNotify is not null)
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
        if (port.Value is 0 or >= PortLimit)
            return XenErrno.EINVAL;
        EventChannel channel = Find(port);
        status = new EventChannelStatus(channel.State, channel.NotifyVcpu, channel.Remote, channel.PeerPort, channel.Virq);
        return XenErrno.OK;
    }

    private XenErrno Connect(EventChannelTable remote, EvtchnPort remotePort, Action? onNotify, out EvtchnPort port)
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
                State = EvtchnStatusKind.Interdomain, Remote = remote.Owner, Peer = remote, PeerPort = remotePort, OnNotify = onNotify,
            };
            XenErrno errno = Allocate(local, out port);
            if (errno != XenErrno.OK)
                return errno;
            remote.Set(remotePort, waiting with { State = EvtchnStatusKind.Interdomain, Remote = Owner, Peer = this, PeerPort = port });

            // The other end may have sent before there was anybody to hear it.
            if (onNotify is null)
                SetPending(port, local);
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
            int free = Array.FindIndex(_ports, 1, static candidate => candidate.State == EvtchnStatusKind.Closed);
            if (free < 0)
            {
                free = _ports.Length;
                if (free >= PortLimit)
                    return XenErrno.ENOSPC;
                Grow();
            }

            port = new EvtchnPort((uint)free);
            Set(port, channel);
            return XenErrno.OK;
        }
    }

    private void Grow()
    {
        int length = _ports.Length;
        var grown = new EventChannel[Math.Min(length == 1 ? Growth : length * 2, PortLimit)];
        _ports.CopyTo(grown, 0);
        Array.Fill(grown, EventChannel.Free, length, grown.Length - length);
        Volatile.Write(ref _ports, grown);
    }

    private void Set(EvtchnPort port, EventChannel channel)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        Volatile.Write(ref _ports[port.Value], channel);
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
