using System.Diagnostics;
using Xen.Abi;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Backend;

/// <summary>How a round of work ended.</summary>
internal enum TxRound
{
    /// <summary>There is more to do.</summary>
    Busy,

    /// <summary>Nothing is left; the next request will be notified.</summary>
    Idle,

    /// <summary>The guest has sent as much as it may for now.</summary>
    Throttled,

    /// <summary>The ring is broken.</summary>
    Broken,
}

/// <summary>
/// From the guest to the network: takes the slots of one frame, checks them, copies the bytes, answers, sends. One thread.
/// </summary>
/// <remarks>
/// A frontend publishes all slots of a frame at once. A frame that ends in the middle is therefore a broken ring: nobody can tell where
/// the next one begins. What is wrong within a frame is answered with an error, and the next one is served.
/// </remarks>
internal sealed class TxPath
{
    private const int RoundSize = 64;

    private readonly XenbusBackendContext _context;
    private readonly BackRing<NetifTxRequest, NetifTxResponse> _ring;
    private readonly IEventPort _events;
    private readonly INetPort _port;
    private readonly MulticastFilter _multicast;
    private readonly TokenBucket? _bucket;
    private readonly NetCounters _counters;
    private readonly Frame _frame = new();

    // The slots of the frame in hand. As many as a ring has can come before we give up; only so many can be part of a frame.
    private readonly NetifTxRequest[] _fragments = new NetifTxRequest[NetifLimits.MinSlots];
    private readonly ushort[] _ids;
    private int _slots;
    private int _extras;
    private int _rest;
    private bool _isBad;
    private NetifExtraInfo _gso;
    private NetifExtraInfo _membership;

    // From when on the frame in hand counts, as the stopwatch says: the round's begin, or when the network had the frame before. So the clock is read
    // once for a frame.
    private long _taken;

    public TxPath(
        XenbusBackendContext context,
        BackRing<NetifTxRequest, NetifTxResponse> ring,
        IEventPort events,
        INetPort port,
        MulticastFilter multicast,
        TokenBucket? bucket,
        NetCounters counters)
    {
        (_context, _ring, _events, _port, _multicast, _bucket, _counters) = (context, ring, events, port, multicast, bucket, counters);
        _ids = new ushort[ring.Size];
    }

    /// <summary>Why the ring is broken, once it is.</summary>
    public string? Fault { get; private set; }

    /// <summary>Serves a number of frames.</summary>
    /// <param name="wait">When throttled: for how long.</param>
    public TxRound Work(out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        TxRound round = TxRound.Busy;
        _taken = Stopwatch.GetTimestamp();
        for (int i = 0; i < RoundSize && round == TxRound.Busy; i++)
        {
            if (_bucket is not null && !_bucket.HasCredit(out wait))
                round = TxRound.Throttled;
            else if (_ring.TryTake(out NetifTxRequest first))
                round = Serve(first) ? TxRound.Busy : TxRound.Broken;
            else
                round = LookAgain();
        }

        Flush();
        return round;
    }

    private TxRound LookAgain()
    {
        Flush();
        if (_ring.FinalCheckForRequests())
            return TxRound.Busy;
        Fault = _ring.Fault is { } fault ? "tx ring: " + fault : null;
        return Fault is null ? TxRound.Idle : TxRound.Broken;
    }

    private void Flush()
    {
        if (_ring.Push())
            _events.Notify();
    }

    /// <returns>False if the ring is broken.</returns>
    private bool Serve(in NetifTxRequest first)
    {
        _slots = _extras = _rest = 0;
        _isBad = false;
        _gso = _membership = default;
        if (!TakeExtras(first) || !TakeFragments(first))
            return false;
        if (_membership.Type != NetifExtraType.None)
        {
            // A dummy request: only its extra information counts.
            Answer(ChangeMembership() ? NetifStatus.Okay : NetifStatus.Error);
            return true;
        }

        if (_isBad || !IsSound(first))
        {
            _counters.TxBad++;
            Answer(NetifStatus.Error);
            return true;
        }

        if (!Copy(first.Size))
        {
            _counters.TxErrors++;
            Answer(NetifStatus.Error);
            return true;
        }

        bool isFrame = _frame.Set(first.Size, OffloadOf(first));
        Answer(isFrame ? NetifStatus.Okay : NetifStatus.Error);
        if (isFrame)
            Send();
        else
            _counters.TxBad++;
        return true;
    }

    private bool TakeExtras(in NetifTxRequest first)
    {
        bool more = (first.Flags & NetifTxFlags.ExtraInfo) != 0;
        while (more)
        {
            if (!_ring.TryTake(out NetifTxRequest slot))
                return Break("extra information is announced and not there");
            NetifExtraInfo extra = NetifExtraInfo.From(slot);
            more = extra.More;
            _extras++;
            if (extra.Type == NetifExtraType.Gso)
                _gso = extra;
            else if (extra.Type is NetifExtraType.MulticastAdd or NetifExtraType.MulticastDelete)
                _membership = extra;
            else if (extra.Type is NetifExtraType.None or > NetifExtraType.Xdp)
                _isBad = true;
        }

        return true;
    }

    private bool TakeFragments(in NetifTxRequest first)
    {
        NetifTxRequest slot = first;
        for (; ; )
        {
            _isBad |= _slots >= _fragments.Length;
            if (!_isBad)
                _fragments[_slots] = slot;
            _ids[_slots++] = slot.Id;
            if (_slots > 1)
                _rest += slot.Size;
            if ((slot.Flags & NetifTxFlags.MoreData) == 0)
                return true;
            if (!_ring.TryTake(out slot))
                return Break("a frame's slots are announced and not there");
        }
    }

    private bool Break(string reason)
    {
        Fault = "tx ring: " + (_ring.Fault ?? reason);
        return false;
    }

    private bool IsSound(in NetifTxRequest first)
    {
        if (first.Size < PacketHeaders.EthernetSize || _rest > first.Size)
            return false;
        if (_gso.Type != NetifExtraType.None && _gso.GsoType is not (NetifGsoType.TcpV4 or NetifGsoType.TcpV6))
            return false;

        // Only now is it known how much of the frame the first slot has.
        _fragments[0].Size = (ushort)(first.Size - _rest);
        foreach (ref readonly NetifTxRequest fragment in _fragments.AsSpan(0, _slots))
        {
            if (fragment.Offset + fragment.Size > Page.Size)
                return false;
        }

        return true;
    }

    private bool Copy(int size)
    {
        Span<byte> into = _frame.Room[..size];
        foreach (ref readonly NetifTxRequest fragment in _fragments.AsSpan(0, _slots))
        {
            if (fragment.Size == 0)
                continue;
            GrantStatus status = _context.Grants.CopyFrom(_context.Frontend, fragment.Gref, fragment.Offset, into[..fragment.Size]);
            if (status != GrantStatus.Okay)
                return false;
            into = into[fragment.Size..];
        }

        return true;
    }

    private FrameOffload OffloadOf(in NetifTxRequest first)
    {
        bool blank = (first.Flags & NetifTxFlags.CsumBlank) != 0, validated = (first.Flags & NetifTxFlags.DataValidated) != 0;
        return _gso.Type == NetifExtraType.None
            ? new FrameOffload(blank, validated)
            : new FrameOffload(blank, validated, _gso.GsoType, _gso.GsoSize);
    }

    private void Answer(NetifStatus status)
    {
        _ring.PutResponse(new NetifTxResponse { Id = _ids[0], Status = status });
        for (int i = 0; i < _extras; i++)
            _ring.PutResponse(new NetifTxResponse { Status = NetifStatus.Null });
        for (int i = 1; i < _slots; i++)
            _ring.PutResponse(new NetifTxResponse { Id = _ids[i], Status = status });
    }

    private bool ChangeMembership()
    {
        if (!_isBad && _slots == 1 && _multicast.Change(_membership.Type == NetifExtraType.MulticastAdd, new MacAddress(_membership.MulticastAddress)))
            return true;
        _counters.TxBad++;
        return false;
    }

    private void Send()
    {
        _counters.TxPackets++;
        _counters.TxBytes += _frame.Length;
        _bucket?.Charge(_frame.Length);

        // Sending can take long: the guest has its buffers back before.
        Flush();
        _port.Send(_frame);
        _taken = _counters.TxLatency.Add(_taken);
    }
}
