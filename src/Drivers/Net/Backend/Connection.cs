using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Backend;

/// <summary>What there is of a device while its frontend is connected.</summary>
internal sealed class Connection(NetBackendOptions options, FrontendNodes nodes, Action<string> fail)
{
    private volatile int _failed;

    public NetBackendOptions Options => options;

    public FrontendNodes Nodes => nodes;

    public MulticastFilter Multicast { get; } = new();

    public FlowSteering Steering { get; } = new(nodes.Queues.Count);

    public TokenBucket? Bucket { get; } = options.Rate is { } rate ? new TokenBucket(rate, options.Clock) : null;

    public NetQueue[] Queues { get; set; } = [];

    /// <summary>Watches of the frontend's nodes.</summary>
    public List<IDisposable> Watches { get; } = [];

    /// <summary>The plug in the network.</summary>
    public RelayPort Port { get; } = new();

    public FrameFeatures Features { get; } = options.Offloads &
        ((nodes.CsumV4 ? FrameFeatures.CsumV4 : 0) | (nodes.CsumV6 ? FrameFeatures.CsumV6 : 0)
        | (nodes.GsoV4 && nodes.CsumV4 ? FrameFeatures.GsoV4 : 0) | (nodes.GsoV6 && nodes.CsumV6 ? FrameFeatures.GsoV6 : 0));

    /// <summary>Says once that the ring is broken; later faults follow from the first.</summary>
    public void Fail(string reason)
    {
        if (Interlocked.Exchange(ref _failed, 1) == 0)
            fail(reason);
    }

    public void Receive(Frame frame, bool wait)
    {
        if (!Multicast.Lets(frame.Destination))
            return;
        NetQueue queue = Queues[Steering.Choose(frame, out NetifExtraInfo hash)];
        if (!queue.Rx.Receive(frame.Bytes, new RxInfo(frame.Offload, hash), wait))
            Fail(queue.Rx.Fault!);
    }
}

/// <summary>A port whose network comes later: queues are made before the plug goes in, because frames come from then on.</summary>
internal sealed class RelayPort : INetPort
{
    private volatile INetPort? _port;

    public void Set(INetPort port) => _port = port;

    public void Send(Frame frame) => _port?.Send(frame);

    public void Dispose() => _port?.Dispose();
}
