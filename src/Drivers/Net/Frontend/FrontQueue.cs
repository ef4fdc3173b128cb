using Xen.Abi;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Frontend;

/// <summary>One queue of a frontend: both rings, their channels and pages.</summary>
internal sealed class FrontQueue : IDisposable
{
    private const int TxSlotSize = 12;

    private readonly Lock _txLock = new();
    private readonly Lock _rxLock = new();
    private readonly NetFrontendOptions _options;
    private readonly Action<string> _fail;
    private readonly FrontPages _rings;
    private readonly FrontPages _txPages;
    private readonly FrontPages _rxPages;
    private readonly List<IEventPort> _channels = [];
    private readonly List<(string Name, uint Value)> _nodes = [];
    private readonly Stack<ushort> _txFree = [];
    private FrontRing<NetifTxRequest, NetifTxResponse>? _tx;
    private FrontRing<NetifRxRequest, NetifRxResponse>? _rx;
    private ushort[] _posted = [];
    private uint _postedHead;
    private uint _postedTail;
    private volatile bool _isClosed;

    private FrontQueue(XenbusFrontendContext context, NetFrontendOptions options)
    {
        _options = options;
        _fail = context.Fail;
        _rings = new FrontPages(context.Grants, context.Backend);
        _txPages = new FrontPages(context.Grants, context.Backend);
        _rxPages = new FrontPages(context.Grants, context.Backend);
    }

    public string? Fault { get; private set; }

    public long RxErrors { get; private set; }

    public long TxErrors { get; private set; }

    public IEnumerable<(string Name, uint Value)> Nodes => _nodes;

    /// <summary>For tests that speak the protocol badly.</summary>
    internal FrontRing<NetifTxRequest, NetifTxResponse> TxRing => _tx!;

    /// <inheritdoc cref="TxRing"/>
    internal FrontRing<NetifRxRequest, NetifRxResponse> RxRing => _rx!;

    internal FrontPages RingPages => _rings;

    internal FrontPages TxPages => _txPages;

    internal FrontPages RxPages => _rxPages;

    internal IEventPort TxEvents => _channels[0];

    internal IEventPort RxEvents => _channels[^1];

    public static string? Open(XenbusFrontendContext context, NetFrontendOptions options, bool split, Action handler, out FrontQueue? queue)
    {
        FrontQueue made = new(context, options);
        string? error = made._rings.Add(2, readOnly: false) ?? made.OpenChannels(context, split, handler);
        if (error is null)
        {
            made._tx = FrontRing<NetifTxRequest, NetifTxResponse>.Initialise(new SharedPages(made._rings.Page(0)), TxSlotSize);
            made._rx = FrontRing<NetifRxRequest, NetifRxResponse>.Initialise(new SharedPages(made._rings.Page(1)));
            made._nodes.Add((NetifNodes.TxRingRef, made._rings.Reference(0).Value));
            made._nodes.Add((NetifNodes.RxRingRef, made._rings.Reference(1).Value));
            error = made._txPages.Add(made._tx.Size, readOnly: true) ?? made._rxPages.Add(Math.Min(options.RxBuffers, made._rx.Size), readOnly: false);
        }

        queue = error is null ? made : null;
        if (error is null)
            made.Fill();
        else
            made.Dispose();
        return error;
    }

    public bool TrySend(ReadOnlySpan<byte> frame, in FrameOffload offload)
    {
        int fragments = Math.Max(1, (frame.Length + _options.FragmentSize - 1) / _options.FragmentSize), extras = offload.Gso == NetifGsoType.None ? 0 : 1;
        bool notify;
        lock (_txLock)
        {
            if (_isClosed || frame.Length > NetifLimits.MaxTxSize || !HasRoom(fragments + extras))
                return false;
            NetifTxFlags flags = (offload.CsumBlank ? NetifTxFlags.CsumBlank : 0) | (offload.CsumBlank || offload.Validated ? NetifTxFlags.DataValidated : 0);
            ushort size = (ushort)frame.Length;
            PutFragment(ref frame, flags | (extras > 0 ? NetifTxFlags.ExtraInfo : 0), size);
            if (extras > 0)
                _tx!.TryPut(NetifExtraInfo.Gso(offload.Gso, offload.GsoSize).AsTxSlot());
            while (frame.Length > 0)
                PutFragment(ref frame, NetifTxFlags.None, (ushort)Math.Min(frame.Length, _options.FragmentSize));
            notify = _tx!.Push();
        }

        if (notify)
            TxEvents.Notify();
        return true;
    }

    public bool TrySendExtra(NetifExtraInfo extra)
    {
        bool notify;
        lock (_txLock)
        {
            if (_isClosed || !HasRoom(2))
                return false;
            ushort id = _txFree.Pop();
            _tx!.TryPut(new NetifTxRequest { Gref = _txPages.Reference(id), Id = id, Flags = NetifTxFlags.ExtraInfo });
            _tx.TryPut(extra.AsTxSlot());
            notify = _tx.Push();
        }

        if (notify)
            TxEvents.Notify();
        return true;
    }

    public bool TryReceive(Frame into)
    {
        bool notify = false, got = false;
        lock (_rxLock)
        {
            while (!_isClosed && Fault is null && !got && (_rx!.HasUnconsumedResponses || _rx.FinalCheckForResponses()))
            {
                got = TakeFrame(into);
                notify |= Post();
            }

            Broke(_isClosed ? null : _rx!.Fault);
        }

        if (notify)
            RxEvents.Notify();
        return got;
    }

    public void Dispose()
    {
        lock (_txLock)
        {
            lock (_rxLock)
                _isClosed = true;
        }

        foreach (IEventPort channel in _channels)
            channel.Dispose();
        _channels.Clear();
        _txPages.Dispose();
        _rxPages.Dispose();
        _rings.Dispose();
    }

    private string? OpenChannels(XenbusFrontendContext context, bool split, Action handler)
    {
        foreach (string name in (string[])(split ? [NetifNodes.EventChannelTx, NetifNodes.EventChannelRx] : [NetifNodes.EventChannel]))
        {
            XenErrno error = context.Events.AllocateUnbound(context.Backend, out EvtchnPort port, out IEventPort? channel);
            if (error != XenErrno.OK)
                return $"no event channel for {name}: {error}";
            channel!.SetHandler(handler);
            _channels.Add(channel);
            _nodes.Add((name, port.Value));
        }

        return null;
    }

    private void Fill()
    {
        for (int i = _txPages.Count - 1; i >= 0; i--)
            _txFree.Push((ushort)i);
        _posted = new ushort[_rx!.Size];
        for (int i = 0; i < _rxPages.Count; i++)
            PostBuffer((ushort)i);
        _rx.Push();
    }

    private bool HasRoom(int slots)
    {
        do
        {
            while (_tx!.TryTake(out NetifTxResponse response))
                Reclaim(response);
            Broke(_tx.Fault);
            if (Fault is not null)
                return false;
        }
        while ((_tx.Free < slots || _txFree.Count < slots) && _tx.FinalCheckForResponses());
        return _tx.Free >= slots && _txFree.Count >= slots;
    }

    private void Reclaim(in NetifTxResponse response)
    {
        if (response.Status == NetifStatus.Null)
            return;
        if (response.Status != NetifStatus.Okay)
            TxErrors++;
        if (response.Id < _txPages.Count && _txFree.Count < _txPages.Count)
            _txFree.Push(response.Id);
        else
            Broke($"backend answered request {response.Id}, which there is not");
    }

    private void PutFragment(ref ReadOnlySpan<byte> frame, NetifTxFlags flags, ushort size)
    {
        ushort id = _txFree.Pop();
        int length = Math.Min(frame.Length, _options.FragmentSize);
        frame[..length].CopyTo(_txPages.Bytes(id));
        frame = frame[length..];
        if (frame.Length > 0)
            flags |= NetifTxFlags.MoreData;
        _tx!.TryPut(new NetifTxRequest { Gref = _txPages.Reference(id), Flags = flags, Id = id, Size = size });
    }

    /// <summary>Takes the slots of one frame; the first is there, and so is the rest unless the backend is broken.</summary>
    private bool TakeFrame(Frame into)
    {
        if (!Take(out NetifRxResponse first, out ushort buffer))
            return false;
        FrameOffload offload = new(
            (first.Flags & NetifRxFlags.CsumBlank) != 0, (first.Flags & (NetifRxFlags.CsumBlank | NetifRxFlags.DataValidated)) != 0);
        int length = 0;
        bool whole = CopyOut(first, buffer, into, ref length);
        for (bool more = (first.Flags & NetifRxFlags.ExtraInfo) != 0; more;)
        {
            if (!Take(out NetifRxResponse slot, out _))
                return Break();
            NetifExtraInfo extra = NetifExtraInfo.From(slot);
            more = extra.More;
            if (extra.Type == NetifExtraType.Gso)
                offload = offload with { Gso = extra.GsoType, GsoSize = extra.GsoSize };
        }

        for (NetifRxResponse slot = first; (slot.Flags & NetifRxFlags.MoreData) != 0;)
        {
            if (!Take(out slot, out buffer))
                return Break();
            whole &= CopyOut(slot, buffer, into, ref length);
        }

        if (whole && into.Set(length, offload))
            return true;
        RxErrors++;
        return false;
    }

    private bool Break()
    {
        Broke("backend's frame ends in the middle");
        return false;
    }

    private void Broke(string? reason)
    {
        if (Fault is not null || reason is null)
            return;
        Fault = reason;
        _fail(reason);
    }

    private bool Take(out NetifRxResponse response, out ushort buffer)
    {
        buffer = 0;
        if (!_rx!.TryTake(out response))
            return false;
        buffer = _posted[_postedHead++ % (uint)_posted.Length];
        return true;
    }

    private bool CopyOut(in NetifRxResponse slot, ushort buffer, Frame into, ref int length)
    {
        if (slot.Status < 0 || slot.Offset + slot.Status > Page.Size || length + slot.Status > Frame.MaxLength)
            return false;
        _rxPages.Bytes(buffer).Slice(slot.Offset, slot.Status).CopyTo(into.Room[length..]);
        length += slot.Status;
        return true;
    }

    /// <summary>Posts again the buffers whose responses were taken, oldest first.</summary>
    private bool Post()
    {
        while (_postedTail - _postedHead < (uint)_rxPages.Count)
            PostBuffer(_posted[(_postedTail - (uint)_rxPages.Count) % (uint)_posted.Length]);
        return _rx!.Push();
    }

    private void PostBuffer(ushort id)
    {
        if (_rx!.TryPut(new NetifRxRequest { Id = id, Gref = _rxPages.Reference(id) }))
            _posted[_postedTail++ % (uint)_posted.Length] = id;
    }
}
