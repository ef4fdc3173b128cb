using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Frontend;

/// <summary>What a frontend asks for, where the backend offers it.</summary>
public sealed record NetFrontendOptions
{
    /// <summary>How many queues.</summary>
    public int Queues { get; init; } = 1;

    /// <summary>A channel for each direction of a queue.</summary>
    public bool SplitEventChannels { get; init; }

    /// <summary>Frames of more than one page.</summary>
    public bool ScatterGather { get; init; } = true;

    /// <summary>What it takes unfinished.</summary>
    public FrameFeatures Features { get; init; } = FrameFeatures.All;

    /// <summary>It tells the backend when it posts buffers; without it, frames that find none are lost.</summary>
    public bool RxNotify { get; init; } = true;

    /// <summary>Only groups that it has joined.</summary>
    public bool MulticastControl { get; init; }

    /// <summary>With a control ring.</summary>
    public bool ControlRing { get; init; }

    /// <summary>The most bytes in a slot of a frame that is sent. <b>Units</b>: bytes, a page at most.</summary>
    public int FragmentSize { get; init; } = Page.Size;

    /// <summary>How many pages to receive in are posted, for each queue; at most the ring's 256.</summary>
    public int RxBuffers { get; init; } = 256;

    /// <summary>Bytes to be left free before each received fragment.</summary>
    public int XdpHeadroom { get; init; }
}

/// <summary>
/// A frontend in C#: for guests made of C#, for tests and as the example of how the protocol is spoken. It shares its pages once and copies
/// frames in and out of them. <see cref="XenbusFrontendDevice"/> leads it through the handshake.
/// </summary>
/// <remarks>
/// Sending: any thread. Receiving: any thread, one at a time for each queue. The backend is not trusted: one that breaks a ring ends that queue
/// (<see cref="Fault"/>), and what it says of a frame is checked.
/// </remarks>
public sealed class NetFrontend(NetFrontendOptions options) : IXenbusFrontend
{
    private volatile FrontQueue[] _queues = [];
    private volatile Action? _received;

    /// <inheritdoc/>
    public bool IsConnectedOncePublished => true;

    /// <summary>Why the device no longer works, or null.</summary>
    public string? Fault => _queues.Select(q => q.Fault).FirstOrDefault(f => f is not null);

    public int QueueCount => _queues.Length;

    /// <summary>The control ring, if it was asked for and offered.</summary>
    public NetControl? Control { get; private set; }

    /// <summary>Frames that came with an error, and were lost.</summary>
    public long RxErrors => _queues.Sum(q => q.RxErrors);

    /// <summary>Slots of sent frames that the backend answered with an error.</summary>
    public long TxErrors => _queues.Sum(q => q.TxErrors);

    /// <summary>Called on any thread when there may be frames, or room to send; a call without cause is legal.</summary>
    public void SetHandler(Action? handler) => _received = handler;

    internal IReadOnlyList<FrontQueue> RawQueues => _queues;

    /// <summary>Makes rings and channels, posts buffers and writes the nodes.</summary>
    public string? Publish(XenbusFrontendContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        string? error = Open(context);
        if (error is not null)
            Disconnect();
        return error;
    }

    /// <inheritdoc/>
    public string? Connect(XenbusFrontendContext context) => null;

    /// <summary>Sends a frame.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="offload">What is left undone.</param>
    /// <param name="queue">By which queue; frames of one flow stay in order in one queue.</param>
    /// <returns>False if the ring is full: the handler is called when there is room.</returns>
    public bool TrySend(ReadOnlySpan<byte> frame, FrameOffload offload = default, int queue = 0) =>
        _queues is { } queues && queue < queues.Length && queues[queue].TrySend(frame, offload);

    /// <summary>Takes the next frame that was received.</summary>
    /// <returns>False if there is none: the handler is called when there is.</returns>
    public bool TryReceive(Frame into, int queue = 0)
    {
        ArgumentNullException.ThrowIfNull(into);
        return _queues is { } queues && queue < queues.Length && queues[queue].TryReceive(into);
    }

    /// <summary>Joins a multicast group, or leaves it.</summary>
    /// <returns>False if the ring is full.</returns>
    public bool TryChangeGroup(bool join, MacAddress group) =>
        _queues is [var first, ..] && first.TrySendExtra(NetifExtraInfo.Multicast(join, group.Value));

    /// <summary>Takes rings and channels back. What a backend that has not closed still has mapped is left granted.</summary>
    public void Disconnect()
    {
        FrontQueue[] queues = _queues;
        _queues = [];
        Control?.Dispose();
        Control = null;
        foreach (FrontQueue queue in queues)
            queue.Dispose();
    }

    public void Dispose()
    {
        _received = null;
        Disconnect();
    }

    private string? Open(XenbusFrontendContext context)
    {
        uint most = ReadNumber(context, NetifNodes.MultiQueueMaxQueues, 1);
        int count = (int)Math.Min((uint)options.Queues, Math.Max(most, 1));
        bool split = options.SplitEventChannels && ReadNumber(context, NetifNodes.FeatureSplitEventChannels, 0) != 0;
        for (int i = 0; i < count; i++)
        {
            string? error = FrontQueue.Open(context, options, split, () => _received?.Invoke(), out FrontQueue? queue);
            if (error is not null)
                return error;
            _queues = [.. _queues, queue!];
        }

        if (options.ControlRing && ReadNumber(context, NetifNodes.FeatureCtrlRing, 0) != 0)
        {
            string? error = NetControl.Open(context, out NetControl? control);
            if (error is not null)
                return error;
            Control = control;
        }

        XenErrno written = context.Store.Transact(view => Write(view, context.FrontendPath + "/"));
        return written == XenErrno.OK ? null : $"the device's nodes could not be written to {context.FrontendPath}: {written}";
    }

    private XenErrno Write(IStoreView view, string folder)
    {
        foreach ((string name, string value) in Nodes())
        {
            XenErrno error = view.Write(folder + name, value);
            if (error != XenErrno.OK)
                return error;
        }

        return XenErrno.OK;
    }

    private IEnumerable<(string Name, string Value)> Nodes()
    {
        yield return (NetifNodes.RequestRxCopy, "1");
        yield return (NetifNodes.FeatureRxNotify, Flag(options.RxNotify));
        yield return (NetifNodes.FeatureSg, Flag(options.ScatterGather));
        yield return (NetifNodes.FeatureNoCsumOffload, Flag(!Takes(FrameFeatures.CsumV4)));
        yield return (NetifNodes.FeatureIpv6CsumOffload, Flag(Takes(FrameFeatures.CsumV6)));
        yield return (NetifNodes.FeatureGsoTcpv4, Flag(Takes(FrameFeatures.GsoV4)));
        yield return (NetifNodes.FeatureGsoTcpv6, Flag(Takes(FrameFeatures.GsoV6)));
        yield return (NetifNodes.RequestMulticastControl, Flag(options.MulticastControl));
        yield return (NetifNodes.XdpHeadroom, Number((uint)options.XdpHeadroom));
        if (_queues.Length > 1)
            yield return (NetifNodes.MultiQueueNumQueues, Number((uint)_queues.Length));
        for (int i = 0; i < _queues.Length; i++)
        {
            string folder = _queues.Length == 1 ? "" : NetifNodes.Queue(i) + "/";
            foreach ((string name, uint value) in _queues[i].Nodes)
                yield return (folder + name, Number(value));
        }

        foreach ((string name, uint value) in Control?.Nodes ?? [])
            yield return (name, Number(value));
    }

    private bool Takes(FrameFeatures feature) => (options.Features & feature) != 0;

    private static string Flag(bool value) => value ? "1" : "0";

    private static string Number(uint value) => value.ToString(CultureInfo.InvariantCulture);

    private static uint ReadNumber(XenbusFrontendContext context, string name, uint otherwise) =>
        context.Store.Read(context.BackendPath + "/" + name, out string text) == XenErrno.OK
        && uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint value) ? value : otherwise;
}
