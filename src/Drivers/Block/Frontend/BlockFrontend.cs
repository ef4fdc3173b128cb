using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Block.Protocol;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Block.Frontend;

/// <summary>
/// The frontend of a virtual disk, in C#: for guests made with the GuestKit, for examples and tests.
/// <code>
/// BlockFrontend disk = new();
/// using XenbusFrontendDevice device = new(disk, context, changed: status => ...);
/// device.Start();
/// ... connected: await disk.ReadAsync(0, buffer);
/// </code>
/// </summary>
/// <remarks>Reading and writing: any thread; while the device is not connected they fail. <b>Source</b>: io/blkif.h.</remarks>
public sealed class BlockFrontend(BlockFrontendOptions? options = null) : IXenbusFrontend
{
    private readonly BlockFrontendOptions _options = options ?? new BlockFrontendOptions();
    private FrontendPages? _data;
    private FrontendQueue[] _queues = [];
    private int _nextQueue;

    /// <summary>What the device is like; valid once connected.</summary>
    public BlockProperties Properties { get; private set; }

    /// <summary>Called when the device has connected, and when it has changed since, such as its size.</summary>
    public event Action<BlockProperties>? Changed;

    /// <summary>Why a ring is closed for good, or null while all are sound.</summary>
    public string? Fault => _queues.Select(q => q.Fault).FirstOrDefault(f => f is not null);

    /// <summary>How many rings there are.</summary>
    public int Queues => _queues.Length;

    /// <summary>A disk is of no use before its backend has said how large it is.</summary>
    public bool IsConnectedOncePublished => false;

    /// <inheritdoc/>
    public string? Publish(XenbusFrontendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        int count = (int)Math.Clamp(Offer(context, "multi-queue-max-queues", 1), 1, _options.Queues);
        int order = (int)Math.Clamp(Offer(context, "max-ring-page-order", 0), 0, _options.RingPageOrder);
        _data = new FrontendPages(context.Grants, context.Backend, _options.Persistent);
        List<FrontendQueue> queues = [];
        for (int i = 0; i < count; i++)
        {
            string? error = FrontendQueue.Open(context, _data, 1 << order, _options.Is32Bit, out FrontendQueue? queue);
            if (queue is null)
            {
                queues.ForEach(q => q.Dispose());
                return error;
            }

            queues.Add(queue);
        }

        _queues = [.. queues];
        XenErrno errno = context.Store.Transact(view => WriteNodes(new XenbusFolder(view, context.FrontendPath, "frontend"), order));
        if (errno == XenErrno.OK)
            return null;
        Disconnect();
        return $"the rings cannot be written to xenstore: {errno}";
    }

    /// <inheritdoc/>
    public string? Connect(XenbusFrontendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (Offer(context, "sectors", 0) == 0)
            return "backend never wrote sectors";
        BackendChanged(context);
        return null;
    }

    /// <inheritdoc/>
    public void BackendChanged(XenbusFrontendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        int most = (int)Math.Clamp(Offer(context, "feature-max-indirect-segments", 0), Blkif.MaxSegments, Blkif.SegmentsPerIndirectPage);
        Properties = new BlockProperties(
            Offer(context, "sectors", 0),
            (int)Offer(context, "sector-size", Blkif.SectorSize),
            (VdiskInfo)Offer(context, "info", 0),
            Offer(context, "feature-flush-cache", 0) == 1,
            Offer(context, "feature-discard", 0) == 1,
            Math.Min(most, _options.MaxSegments));
        Changed?.Invoke(Properties);
    }

    /// <inheritdoc/>
    public void Disconnect()
    {
        FrontendQueue[] queues = _queues;
        _queues = [];
        foreach (FrontendQueue queue in queues)
            queue.Dispose();
        _data?.Release();
        _data = null;
    }

    public void Dispose() => Disconnect();

    /// <summary>Reads sectors.</summary>
    /// <param name="sector">Where. <b>Units</b>: sectors of 512 bytes.</param>
    /// <param name="into">Where to put them; no more than a request carries.</param>
    /// <param name="lead">How many sectors of the first page to leave out, to 7.</param>
    /// <param name="queue">Which ring; -1 takes one after the other.</param>
    public Task<BlkifStatus> ReadAsync(long sector, Memory<byte> into, int lead = 0, int queue = -1) =>
        TransferAsync(BlkifOperation.Read, sector, into.Length, lead, queue, default, into);

    /// <summary>Writes sectors.</summary>
    /// <inheritdoc cref="ReadAsync"/>
    public Task<BlkifStatus> WriteAsync(long sector, ReadOnlyMemory<byte> from, int lead = 0, int queue = -1) =>
        TransferAsync(BlkifOperation.Write, sector, from.Length, lead, queue, from, default);

    /// <summary>Writes sectors, no more than 11 pages of them, after all earlier and before all later writes; they are stable when it is done.</summary>
    /// <inheritdoc cref="ReadAsync"/>
    public Task<BlkifStatus> BarrierAsync(long sector, ReadOnlyMemory<byte> from, int queue = -1) =>
        TransferAsync(BlkifOperation.WriteBarrier, sector, from.Length, 0, queue, from, default);

    /// <summary>Makes all writes stable that are done.</summary>
    public Task<BlkifStatus> FlushAsync(int queue = -1) =>
        SendAsync(queue, new BlkifRequest { Operation = BlkifOperation.FlushDiskcache }, [], default, default);

    /// <summary>Says that sectors are not needed any more.</summary>
    public Task<BlkifStatus> DiscardAsync(long sector, long count, bool secure = false, int queue = -1) => SendAsync(
        queue,
        new BlkifRequest
        {
            Operation = BlkifOperation.Discard,
            DiscardFlag = secure ? Blkif.DiscardSecure : (byte)0,
            SectorNumber = (ulong)sector,
            DiscardNrSectors = (ulong)count,
        },
        [], default, default);

    private async Task<BlkifStatus> TransferAsync(
        BlkifOperation operation, long sector, int length, int lead, int queue, ReadOnlyMemory<byte> from, Memory<byte> into)
    {
        BlkifSegment[] segments = Split(length >> Blkif.SectorShift, lead);
        BlkifRequest request = new() { SectorNumber = (ulong)sector };
        if (segments.Length > Blkif.MaxSegments)
        {
            request.Operation = BlkifOperation.Indirect;
            request.IndirectOp = operation;
            request.IndirectNrSegments = (ushort)segments.Length;
        }
        else
        {
            request.Operation = operation;
            request.NrSegments = (byte)segments.Length;
        }

        return await SendAsync(queue, request, segments, from, into).ConfigureAwait(false);
    }

    private static BlkifSegment[] Split(int sectors, int lead)
    {
        List<BlkifSegment> segments = [];
        for (int first = lead; sectors > 0; first = 0)
        {
            int count = Math.Min(sectors, Blkif.SectorsPerPage - first);
            segments.Add(new BlkifSegment(0, (byte)first, (byte)(first + count - 1)));
            sectors -= count;
        }

        return [.. segments];
    }

    private Task<BlkifStatus> SendAsync(
        int queue, in BlkifRequest request, BlkifSegment[] segments, ReadOnlyMemory<byte> from, Memory<byte> into)
    {
        FrontendQueue[] queues = _queues;
        if (queues.Length == 0)
            return Task.FromResult(BlkifStatus.Error);
        int at = queue >= 0 ? queue : (int)((uint)Interlocked.Increment(ref _nextQueue) % (uint)queues.Length);
        return queues[at].SendAsync(request, segments, from, into);
    }

    private XenErrno WriteNodes(XenbusFolder folder, int order)
    {
        List<(string Node, string Value)> nodes =
        [
            ("protocol", _options.Is32Bit ? IoProtocolAbi.X86_32 : IoProtocolAbi.X86_64),
            ("feature-persistent", _options.Persistent ? "1" : "0"),
        ];
        if (order > 0)
            nodes.Add(_options.NumRingPages ? ("num-ring-pages", Number(1 << order)) : ("ring-page-order", Number(order)));
        if (_queues.Length > 1)
            nodes.Add(("multi-queue-num-queues", Number(_queues.Length)));
        for (int i = 0; i < _queues.Length; i++)
        {
            string prefix = _queues.Length > 1 ? $"queue-{Number(i)}/" : "";
            int page = 0;
            foreach (GrantRef reference in _queues[i].RingRefs)
                nodes.Add((prefix + "ring-ref" + (order > 0 ? Number(page++) : ""), Number(reference.Value)));
            nodes.Add((prefix + "event-channel", Number(_queues[i].Port.Value)));
        }

        foreach ((string node, string value) in nodes)
        {
            XenErrno errno = folder.Write(node, value);
            if (errno != XenErrno.OK)
                return errno;
        }

        return XenErrno.OK;
    }

    private static long Offer(XenbusFrontendContext context, string node, long absent) =>
        context.Store.Read($"{context.BackendPath}/{node}", out string value) == XenErrno.OK
        && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : absent;

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
