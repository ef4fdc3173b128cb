using System.Diagnostics;
using Xen.Abi;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Backend;

/// <summary>
/// From the network to the guest: copies a frame into the buffers that the guest posted, on the sender's thread; where they do not suffice,
/// the frame waits, and the queue's worker goes on when the guest posts more. What waits is bounded.
/// </summary>
/// <remarks>Any thread; the lock is a leaf below the senders' (nothing of another device is called while it is held).</remarks>
internal sealed class RxPath
{
    private const int MostHeadroom = Page.Size / 2;

    private readonly object _lock = new();
    private readonly XenbusBackendContext _context;
    private readonly BackRing<NetifRxRequest, NetifRxResponse> _ring;
    private readonly IEventPort _events;
    private readonly NetCounters _counters;
    private readonly bool _scatterGather;
    private readonly bool _mayWait;

    // Buffers taken from the ring and not used yet, oldest first. As many as the ring has slots at most.
    private readonly NetifRxRequest[] _buffers;
    private int _firstBuffer;
    private int _bufferCount;

    private readonly FrameQueue _waiting;
    private int _headroom;
    private int _waiters;
    private bool _noWaits;
    private bool _isClosed;

    public RxPath(
        XenbusBackendContext context, FrontendNodes nodes, BackRing<NetifRxRequest, NetifRxResponse> ring, IEventPort events, int queueBytes, NetCounters counters)
    {
        (_context, _ring, _events, _counters) = (context, ring, events, counters);
        (_scatterGather, _mayWait) = (nodes.ScatterGather, nodes.RxNotify);
        _buffers = new NetifRxRequest[ring.Size];
        _waiting = new FrameQueue(queueBytes);
    }

    /// <summary>Why the ring is broken, once it is.</summary>
    public string? Fault
    {
        get
        {
            lock (_lock)
                return _ring.Fault is { } fault ? "rx ring: " + fault : null;
        }
    }

    /// <summary>
    /// Sets how many bytes the guest wants free before each fragment. What leaves too little of a page, though the protocol allows it,
    /// is taken as none.
    /// </summary>
    public void SetHeadroom(uint bytes)
    {
        lock (_lock)
            _headroom = bytes <= MostHeadroom ? (int)bytes : 0;
    }

    /// <summary>Takes a frame for the guest.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="info">What goes with it.</param>
    /// <param name="wait">When the queue is full, too, wait for the guest's buffers, if the guest tells of new ones.</param>
    /// <returns>False if the ring turned out to be broken.</returns>
    public bool Receive(ReadOnlySpan<byte> frame, in RxInfo info, bool wait)
    {
        bool notify, sound;
        long arrival = Stopwatch.GetTimestamp();
        lock (_lock)
        {
            bool taken = !_isClosed && TryTakeIn(frame, info, arrival);
            while (!taken && wait && _mayWait && !_noWaits && !_isClosed && _ring.Fault is null)
            {
                // What is in the ring has been announced: nothing was put since.
                _waiters++;
                Monitor.Wait(_lock);
                _waiters--;
                taken = !_isClosed && TryTakeIn(frame, info, arrival);
            }

            if (_isClosed)
                return true;
            if (!taken)
                _counters.RxDropped++;
            notify = _ring.Push();
            sound = _ring.Fault is null;
        }

        if (notify)
            _events.Notify();
        return sound;
    }

    /// <summary>Goes on with what waits.</summary>
    public void Drain()
    {
        bool notify;
        lock (_lock)
        {
            if (_isClosed)
                return;
            while (_waiting.Count > 0 && TryPut(_waiting.FirstBytes, _waiting.FirstInfo, _waiting.FirstArrival))
                _waiting.RemoveFirst();
            notify = _ring.Push();
            if (_waiters > 0)
                Monitor.PulseAll(_lock);
        }

        if (notify)
            _events.Notify();
    }

    /// <summary>From now on nobody waits, whose frames are dropped instead.</summary>
    public void EndWaits()
    {
        lock (_lock)
        {
            _noWaits = true;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>No page is touched after this.</summary>
    public void Close()
    {
        lock (_lock)
            _isClosed = true;
    }

    /// <summary>To the guest, or to those that wait for its buffers.</summary>
    private bool TryTakeIn(ReadOnlySpan<byte> frame, in RxInfo info, long arrival) =>
        (_waiting.Count == 0 && TryPut(frame, info, arrival)) || (_mayWait && _waiting.TryAdd(frame, info, arrival));

    /// <returns>False if the guest has not enough buffers now; it will notify when it posts some.</returns>
    private bool TryPut(ReadOnlySpan<byte> frame, in RxInfo info, long arrival)
    {
        int headroom = _headroom, room = Page.Size - headroom, size = frame.Length;
        int fragments = (frame.Length + room - 1) / room;
        bool isBig = info.Offload.Gso != NetifGsoType.None, hasHash = info.Hash.Type != NetifExtraType.None;
        int extras = (isBig ? 1 : 0) + (headroom > 0 ? 1 : 0) + (hasHash ? 1 : 0);
        if ((fragments > 1 && !_scatterGather) || fragments + extras > _ring.Size)
        {
            _counters.RxDropped++;
            return true;
        }

        if (!HasBuffers(fragments + extras))
            return false;
        bool whole = PutFragment(ref frame, FlagsOf(info.Offload), extras > 0);
        if (isBig)
            PutExtra(NetifExtraInfo.Gso(info.Offload.Gso, info.Offload.GsoSize), --extras > 0);
        if (headroom > 0)
            PutExtra(NetifExtraInfo.Xdp((ushort)headroom), --extras > 0);
        if (hasHash)
            PutExtra(info.Hash, more: false);
        while (frame.Length > 0)
            whole &= PutFragment(ref frame, NetifRxFlags.None, hasExtras: false);
        Count(whole, size, arrival);
        return true;
    }

    private void Count(bool whole, int size, long arrival)
    {
        if (!whole)
        {
            _counters.RxErrors++;
            return;
        }

        _counters.RxPackets++;
        _counters.RxBytes += size;
        _counters.RxLatency.Add(arrival);
    }

    private static NetifRxFlags FlagsOf(in FrameOffload offload)
    {
        if (offload.CsumBlank)
            return NetifRxFlags.CsumBlank | NetifRxFlags.DataValidated;
        return offload.Validated ? NetifRxFlags.DataValidated : NetifRxFlags.None;
    }

    private bool PutFragment(ref ReadOnlySpan<byte> frame, NetifRxFlags flags, bool hasExtras)
    {
        NetifRxRequest buffer = TakeBuffer();
        int size = Math.Min(frame.Length, Page.Size - _headroom);
        GrantStatus status = _context.Grants.CopyTo(_context.Frontend, buffer.Gref, _headroom, frame[..size]);
        frame = frame[size..];
        if (frame.Length > 0)
            flags |= NetifRxFlags.MoreData;
        if (hasExtras)
            flags |= NetifRxFlags.ExtraInfo;
        _ring.PutResponse(new NetifRxResponse
        {
            Id = buffer.Id,
            Offset = (ushort)_headroom,
            Flags = flags,
            Status = status == GrantStatus.Okay ? (short)size : (short)NetifStatus.Error,
        });
        return status == GrantStatus.Okay;
    }

    private void PutExtra(NetifExtraInfo extra, bool more)
    {
        // Its slot is that of a buffer, which the guest gets back unused.
        TakeBuffer();
        extra.Flags = more ? NetifExtraFlags.More : NetifExtraFlags.None;
        _ring.PutResponse(extra.AsRxSlot());
    }

    private bool HasBuffers(int count)
    {
        if (_bufferCount >= count)
            return true;
        do
        {
            while (_bufferCount < _buffers.Length && _ring.TryTake(out NetifRxRequest buffer))
                _buffers[(_firstBuffer + _bufferCount++) % _buffers.Length] = buffer;
        }
        while (_bufferCount < count && _ring.FinalCheckForRequests());
        return _bufferCount >= count;
    }

    private NetifRxRequest TakeBuffer()
    {
        NetifRxRequest buffer = _buffers[_firstBuffer];
        _firstBuffer = (_firstBuffer + 1) % _buffers.Length;
        _bufferCount--;
        return buffer;
    }
}
