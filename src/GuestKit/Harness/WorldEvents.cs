using Xen.Abi;
using Xen.Rings;

namespace Xen.GuestKit.Harness;

/// <summary>A domain's event channels, both ways: it binds to others' ports and allocates its own.</summary>
public sealed class WorldEvents : IEventPorts, IUnboundPorts
{
    private readonly World _world;
    private readonly DomId _owner;
    private readonly Dictionary<EvtchnPort, WorldEventPort> _ports = [];
    private uint _nextPort = 1;

    internal WorldEvents(World world, DomId owner) => (_world, _owner) = (world, owner);

    /// <summary>Decides before every binding by this domain; anything but OK is its result.</summary>
    public Func<DomId, EvtchnPort, XenErrno>? FailBind { get; set; }

    /// <summary>How many ports are open.</summary>
    public int Open
    {
        get
        {
            lock (_world.Lock)
                return _ports.Count;
        }
    }

    /// <inheritdoc/>
    public XenErrno BindInterdomain(DomId remote, EvtchnPort remotePort, out IEventPort? port)
    {
        port = null;
        XenErrno fault = FailBind?.Invoke(remote, remotePort) ?? XenErrno.OK;
        if (fault != XenErrno.OK)
            return fault;
        lock (_world.Lock)
        {
            if (_world.Find(remote) is not { } domain)
                return XenErrno.ESRCH;
            if (!domain.Events._ports.TryGetValue(remotePort, out WorldEventPort? end) || end.Remote != _owner || end.Peer is not null)
                return XenErrno.EINVAL;
            WorldEventPort ours = Add(remote);
            (ours.Peer, end.Peer) = (end, ours);

            // What was notified before there was a channel may be lost, so Xen raises the new end once.
            ours.Raise();
            port = ours;
            return XenErrno.OK;
        }
    }

    /// <summary>Allocates a port for a peer.</summary>
    public WorldEventPort AllocateUnbound(DomId remote)
    {
        lock (_world.Lock)
            return Add(remote);
    }

    /// <inheritdoc/>
    public XenErrno AllocateUnbound(DomId remote, out EvtchnPort port, out IEventPort? channel)
    {
        WorldEventPort made = AllocateUnbound(remote);
        (port, channel) = (made.Port, made);
        return XenErrno.OK;
    }

    internal IEnumerable<string> Held()
    {
        lock (_world.Lock)
            return [.. _ports.Values.Select(p => $"{_owner} has {p.Port} open to {p.Remote}")];
    }

    internal void CloseAll()
    {
        foreach (WorldEventPort port in _ports.Values)
            port.Detach();
        _ports.Clear();
    }

    internal void Close(WorldEventPort port)
    {
        lock (_world.Lock)
        {
            port.Detach();
            _ports.Remove(port.Port);
        }
    }

    private WorldEventPort Add(DomId remote)
    {
        WorldEventPort port = new(this, new EvtchnPort(_nextPort++), remote);
        _ports.Add(port.Port, port);
        return port;
    }
}

/// <summary>One end of an event channel. Handlers are called on the thread pool, one call at a time for each end.</summary>
public sealed class WorldEventPort : IEventPort, IThreadPoolWorkItem
{
    private readonly WorldEvents _owner;
    private WorldEventPort? _peer;
    private Action? _handler;
    private int _notified;

    // Pending: raised and not yet delivered. Scheduled: a delivery is queued or runs. Both change together, so no raise falls between.
    private int _state;

    private const int Pending = 1;
    private const int Scheduled = 2;

    internal WorldEventPort(WorldEvents owner, EvtchnPort port, DomId remote) => (_owner, Port, Remote) = (owner, port, remote);

    public EvtchnPort Port { get; }

    /// <summary>Who is, or may be, at the other end.</summary>
    public DomId Remote { get; }

    /// <summary>How often this end has notified its peer.</summary>
    public int Notified => Volatile.Read(ref _notified);

    internal WorldEventPort? Peer
    {
        get => Volatile.Read(ref _peer);
        set => Volatile.Write(ref _peer, value);
    }

    /// <inheritdoc/>
    public void Notify()
    {
        Interlocked.Increment(ref _notified);
        Peer?.Raise();
    }

    /// <inheritdoc/>
    public void SetHandler(Action? handler)
    {
        Volatile.Write(ref _handler, handler);
        if (handler is not null)
            Schedule(0);
    }

    /// <summary>Closes this end; the other can be bound to again, as on Xen.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _handler, null);
        _owner.Close(this);
    }

    void IThreadPoolWorkItem.Execute()
    {
        for (; ; )
        {
            Action? handler = Volatile.Read(ref _handler);
            if (handler is not null && (Interlocked.And(ref _state, ~Pending) & Pending) != 0)
                handler();

            // Back to rest, unless it was raised meanwhile and somebody listens.
            int state = Volatile.Read(ref _state);
            bool more = (state & Pending) != 0 && Volatile.Read(ref _handler) is not null;
            if (!more && Interlocked.CompareExchange(ref _state, state & ~Scheduled, state) == state)
                break;
        }

        // A handler that was set after the last look found a delivery scheduled, and left it to that.
        if (Volatile.Read(ref _handler) is not null)
            Schedule(0);
    }

    internal void Raise() => Schedule(Pending);

    internal void Detach()
    {
        if (Peer is { } peer)
            peer.Peer = null;
        Peer = null;
    }

    private void Schedule(int raise)
    {
        int state = Interlocked.Or(ref _state, raise) | raise;
        if ((state & Pending) != 0 && Volatile.Read(ref _handler) is not null && (Interlocked.Or(ref _state, Scheduled) & Scheduled) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
