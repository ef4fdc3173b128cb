using System.Buffers.Binary;
using Xen.Abi;
using Xen.Drivers.Block.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Block.Frontend;

/// <summary>One ring of a frontend with its event channel and its requests under way.</summary>
internal sealed class FrontendQueue : IDisposable
{
    private readonly Lock _lock = new();
    private readonly FrontendPages _pages;
    private readonly FrontendPage[] _ringPages;
    private readonly IGrantSource _grants;
    private readonly FrontendRing _ring;
    private readonly IEventPort _channel;
    private readonly SemaphoreSlim _room;
    private readonly Action<string> _fail;

    /// <summary>The requests under way, by the low half of their number; the free ones wait in a stack.</summary>
    private readonly Shadow[] _shadows;
    private readonly Stack<int> _free;
    private bool _closed;

    private FrontendQueue(
        XenbusFrontendContext context, FrontendPage[] ringPages, FrontendPages pages, bool is32Bit, IEventPort channel, EvtchnPort port)
    {
        _ringPages = ringPages;
        _grants = context.Grants;
        _fail = context.Fail;
        _pages = pages;
        _ring = FrontendRing.Initialise(new SharedPages([.. ringPages.Select(p => p.Page)]), is32Bit);
        _channel = channel;
        Port = port;
        _room = new SemaphoreSlim(_ring.Size);
        _shadows = [.. Enumerable.Range(0, _ring.Size).Select(_ => new Shadow())];
        _free = new Stack<int>(Enumerable.Range(0, _ring.Size));
        channel.SetHandler(Poll);
    }

    public EvtchnPort Port { get; }

    public IEnumerable<GrantRef> RingRefs => _ringPages.Select(page => page.Reference);

    /// <summary>Why the ring is closed for good, or null.</summary>
    public string? Fault => _ring.Fault;

    /// <summary>Makes an empty ring and a channel.</summary>
    /// <returns>Null, or what there was not enough of; then nothing is held.</returns>
    public static string? Open(XenbusFrontendContext context, FrontendPages data, int pages, bool is32Bit, out FrontendQueue? queue)
    {
        queue = null;
        FrontendPage[] ring = [.. Enumerable.Range(0, pages).Select(_ => new FrontendPage(context.Grants.AllocatePage()))];
        foreach (FrontendPage page in ring)
        {
            page.IsGranted = context.Grants.Grant(page.Page, context.Backend, readOnly: false, out GrantRef reference) == GrantStatus.Okay;
            page.Reference = reference;
        }

        XenErrno errno = XenErrno.ENOSPC;
        EvtchnPort port = default;
        IEventPort? channel = null;
        if (Array.TrueForAll(ring, page => page.IsGranted))
            errno = context.Events.AllocateUnbound(context.Backend, out port, out channel);
        if (channel is null)
        {
            foreach (FrontendPage page in ring)
                FrontendPages.End(context.Grants, page);
            return $"no ring and event channel: {errno}";
        }

        queue = new FrontendQueue(context, ring, data, is32Bit, channel, port);
        return null;
    }

    /// <summary>Sends a request and waits for its response.</summary>
    /// <param name="request">The request, but for its number and pages.</param>
    /// <param name="segments">Its segments, but for their pages.</param>
    /// <param name="from">What to write.</param>
    /// <param name="into">Where to put what was read.</param>
    public async Task<BlkifStatus> SendAsync(BlkifRequest request, BlkifSegment[] segments, ReadOnlyMemory<byte> from, Memory<byte> into)
    {
        await _room.WaitAsync().ConfigureAwait(false);
        Task<BlkifStatus>? done = Begin(request, segments, from, into);
        BlkifStatus status = done is null ? BlkifStatus.Error : await done.ConfigureAwait(false);
        _room.Release();
        return status;
    }

    /// <summary>Fails what is under way and gives the ring back.</summary>
    public void Dispose()
    {
        _channel.SetHandler(null);
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
            FailAll();
        }

        _channel.Dispose();
        foreach (FrontendPage page in _ringPages)
            FrontendPages.End(_grants, page);
    }

    private void FailAll()
    {
        foreach (Shadow shadow in _shadows.Where(s => s.Done is not null))
        {
            ReturnPages(shadow);
            shadow.Done!.TrySetResult(BlkifStatus.Error);
            shadow.Done = null;
        }
    }

    private Task<BlkifStatus>? Begin(BlkifRequest request, BlkifSegment[] segments, ReadOnlyMemory<byte> from, Memory<byte> into)
    {
        bool notify;
        Task<BlkifStatus> done;
        lock (_lock)
        {
            if (_closed || _ring.Fault is not null)
                return null;
            int at = _free.Pop();
            Shadow shadow = _shadows[at];
            shadow.Begin(request.Answered, into, segments);
            if (!TakePages(shadow, ref request, segments, readOnly: request.Answered != BlkifOperation.Read))
            {
                ReturnPages(shadow);
                shadow.Done = null;
                _free.Push(at);
                return null;
            }

            shadow.CopyIn(from.Span);
            request.Id = ((ulong)++shadow.Generation << 32) | (uint)at;
            _ring.TryPut(request);
            done = shadow.Done!.Task;
            notify = _ring.Push();
        }

        if (notify)
            _channel.Notify();
        return done;
    }

    private bool TakePages(Shadow shadow, ref BlkifRequest request, BlkifSegment[] segments, bool readOnly)
    {
        bool isIndirect = request.Operation == BlkifOperation.Indirect;
        FrontendPage? indirect = null;
        for (int i = 0; i < segments.Length; i++)
        {
            if (_pages.Take(readOnly) is not { } page)
                return false;
            shadow.Pages.Add(page);
            segments[i] = segments[i] with { Gref = page.Reference.Value };
            if (!isIndirect)
            {
                request.Seg[i] = segments[i];
                continue;
            }

            (int at, int slot) = Math.DivRem(i, Blkif.SegmentsPerIndirectPage);
            if (slot == 0)
            {
                indirect = _pages.Take(readOnly: true);
                if (indirect is null)
                    return false;
                shadow.IndirectPages.Add(indirect);
                request.IndirectGrefs[at] = indirect.Reference.Value;
            }

            Span<byte> wire = indirect!.Page.Bytes.Slice(slot * BlkifSegment.Size, BlkifSegment.Size);
            BinaryPrimitives.WriteUInt32LittleEndian(wire, segments[i].Gref);
            wire[4] = segments[i].FirstSect;
            wire[5] = segments[i].LastSect;
        }

        return true;
    }

    /// <summary>Takes responses, until there are none and the backend knows to tell of the next.</summary>
    private void Poll()
    {
        lock (_lock)
        {
            do
            {
                while (!_closed && _ring.TryTake(out BlkifResponse response))
                    Finish(response);
            }
            while (!_closed && _ring.FinalCheckForResponses());
            if (_ring.Fault is null || _closed)
                return;
            FailAll();
        }

        _fail(_ring.Fault);
    }

    private void Finish(in BlkifResponse response)
    {
        uint at = (uint)response.Id;
        Shadow? shadow = at < (uint)_shadows.Length ? _shadows[at] : null;

        // A backend is a peer: an answer to what was not asked is no answer.
        if (shadow?.Done is not { } done || shadow.Generation != (uint)(response.Id >> 32) || shadow.Operation != response.Operation)
            return;
        if (response.Status == BlkifStatus.Okay)
            shadow.CopyOut();
        ReturnPages(shadow);
        shadow.Done = null;
        _free.Push((int)at);
        done.TrySetResult(response.Status);
    }

    private void ReturnPages(Shadow shadow)
    {
        foreach (FrontendPage page in shadow.Pages)
            _pages.Return(page);
        foreach (FrontendPage page in shadow.IndirectPages)
            _pages.Return(page);
        shadow.Pages.Clear();
        shadow.IndirectPages.Clear();
    }

    /// <summary>What we remember of a request under way.</summary>
    private sealed class Shadow
    {
        private BlkifSegment[] _segments = [];
        private Memory<byte> _into;

        public List<FrontendPage> Pages { get; } = [];

        public List<FrontendPage> IndirectPages { get; } = [];

        public uint Generation { get; set; }

        public BlkifOperation Operation { get; private set; }

        public TaskCompletionSource<BlkifStatus>? Done { get; set; }

        public void Begin(BlkifOperation operation, Memory<byte> into, BlkifSegment[] segments)
        {
            Operation = operation;
            _into = into;
            _segments = segments;
            Done = new TaskCompletionSource<BlkifStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        public void CopyIn(ReadOnlySpan<byte> from)
        {
            for (int i = 0; i < Pages.Count && from.Length > 0; i++)
            {
                Span<byte> part = Part(i);
                from[..part.Length].CopyTo(part);
                from = from[part.Length..];
            }
        }

        public void CopyOut()
        {
            Span<byte> into = _into.Span;
            for (int i = 0; i < Pages.Count && into.Length > 0; i++)
            {
                Span<byte> part = Part(i);
                part.CopyTo(into);
                into = into[part.Length..];
            }
        }

        private Span<byte> Part(int i) =>
            Pages[i].Page.Bytes.Slice(_segments[i].FirstSect << Blkif.SectorShift, _segments[i].Sectors << Blkif.SectorShift);
    }
}
