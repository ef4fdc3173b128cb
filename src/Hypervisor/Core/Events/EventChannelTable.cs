using System.Diagnostics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// A domain's event channels: its ports, what each is bound to, and how an event travels from one to another. Read this first.
/// Split by verb: this file has sending, others allocate, bind and close.
/// </summary>
/// <remarks>
/// Locks: a table's ports are changed under its lock (<see cref="Domain.EventLock"/>); what changes both ends of a channel takes both locks, the lower domain
/// number first. A sender reads its own port without a lock (ports are immutable objects), then delivers under the receiver's lock,
/// which checks that the channel still stands: so a send takes one lock, never two. Waking a vCPU (scheduler's lock) comes after. Host callbacks run without locks.
/// </remarks>
public sealed partial class EventChannelTable
{
    /// <summary>Ports a domain may have; port 0 is never valid.</summary>
    public const int PortLimit = EventBits.PortCount;

    private const int Growth = 64;

    private readonly Lock _lock;
    private readonly Domain? _domain;
    private readonly EventBits? _bits;
    private EventChannel[] _ports = [EventChannel.Free];

    /// <summary>Port of each vCPU's virtual lines, 0 for none; global lines are in vCPU 0's row. Under the lock.</summary>
    private readonly uint[] _virqPorts;

    private bool _closed;

    /// <summary>The table of a domain with vCPUs.</summary>
    internal EventChannelTable(Domain domain, int vcpuCount)
    {
        _domain = domain;
        _lock = domain.EventLock;
        _bits = new EventBits(domain.Machine.Memory, domain.SharedInfoFrame);
        _virqPorts = new uint[vcpuCount * EventChannelLimits.NrVirqs];
        Owner = domain.Id;
    }

    /// <summary>A table of code in this process that acts as a domain: it has host ports only.</summary>
    internal EventChannelTable(DomId owner)
    {
        _lock = new Lock();
        _virqPorts = [];
        Owner = owner;
    }

    /// <summary>Whose ports these are.</summary>
    public DomId Owner { get; }

    /// <summary>Sends an event through a port, as the guest asks (EVTCHNOP_send). A port that nobody has bound to drops it silently.</summary>
    /// <returns>EINVAL: no such port, or one that only the hypervisor sends to.</returns>
    public XenErrno Send(EvtchnPort port)
    {
        EventChannel channel = Find(port);
        switch (channel.State)
        {
            case EvtchnStatusKind.Interdomain when channel.OnNotify is null:
                channel.Peer!.Deliver(channel.PeerPort, this, port);
                return XenErrno.OK;
            case EvtchnStatusKind.Ipi:
                Raise(port, EvtchnStatusKind.Ipi);
                return XenErrno.OK;
            case EvtchnStatusKind.Unbound when channel.OnNotify is null:
                return XenErrno.OK;
            default:
                return XenErrno.EINVAL;
        }
    }

    /// <summary>Clears a port's mask and, if an event came meanwhile, tells its vCPU (EVTCHNOP_unmask).</summary>
    public XenErrno Unmask(EvtchnPort port)
    {
        lock (_lock)
        {
            EventChannel channel = Find(port);
            if (channel.State == EvtchnStatusKind.Closed || _bits is null)
                return XenErrno.EINVAL;
            if (_bits.TestAndClearMask(port) && _bits.IsPending(port))
                TellVcpu(port, channel);
            return XenErrno.OK;
        }
    }

    /// <summary>Whether an event waits at the port, masked or not: what SCHEDOP_poll asks.</summary>
    public bool IsPending(EvtchnPort port) => port.Value is > 0 and < PortLimit && _bits is not null && _bits.IsPending(port);

    /// <summary>Whether the port is in use.</summary>
    public bool IsValid(EvtchnPort port) => Find(port).State != EvtchnStatusKind.Closed;

    /// <summary>Raises a virtual interrupt line; nothing happens when the guest has not bound it. Any thread.</summary>
    internal void SendVirq(int vcpu, VirtualIrq virq)
    {
        lock (_lock)
        {
            int row = VirtualIrqs.IsPerVcpu(virq) ? vcpu : 0;
            uint port = _virqPorts.Length == 0 ? 0 : _virqPorts[VirqIndex(row, virq)];
            if (port != 0)
                SetPending(new EvtchnPort(port), Find(new EvtchnPort(port)));
        }
    }

    /// <summary>An event arrives from the other end of an interdomain channel.</summary>
    private void Deliver(EvtchnPort port, EventChannelTable sender, EvtchnPort senderPort)
    {
        Action? callback;
        lock (_lock)
        {
            EventChannel channel = Find(port);
            if (channel.State != EvtchnStatusKind.Interdomain || channel.Peer != sender || channel.PeerPort != senderPort)
                return;
            callback = channel.OnNotify;
            if (callback is null)
                SetPending(port, channel);
        }

        callback?.Invoke();
    }

    private void Raise(EvtchnPort port, EvtchnStatusKind expected)
    {
        lock (_lock)
        {
            EventChannel channel = Find(port);
            if (channel.State == expected)
                SetPending(port, channel);
        }
    }

    /// <summary>Marks a port pending and, unless it was already or is masked, tells its vCPU.</summary>
    private void SetPending(EvtchnPort port, EventChannel channel)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        if (_bits is null || _bits.TestAndSetPending(port))
            return;
        if (!_bits.IsMasked(port))
            TellVcpu(port, channel);
        _domain!.WakePollers(port);
    }

    private void TellVcpu(EvtchnPort port, EventChannel channel)
    {
        Vcpu vcpu = _domain!.Vcpus[channel.NotifyVcpu];
        if (!vcpu.Info.TestAndSetSelector(EventBits.WordOf(port)) && !vcpu.Info.TestAndSetUpcallPending())
            vcpu.Wake();
    }

    private EventChannel Find(EvtchnPort port)
    {
        EventChannel[] ports = Volatile.Read(ref _ports);
        return port.Value < (uint)ports.Length ? Volatile.Read(ref ports[port.Value]) : EventChannel.Free;
    }

    private static int VirqIndex(int vcpu, VirtualIrq virq) => (vcpu * EventChannelLimits.NrVirqs) + (int)virq;
}
