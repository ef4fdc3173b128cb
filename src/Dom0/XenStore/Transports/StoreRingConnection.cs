using System.Buffers.Binary;
using Xen.Abi;
using Xen.Rings;

namespace Xen.XenStore;

/// <summary>
/// A guest's connection through its ring page. Requests are taken one by one, and none while too many answers wait: a guest that does not read
/// stops only itself. A broken ring ends the connection, and the page says why, until the guest asks for a reconnect.
/// <b>Source</b>: io/xs_wire.h, docs/misc/xenstore-ring.txt.
/// </summary>
/// <remarks>All work is done on pool threads, one at a time, after an event or when the outbox got something: the caller of either only queues it.</remarks>
public sealed class StoreRingConnection : IThreadPoolWorkItem, IDisposable
{
    /// <summary>Requests that one turn takes before others get the thread.</summary>
    private const int Turn = 64;

    private const int Idle = 0, Queued = 1;

    private static readonly ByteRingLayout RequestRing = new(
        XenStoreInterfaceLayout.Req, XenStoreInterfaceLayout.RingSize, XenStoreInterfaceLayout.ReqCons, XenStoreInterfaceLayout.ReqProd);

    private static readonly ByteRingLayout ResponseRing = new(
        XenStoreInterfaceLayout.Rsp, XenStoreInterfaceLayout.RingSize, XenStoreInterfaceLayout.RspCons, XenStoreInterfaceLayout.RspProd);

    /// <summary>Guards all below but the queue state; taken before the server's lock.</summary>
    private readonly Lock _lock = new();
    private readonly StoreServer _server;
    private readonly ISharedPage _page;
    private readonly IEventPort _events;
    private readonly PacketAssembler _packet = new();
    private ByteRing _requests;
    private ByteRing _responses;
    private string? _fault;
    private bool _closed;

    /// <summary>Nothing was moved since the rings were looked at behind a barrier.</summary>
    private bool _isSettled = true;
    private int _state;

    internal StoreRingConnection(StoreServer server, StoreDomain domain, ISharedPage page, IEventPort events)
    {
        _server = server;
        _page = page;
        _events = events;
        _requests = new ByteRing(page, RequestRing);
        _responses = new ByteRing(page, ResponseRing);
        Client = new RingClient(domain, this);
    }

    /// <summary>The domain that is served.</summary>
    public DomId Domain => Client.Domain.Id;

    internal StoreClient Client { get; }

    /// <summary>Shows the features and begins to serve what is in the ring.</summary>
    internal void Start()
    {
        lock (_lock)
        {
            if (_closed)
                return;
            Set(XenStoreInterfaceLayout.ServerFeatures, Client.Domain.Features);
            Set(XenStoreInterfaceLayout.Error, (uint)XenStoreRingError.None);
        }

        _events.SetHandler(Queue);
        Queue();
    }

    /// <summary>Lets go of page and channel. The server has closed the client before.</summary>
    public void Dispose()
    {
        _events.SetHandler(null);
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
            _events.Dispose();
            _page.Dispose();
        }
    }

    /// <summary>One turn of work.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        // From here on an event queues another turn: it may come after we looked.
        Volatile.Write(ref _state, Idle);
        Interlocked.MemoryBarrier();
        string? broken = null;
        bool more = false;
        lock (_lock)
        {
            if (_closed || Client.IsClosed)
                return;
            if (Get(XenStoreInterfaceLayout.Connection) == (uint)XenStoreConnection.Reconnect)
                Reconnect();
            if (_fault is null)
            {
                more = Serve();
                broken = _fault;
            }
        }

        _server.Report(Client);
        if (broken is not null)
            _server.ReportBroken(Domain, broken);
        if (more)
            Queue();
    }

    private void Queue()
    {
        if (Interlocked.Exchange(ref _state, Queued) == Idle)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Moves bytes both ways.</summary>
    /// <returns>Whether there may be more to do.</returns>
    /// <remarks>
    /// Linux notifies only if it finds that we have read all that was there before, or that the ring was full. It stores its index and loads ours without
    /// a barrier between them, and a processor may do that in the other order: then it finds our old index while we find its old one, and both sleep.
    /// So before we sleep all threads of this process, those of its vCPUs too, get a barrier, and we look once more.
    /// </remarks>
    private bool Serve()
    {
        bool moved = false, more = true;
        for (int taken = 0; more && taken < Turn;)
        {
            bool sent = Send();
            bool took = Client.Outbox.Count < Math.Max(1, Client.Domain.Quotas.Outstanding) && Take(ref taken);
            more = sent | took;
            moved |= more;
            _isSettled &= !more;
            if (more || _isSettled)
                continue;
            _events.Notify();
            Interlocked.MemoryBarrierProcessWide();
            _isSettled = more = true;
            moved = false;
        }

        if (moved)
            _events.Notify();
        if (_fault is null && (_requests.Fault ?? _responses.Fault) is { } fault)
            Break(fault, XenStoreRingError.RingIdx);
        return more && _fault is null;
    }

    private bool Send()
    {
        bool any = false;
        while (true)
        {
            ReadOnlySpan<byte> bytes = Client.Outbox.Peek();
            int count = bytes.IsEmpty ? 0 : _responses.Write(bytes);
            if (count == 0)
                return any;
            Client.Outbox.Sent(count);
            any = true;
        }
    }

    /// <summary>Takes what is there of a message and, when it is whole, handles it.</summary>
    private bool Take(ref int taken)
    {
        int count = _requests.Read(_packet.Wanted);
        if (count == 0)
            return false;
        _packet.Took(count);
        if (_packet.IsBroken)
        {
            Break($"a message of {_packet.Header.Len} bytes", XenStoreRingError.Proto);
            return false;
        }

        if (!_packet.IsComplete)
            return true;
        taken++;
        _server.Requests.Handle(Client, _packet.Header, _packet.Payload);
        _packet.Restart();
        return true;
    }

    /// <summary>The guest broke the ring: nothing is read or written until it asks for a reconnect.</summary>
    private void Break(string reason, XenStoreRingError error)
    {
        _fault = reason;
        _server.Reset(Client);
        Client.Outbox.Clear();
        Set(XenStoreInterfaceLayout.Error, (uint)error);
        _events.Notify();
    }

    /// <summary>As the guest asked: everything from its start, the rings empty.</summary>
    private void Reconnect()
    {
        _server.Reset(Client);
        Client.Outbox.Clear();
        _packet.Restart();
        _fault = null;
        Set(XenStoreInterfaceLayout.ReqCons, 0);
        Set(XenStoreInterfaceLayout.ReqProd, 0);
        Set(XenStoreInterfaceLayout.RspCons, 0);
        Set(XenStoreInterfaceLayout.RspProd, 0);
        Set(XenStoreInterfaceLayout.Error, (uint)XenStoreRingError.None);
        _requests = new ByteRing(_page, RequestRing);
        _responses = new ByteRing(_page, ResponseRing);

        // The guest looks at nothing but this word until it changes.
        Interlocked.MemoryBarrier();
        Set(XenStoreInterfaceLayout.Connection, (uint)XenStoreConnection.Connected);
        _events.Notify();
    }

    private uint Get(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_page.Bytes[offset..]);

    private void Set(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_page.Bytes[offset..], value);

    private sealed class RingClient(StoreDomain domain, StoreRingConnection ring) : StoreClient(domain)
    {
        public override void Wake() => ring.Queue();
    }
}
