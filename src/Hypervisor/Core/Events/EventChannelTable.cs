using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// A domain's event channels: its ports, what each is bound to, and how an event travels from one to another. Read this first.
/// Split by verb: this file has sending, others allocate, bind, close, and set up the FIFO ABI. How a pending event looks to the guest is <see cref="IEventAbi"/>'s.
/// </summary>
/// <remarks>
/// Locks: a table's ports are changed under its lock (<see cref="Domain.EventLock"/>); what changes both ends of a channel takes both locks, the lower domain
/// number first. Sending takes neither. A sender reads its own port and then the receiver's (ports are immutable objects) inside of the receiver's
/// <see cref="SenderGate"/>, checks that they are still two ends of one channel, and sets the event. Closing a port shuts the gate for a moment, so that no
/// event of an old channel reaches who gets the port next. Waking a vCPU takes the scheduler's lock. Host callbacks run without locks and outside of the gate.
/// </remarks>
public sealed partial class EventChannelTable
{
    /// <summary>Ports of a table whose domain has set no limit, and the most that xl gives if nothing is said (max_event_channels).</summary>
    public const int DefaultMaxPort = 1023;

    /// <summary>Smallest number of ports that the table has objects for; more come as they are needed. A guest can tell: beyond them there is no port.</summary>
    private const int FirstPorts = 64;

    private readonly Lock _lock;
    private readonly Domain? _domain;
    private readonly SenderGate _gate = new();
    private readonly PortSet _inUse = new();

    /// <summary>How many handlers of this table's host ports each thread is in.</summary>
    private readonly ConditionalWeakTable<Thread, StrongBox<int>> _inHandlers = [];

    /// <summary>Null for a table that has host ports only. Changed under the lock; senders look again after they have set an event.</summary>
    private IEventAbi? _abi;

    private EventChannel[] _ports = NewPorts();

    /// <summary>Port of each vCPU's virtual lines, 0 for none; global lines are in vCPU 0's row. Written under the lock.</summary>
    private readonly uint[] _virqPorts;

    private bool _closed;

    /// <summary>The table of a domain with vCPUs.</summary>
    internal EventChannelTable(Domain domain, int vcpuCount)
    {
        _domain = domain;
        _lock = domain.EventLock;
        _abi = new TwoLevelEvents(domain);
        _virqPorts = new uint[vcpuCount * EventChannelLimits.NrVirqs];
        Owner = domain.Id;
    }

    /// <summary>A table of code in this process that acts as a domain: it has host ports only.</summary>
    internal EventChannelTable(DomId owner)
    {
        _lock = new Lock();
        _virqPorts = [];
        Owner = owner;
        MaxPort = FifoEventLimits.NrChannels - 1;
    }

    /// <summary>Whose ports these are.</summary>
    public DomId Owner { get; }

    /// <summary>The highest port that may be used, whatever the ABI has room for (max_event_channels). To be set before the domain runs.</summary>
    public int MaxPort { get; internal set; } = DefaultMaxPort;

    /// <summary>Ports in use, those of the host included.</summary>
    public int PortsInUse
    {
        get
        {
            lock (_lock)
                return _inUse.Count;
        }
    }

    /// <summary>Sends an event through a port, as the guest asks (EVTCHNOP_send). A port that nobody has bound to drops it silently.</summary>
    /// <returns>EINVAL: no such port, or one that only the hypervisor sends to.</returns>
    public XenErrno Send(EvtchnPort port)
    {
        EventChannel channel = Find(port);
        if (channel.Host is not null)
            return XenErrno.EINVAL;
        switch (channel.State)
        {
            case EvtchnStatusKind.Interdomain:
                channel.Peer!.Deliver(channel.PeerPort, this, port);
                return XenErrno.OK;
            case EvtchnStatusKind.Ipi:
                Raise(port, EvtchnStatusKind.Ipi, default);
                return XenErrno.OK;
            case EvtchnStatusKind.Unbound:
                return XenErrno.OK;
            default:
                return XenErrno.EINVAL;
        }
    }

    /// <summary>Sends through a host port, as its owner. The guest cannot. A full barrier; takes no lock of a table.</summary>
    /// <returns>EINVAL: no host port, or it is closed.</returns>
    public XenErrno NotifyFromHost(EvtchnPort port)
    {
        EventChannel channel = Find(port);
        if (channel.Host is null)
            return XenErrno.EINVAL;
        Interlocked.MemoryBarrier();
        channel.Peer?.Deliver(channel.PeerPort, this, port);
        return XenErrno.OK;
    }

    /// <summary>Clears a port's mask and, if an event came meanwhile, tells its vCPU (EVTCHNOP_unmask). Nothing happens to a port that is closed.</summary>
    /// <returns>EINVAL: a number that no port has.</returns>
    public XenErrno Unmask(EvtchnPort port)
    {
        if (!HasPort(port) || _abi is null)
            return XenErrno.EINVAL;
        if (!_gate.TryEnter())
            return XenErrno.OK;
        EventChannel channel = Find(port);
        if (channel.State != EvtchnStatusKind.Closed && channel.Host is null)
            Abi.Unmask(port, channel);
        _gate.Exit();
        return XenErrno.OK;
    }

    /// <summary>Whether an event waits at the port, masked or not: what SCHEDOP_poll asks.</summary>
    public bool IsPending(EvtchnPort port)
    {
        if (_abi is null || !HasPort(port) || !_gate.TryEnter())
            return false;
        bool pending = Abi.IsPending(port);
        _gate.Exit();
        return pending;
    }

    /// <summary>Whether the port is in use.</summary>
    public bool IsValid(EvtchnPort port) => Find(port).State != EvtchnStatusKind.Closed;

    /// <summary>Whether there is a port of that number, open or closed.</summary>
    public bool HasPort(EvtchnPort port) => port.Value < (uint)Volatile.Read(ref _ports).Length;

    /// <summary>Raises a virtual interrupt line; nothing happens when the guest has not bound it. Any thread, without locks.</summary>
    internal void SendVirq(int vcpu, VirtualIrq virq)
    {
        int index = VirqIndex(VirtualIrqs.IsPerVcpu(virq) ? vcpu : 0, virq);
        uint port = (uint)index < (uint)_virqPorts.Length ? Volatile.Read(ref _virqPorts[index]) : 0;
        if (port != 0)
            Raise(new EvtchnPort(port), EvtchnStatusKind.Virq, virq);
    }

    /// <summary>An event arrives from the other end of an interdomain channel.</summary>
    private void Deliver(EvtchnPort port, EventChannelTable sender, EvtchnPort senderPort)
    {
        // A host port's callback is called outside of the gate, and guards itself.
        EventChannel channel = Find(port);
        if (channel.Host is { } host)
        {
            if (IsEndOf(channel, sender, senderPort))
                host.Call();
            return;
        }

        if (_abi is null || !_gate.TryEnter())
            return;
        channel = Find(port);
        if (IsEndOf(channel, sender, senderPort) && channel.Host is null)
            SetPending(port, channel);
        _gate.Exit();
    }

    private static bool IsEndOf(EventChannel channel, EventChannelTable peer, EvtchnPort peerPort) =>
        channel.State == EvtchnStatusKind.Interdomain && channel.Peer == peer && channel.PeerPort == peerPort;

    private void Raise(EvtchnPort port, EvtchnStatusKind expected, VirtualIrq virq)
    {
        if (!_gate.TryEnter())
            return;
        EventChannel channel = Find(port);
        if (channel.State == expected && channel.Virq == virq)
            SetPending(port, channel);
        _gate.Exit();
    }

    /// <summary>Marks a port pending and tells its vCPU and who polls it. Inside of the gate.</summary>
    private void SetPending(EvtchnPort port, EventChannel channel)
    {
        IEventAbi? abi = Abi;
        bool first = false;
        while (true)
        {
            first |= abi.SetPending(port, channel);

            // The guest changed over meanwhile, and may have collected its events before this one was there.
            IEventAbi now = Abi;
            if (now == abi)
                break;
            abi = now;
        }

        if (first)
            _domain!.WakePollers(port);
    }

    private IEventAbi Abi => Volatile.Read(ref _abi)!;

    private EventChannel Find(EvtchnPort port)
    {
        EventChannel[] ports = Volatile.Read(ref _ports);
        return port.Value < (uint)ports.Length ? Volatile.Read(ref ports[port.Value]) : EventChannel.Free;
    }

    private void Set(EvtchnPort port, EventChannel channel)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread);
        Volatile.Write(ref _ports[port.Value], channel);
    }

    private static EventChannel[] NewPorts()
    {
        var ports = new EventChannel[FirstPorts];
        Array.Fill(ports, EventChannel.Free);
        return ports;
    }

    private static int VirqIndex(int vcpu, VirtualIrq virq) => (vcpu * EventChannelLimits.NrVirqs) + (int)virq;
}
