using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Backend;

/// <summary>
/// The backend of one vif: the guest's rings at one side, a network at the other. Bytes are copied, never mapped, so a guest can take
/// its pages away at any time. <b>Source</b>: io/netif.h.
/// </summary>
/// <remarks>
/// Read this first: <see cref="TxPath"/> is the way from the guest, <see cref="RxPath"/> the way to it, <see cref="NetQueue"/> the thread between,
/// <see cref="ControlPath"/> the control ring. The device owns its network and disposes it.
/// </remarks>
public sealed class NetBackend(INetwork network, NetBackendOptions options) : IXenbusBackend, IXenbusReconfigurable, INetStation
{
    // With an open end for what Ethernet and VLAN headers need.
    private const int LongestPlainFrame = Frame.MaxLength;

    private readonly Lock _lock = new();
    private volatile Connection? _connection;
    private volatile XenbusBackendContext? _context;
    private NetMetrics? _metrics;

    /// <summary>What the queues have done since the frontend connected; empty when it is not.</summary>
    public IReadOnlyList<NetCounters> Counters => _connection is { } connection ? [.. connection.Queues.Select(q => q.Counters)] : [];

    FrameFeatures INetStation.Features => _connection?.Features ?? FrameFeatures.None;

    int INetStation.MaxFrame => _connection is { Nodes.ScatterGather: true } ? LongestPlainFrame : Page.Size;

    void INetStation.Receive(Frame frame, bool wait) => _connection?.Receive(frame, wait);

    /// <summary>Tells the guest by its backend's node, which a folder that is gone does not get again, and the operator.</summary>
    void INetStation.CarrierChanged(bool isUp, string reason)
    {
        // Set before the plug goes in, and without the lock: who holds that may wait for the network's thread.
        XenbusBackendContext context = _context!;
        string node = context.BackendPath + "/" + NetifNodes.Carrier;
        context.Store.Transact(view => view.Read(node, out _) is var error and not XenErrno.OK ? error : view.Write(node, isUp ? "1" : "0"));
        options.Log?.Invoke(reason);
    }

    /// <inheritdoc/>
    public string? Advertise(XenbusBackendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        XenErrno error = context.Store.Transact(view =>
        {
            foreach ((string name, string value) in Offer(context))
            {
                XenErrno result = view.Write(context.BackendPath + "/" + name, value);
                if (result != XenErrno.OK)
                    return result;
            }

            return TellFrontend(context, view);
        });
        return error == XenErrno.OK ? null : $"the features could not be written to {context.BackendPath}: {error}";
    }

    /// <inheritdoc/>
    public string? Connect(XenbusBackendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        lock (_lock)
        {
            if (_connection is not null)
                return "the device is connected already";
            string? error = FrontendNodes.Read(context, options.MaxQueues, out FrontendNodes nodes);
            if (error is not null)
                return error;
            _context = context;
            Connection connection = new(options, nodes, context.Fail);
            error = Open(context, connection);
            if (error is not null)
                Close(connection);
            return error;
        }
    }

    /// <summary>Takes over what the frontend may change while it is connected: the headroom that it wants.</summary>
    public string? Reconfigure()
    {
        lock (_lock)
        {
            if (_connection is { } connection)
                ReadChangeable(_context!, connection);
            return null;
        }
    }

    /// <inheritdoc/>
    public void Disconnect()
    {
        lock (_lock)
        {
            if (_connection is { } connection)
                Close(connection);
        }
    }

    public void Dispose()
    {
        Disconnect();
        network.Dispose();
    }

    /// <summary>The guest reads its address in its own folder, which the toolstack makes; if it is not there yet, it will have the address in it.</summary>
    private XenErrno TellFrontend(XenbusBackendContext context, IStoreView view)
    {
        if (view.Read(context.FrontendPath + "/backend", out _) != XenErrno.OK)
            return XenErrno.OK;
        XenErrno error = view.Write(context.FrontendPath + "/" + NetifNodes.Mac, options.Mac.ToString());
        return error == XenErrno.OK && options.Mtu is { } mtu ? view.Write(context.FrontendPath + "/" + NetifNodes.Mtu, Number(mtu)) : error;
    }

    private IEnumerable<(string Name, string Value)> Offer(XenbusBackendContext context)
    {
        yield return (NetifNodes.FeatureSg, "1");
        yield return (NetifNodes.FeatureGsoTcpv4, Flag(FrameFeatures.GsoV4));
        yield return (NetifNodes.FeatureGsoTcpv6, Flag(FrameFeatures.GsoV6));
        yield return (NetifNodes.FeatureIpv6CsumOffload, Flag(FrameFeatures.CsumV6));
        yield return (NetifNodes.FeatureNoCsumOffload, (options.Offloads & FrameFeatures.CsumV4) != 0 ? "0" : "1");
        yield return (NetifNodes.FeatureRxCopy, "1");
        yield return (NetifNodes.FeatureRxFlip, "0");
        yield return (NetifNodes.FeatureSplitEventChannels, "1");
        yield return (NetifNodes.FeatureMulticastControl, "1");
        yield return (NetifNodes.FeatureDynamicMulticastControl, "1");
        yield return (NetifNodes.FeatureCtrlRing, "1");
        yield return (NetifNodes.FeatureXdpHeadroom, "1");
        yield return (NetifNodes.MultiQueueMaxQueues, Number(options.MaxQueues));
        yield return (NetifNodes.Carrier, "1");
        yield return (NetifNodes.Mac, options.Mac.ToString());
        yield return (NetifNodes.Handle, Number(context.DeviceId));
        if (options.Rate is { } rate)
            yield return (NetifNodes.Rate, rate.ToNode());
        yield return (NetifNodes.HotplugStatus, "connected");
    }

    private string Flag(FrameFeatures feature) => (options.Offloads & feature) != 0 ? "1" : "0";

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private string? Open(XenbusBackendContext context, Connection connection)
    {
        int count = connection.Nodes.Queues.Count;
        List<NetQueue> queues = [];
        for (int i = 0; i < count; i++)
        {
            string? error = NetQueue.Open(context, connection.Nodes, i, connection, out NetQueue? queue);
            if (error is not null)
            {
                connection.Queues = [.. queues];
                return error;
            }

            queues.Add(queue!);
        }

        connection.Queues = [.. queues];
        string? fault = connection.Nodes.Control is { } control ? queues[0].OpenControl(context, control.Ring, control.Port, connection.Steering) : null;
        fault ??= Watch(context, connection);
        if (fault is not null)
            return fault;

        // From here on frames come, so all that they need is there.
        _connection = connection;
        fault = network.Connect(this, out INetPort? port);
        if (fault is not null)
            return fault;
        connection.Port.Set(port!);
        _metrics = new NetMetrics(context.Frontend, context.DeviceId, [.. queues.Select(q => q.Counters)]);
        for (int i = 0; i < count; i++)
            queues[i].Start(string.Create(CultureInfo.InvariantCulture, $"netback-{context.Frontend}-{context.DeviceId}-{i}"));
        return null;
    }

    /// <summary>What the frontend may change while it is connected.</summary>
    private static string? Watch(XenbusBackendContext context, Connection connection)
    {
        foreach (string node in (string[])[NetifNodes.RequestMulticastControl, NetifNodes.XdpHeadroom])
        {
            string path = context.FrontendPath + "/" + node;
            XenErrno error = context.Store.Watch(path, _ => ReadChangeable(context, connection), out IDisposable? watch);
            if (error != XenErrno.OK)
                return $"{path} cannot be watched: {error}";
            connection.Watches.Add(watch!);
        }

        ReadChangeable(context, connection);
        return null;
    }

    private static void ReadChangeable(XenbusBackendContext context, Connection connection)
    {
        connection.Multicast.IsOn = FrontendNodes.ReadNumber(context.Store, context.FrontendPath + "/" + NetifNodes.RequestMulticastControl, 0) != 0;
        uint headroom = FrontendNodes.ReadNumber(context.Store, context.FrontendPath + "/" + NetifNodes.XdpHeadroom, 0);
        foreach (NetQueue queue in connection.Queues)
            queue.Rx.SetHeadroom(headroom);
    }

    private void Close(Connection connection)
    {
        _connection = null;
        foreach (IDisposable watch in connection.Watches)
            watch.Dispose();

        // The plug first: a worker that waits for the network gets free. And before it who waits for the guest, in the network.
        foreach (NetQueue queue in connection.Queues)
            queue.Rx.EndWaits();
        connection.Port.Dispose();
        foreach (NetQueue queue in connection.Queues)
            queue.Dispose();
        _metrics?.Dispose();
        _metrics = null;
    }
}
