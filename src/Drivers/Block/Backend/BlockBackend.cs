using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Block.Protocol;
using Xen.Drivers.Block.Storage;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Block.Backend;

/// <summary>
/// The backend of a virtual disk: offers a storage to a frontend, and serves its rings while it is connected. <b>Source</b>: io/blkif.h.
/// </summary>
/// <remarks>
/// The handshake calls <see cref="Advertise"/>, <see cref="Connect"/> and <see cref="Disconnect"/> one at a time; <see cref="Refresh"/> may be called on
/// any thread. <see cref="Dispose"/> closes the storage.
/// </remarks>
public sealed class BlockBackend : IXenbusBackend
{
    private readonly IBlockStorage _storage;
    private readonly BlockBackendOptions _options;

    /// <summary>Guards what follows. The store is never called with it held: whoever watches it may call us.</summary>
    private readonly Lock _life = new();
    private BlockMeters? _meters;
    private RequestEngine? _engine;
    private BlockQueue[] _queues = [];
    private XenbusBackendContext? _connected;
    private Timer? _sizeCheck;
    private bool _disposed;

    /// <summary>Makes a backend.</summary>
    /// <param name="storage">What the disk is kept in; owned from now on.</param>
    /// <param name="options">How to serve it.</param>
    public BlockBackend(IBlockStorage storage, BlockBackendOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(storage);
        _storage = storage;
        _options = options ?? new BlockBackendOptions();
    }

    /// <summary>What the device has done, since it was made.</summary>
    public BlockCounters Counters { get; } = new();

    /// <summary>Pages of the frontend that stay mapped now, besides the rings.</summary>
    public int PersistentGrants
    {
        get
        {
            lock (_life)
                return _queues.Sum(queue => queue.Persistent?.Count ?? 0);
        }
    }

    /// <inheritdoc/>
    public string? Advertise(XenbusBackendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (Text(context, "mode", "w") is { } mode && mode != "r" && _storage.ReadOnly)
            return $"the disk is to be written (mode {mode}), but {_storage.Name} is opened for reading only";
        lock (_life)
            _meters ??= new BlockMeters(Counters, context.Frontend.Value, context.DeviceId);
        List<(string Node, long Value)> nodes =
        [
            ("feature-barrier", 1),
            ("feature-flush-cache", 1),
            ("feature-persistent", _options.PersistentGrants ? 1 : 0),
            ("max-ring-page-order", _options.MaxRingPageOrder),
            ("max-ring-pages", 1 << _options.MaxRingPageOrder),
            ("multi-queue-max-queues", _options.MaxQueues),
            .. Properties(context),
        ];
        if (_options.MaxIndirectSegments > 0)
            nodes.Add(("feature-max-indirect-segments", _options.MaxIndirectSegments));
        bool discard = OffersDiscard(context);
        nodes.Add(("feature-discard", discard ? 1 : 0));
        if (discard)
            nodes.AddRange([("discard-granularity", _storage.DiscardGranularity), ("discard-alignment", 0), ("discard-secure", 0)]);
        return Write(context, nodes);
    }

    /// <inheritdoc/>
    public string? Connect(XenbusBackendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        Disconnect();
        string? error = ConnectionParameters.Read(context, _options, out ConnectionParameters? parameters);
        if (error is not null)
            return error;
        error = OpenQueues(context, parameters!, out BlockQueue[] queues);
        if (error is not null)
            return error;
        _storage.Refresh();
        error = Write(context, Properties(context));
        if (error is not null)
        {
            CloseAll(queues);
            return error;
        }

        LimitedLog log = new(_options.Log);
        string name = string.Create(CultureInfo.InvariantCulture, $"blkback-{context.Frontend}-{context.DeviceId}");
        RequestEngine engine = new(
            name, queues, Limits(context), _options, Counters, log, context.Fail,
            () => new RequestExecutor(_storage, context.Grants, context.Frontend, Math.Max(Blkif.MaxSegments, _options.MaxIndirectSegments)));
        lock (_life)
        {
            _engine = engine;
            _queues = queues;
            _connected = context;
            if (_options.SizeCheck > TimeSpan.Zero && _options.SizeCheck != Timeout.InfiniteTimeSpan)
                _sizeCheck = new Timer(_ => Refresh(), null, _options.SizeCheck, _options.SizeCheck);
            engine.Start();
        }

        return null;
    }

    /// <inheritdoc/>
    public void Disconnect()
    {
        RequestEngine? engine;
        BlockQueue[] queues;
        lock (_life)
        {
            (engine, queues) = (_engine, _queues);
            (_engine, _queues, _connected) = (null, [], null);
            _sizeCheck?.Dispose();
            _sizeCheck = null;
        }

        engine?.Stop(_options.StopPatience, _storage.Abort);
        CloseAll(queues);
    }

    /// <summary>Looks whether the storage has grown, and if so tells the frontend, which stays connected.</summary>
    /// <remarks>
    /// The state is written again though it is the same: that is what makes a frontend look at the size once more. <b>Source</b>: io/blkif.h
    /// leaves it open; frontends (Linux, FreeBSD) read "sectors" at each change to Connected.
    /// </remarks>
    public void Refresh()
    {
        XenbusBackendContext? context;
        lock (_life)
        {
            if (_disposed || !_storage.Refresh())
                return;
            context = _connected;
            _engine?.SetSize((ulong)_storage.Size >> Blkif.SectorShift);
        }

        if (context is null)
            return;
        string state = ((int)XenbusState.Connected).ToString(CultureInfo.InvariantCulture);
        string sectors = (_storage.Size >> Blkif.SectorShift).ToString(CultureInfo.InvariantCulture);
        XenErrno errno = context.Store.Transact(view =>
        {
            XenErrno result = view.Read(context.BackendPath + "/state", out string now);
            if (result != XenErrno.OK || now != state)
                return result;
            result = view.Write(context.BackendPath + "/sectors", sectors);
            return result == XenErrno.OK ? view.Write(context.BackendPath + "/state", state) : result;
        });
        if (errno != XenErrno.OK)
            _options.Log?.Invoke($"{context.BackendPath}: the new size of {_storage.Name} cannot be published: {errno}");
    }

    public void Dispose()
    {
        Disconnect();
        lock (_life)
        {
            if (_disposed)
                return;
            _disposed = true;
            _meters?.Dispose();
            _storage.Dispose();
        }
    }

    private static void CloseAll(BlockQueue[] queues)
    {
        foreach (BlockQueue queue in queues)
            queue.Dispose();
    }

    private static string Text(XenbusBackendContext context, string node, string absent) =>
        context.Store.Read($"{context.BackendPath}/{node}", out string value) == XenErrno.OK && value.Length > 0 ? value : absent;

    private static string? Write(XenbusBackendContext context, IEnumerable<(string Node, long Value)> nodes)
    {
        string failed = "";
        XenErrno errno = context.Store.Transact(view =>
        {
            foreach ((string node, long value) in nodes)
            {
                failed = node;
                XenErrno result = view.Write($"{context.BackendPath}/{node}", value.ToString(CultureInfo.InvariantCulture));
                if (result != XenErrno.OK)
                    return result;
            }

            return XenErrno.OK;
        });
        return errno == XenErrno.OK ? null : $"the device's {failed} cannot be written to xenstore: {errno}";
    }

    private string? OpenQueues(XenbusBackendContext context, ConnectionParameters parameters, out BlockQueue[] queues)
    {
        List<BlockQueue> open = [];
        foreach (QueueParameters wanted in parameters.Queues)
        {
            int persistent = parameters.Persistent ? _options.MaxPersistentGrants : 0;
            string? error = BlockQueue.Open(context, wanted, parameters.Is32Bit, persistent, out BlockQueue? queue);
            if (queue is null)
            {
                CloseAll([.. open]);
                queues = [];
                return error;
            }

            open.Add(queue);
        }

        queues = [.. open];
        return null;
    }

    private bool IsReadOnly(XenbusBackendContext context) => _storage.ReadOnly || Text(context, "mode", "w") == "r";

    private bool OffersDiscard(XenbusBackendContext context) =>
        _options.Discard && _storage.CanDiscard && !IsReadOnly(context) && Text(context, "discard-enable", "1") != "0";

    private BlockLimits Limits(XenbusBackendContext context) => new(
        (ulong)_storage.Size >> Blkif.SectorShift,
        _storage.SectorSize >> Blkif.SectorShift,
        IsReadOnly(context),
        OffersDiscard(context),
        _options.MaxIndirectSegments);

    private List<(string Node, long Value)> Properties(XenbusBackendContext context)
    {
        VdiskInfo info = (_options.Cdrom ? VdiskInfo.Cdrom : 0) | (_options.Removable ? VdiskInfo.Removable : 0)
            | (IsReadOnly(context) ? VdiskInfo.ReadOnly : 0);
        return
        [
            ("sectors", _storage.Size >> Blkif.SectorShift),
            ("sector-size", _storage.SectorSize),
            ("physical-sector-size", _storage.PhysicalSectorSize),
            ("info", (long)info),
        ];
    }
}
