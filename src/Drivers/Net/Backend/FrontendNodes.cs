using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Net.Backend;

/// <summary>What a frontend published of one queue. The two ports are one where it does not split them.</summary>
internal readonly record struct QueueNodes(GrantRef TxRing, GrantRef RxRing, EvtchnPort Tx, EvtchnPort Rx)
{
    public bool IsSplit => Tx != Rx;
}

/// <summary>What a frontend published, as it stood when it was read. All of it is a claim.</summary>
internal sealed class FrontendNodes
{
    private readonly IStorePort _store;
    private readonly string _path;
    private string? _fault;

    private FrontendNodes(XenbusBackendContext context) => (_store, _path) = (context.Store, context.FrontendPath);

    public IReadOnlyList<QueueNodes> Queues { get; private set; } = [];

    /// <summary>The control ring and its port, where there is one.</summary>
    public (GrantRef Ring, EvtchnPort Port)? Control { get; private set; }

    public bool ScatterGather { get; private set; }

    public bool GsoV4 { get; private set; }

    public bool GsoV6 { get; private set; }

    public bool CsumV4 { get; private set; }

    public bool CsumV6 { get; private set; }

    /// <summary>It notifies when it posts buffers: frames can wait for them.</summary>
    public bool RxNotify { get; private set; }

    /// <summary>Reads the nodes.</summary>
    /// <returns>Null, or what is wrong with which node.</returns>
    public static string? Read(XenbusBackendContext context, int maxQueues, out FrontendNodes nodes)
    {
        nodes = new FrontendNodes(context);
        nodes.ReadFeatures();
        nodes.ReadQueues(maxQueues);
        return nodes._fault;
    }

    /// <summary>A node that is a number, or the default where it is missing or none.</summary>
    public static uint ReadNumber(IStoreView store, string path, uint otherwise) =>
        store.Read(path, out string text) == XenErrno.OK && TryNumber(text, out uint value) ? value : otherwise;

    private void ReadFeatures()
    {
        if (!Flag(NetifNodes.RequestRxCopy))
            _fault = "frontend did not write request-rx-copy = 1: page flipping is not served";
        ScatterGather = Flag(NetifNodes.FeatureSg);
        GsoV4 = ScatterGather && Flag(NetifNodes.FeatureGsoTcpv4);
        GsoV6 = ScatterGather && Flag(NetifNodes.FeatureGsoTcpv6);
        CsumV4 = !Flag(NetifNodes.FeatureNoCsumOffload);
        CsumV6 = Flag(NetifNodes.FeatureIpv6CsumOffload);
        RxNotify = Flag(NetifNodes.FeatureRxNotify);
        if (_store.Read(Path(NetifNodes.CtrlRingRef), out _) == XenErrno.OK)
            Control = (new GrantRef(Number("", NetifNodes.CtrlRingRef)), new EvtchnPort(Number("", NetifNodes.EventChannelCtrl)));
    }

    private void ReadQueues(int maxQueues)
    {
        uint count = ReadNumber(_store, Path(NetifNodes.MultiQueueNumQueues), 1);
        if (count == 0 || count > maxQueues)
        {
            _fault ??= string.Create(CultureInfo.InvariantCulture, $"frontend asked for {count} queues in multi-queue-num-queues; 1 to {maxQueues} are served");
            return;
        }

        QueueNodes[] queues = new QueueNodes[count];
        for (int i = 0; i < queues.Length; i++)
            queues[i] = ReadQueue(count == 1 ? "" : NetifNodes.Queue(i) + "/");
        Queues = queues;
    }

    private QueueNodes ReadQueue(string folder)
    {
        GrantRef tx = new(Number(folder, NetifNodes.TxRingRef)), rx = new(Number(folder, NetifNodes.RxRingRef));
        if (_store.Read(Path(folder + NetifNodes.EventChannelTx), out _) != XenErrno.OK)
        {
            EvtchnPort both = new(Number(folder, NetifNodes.EventChannel));
            return new QueueNodes(tx, rx, both, both);
        }

        return new QueueNodes(
            tx, rx, new EvtchnPort(Number(folder, NetifNodes.EventChannelTx)), new EvtchnPort(Number(folder, NetifNodes.EventChannelRx)));
    }

    private bool Flag(string name) => ReadNumber(_store, Path(name), 0) != 0;

    private uint Number(string folder, string name)
    {
        if (_store.Read(Path(folder + name), out string text) != XenErrno.OK)
            _fault ??= $"frontend never wrote {folder}{name}";
        else if (TryNumber(text, out uint value))
            return value;
        else
            _fault ??= $"frontend wrote no number to {folder}{name}";
        return 0;
    }

    private string Path(string name) => _path + "/" + name;

    private static bool TryNumber(string text, out uint value) =>
        uint.TryParse(text, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out value);
}
