using System.Collections.Concurrent;
using System.Globalization;
using Xen.Drivers.Net.Backend;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.GuestKit.Harness;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Net;

/// <summary>A world with guests whose vifs are plugged into networks.</summary>
internal sealed class NetRig : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly List<Vif> _vifs = [];

    public World World { get; } = new();

    public LearningSwitch Switch { get; } = new();

    public WorldDomain Dom0 => World.Domain(0);

    /// <summary>A guest on the rig's switch, connected.</summary>
    public Vif Guest(ushort number, MacAddress mac, NetFrontendOptions? front = null, Func<NetBackendOptions, NetBackendOptions>? back = null) =>
        Guest(number, mac, new SwitchPlug(Switch, new SwitchPortOptions(mac)), front, back);

    public Vif Guest(ushort number, MacAddress mac, INetwork network, NetFrontendOptions? front = null, Func<NetBackendOptions, NetBackendOptions>? back = null)
    {
        Vif vif = new(this, number, network, (back ?? (o => o))(new NetBackendOptions(mac) { MaxQueues = 4 }));
        _vifs.Add(vif);
        Assert.Null(vif.Offer());
        Assert.Null(vif.Publish(front ?? new NetFrontendOptions()));
        Assert.Null(vif.Connect());
        return vif;
    }

    /// <summary>A vif whose frontend has not done anything yet.</summary>
    public Vif Offered(ushort number, MacAddress mac)
    {
        Vif vif = new(this, number, new SwitchPlug(Switch, new SwitchPortOptions(mac)), new NetBackendOptions(mac) { MaxQueues = 4 });
        _vifs.Add(vif);
        Assert.Null(vif.Offer());
        return vif;
    }

    /// <summary>Closes all, and finds nothing held.</summary>
    public void Dispose()
    {
        foreach (Vif vif in _vifs)
            vif.Dispose();
        Assert.Empty(World.Held());
        Assert.Equal(0, Switch.PortCount);
        World.Dispose();
    }
}

/// <summary>One vif: its backend in Dom0 and its frontend in a guest.</summary>
internal sealed class Vif : IDisposable
{
    // Two, because who waits to send and who waits to receive are not the same.
    private readonly AutoResetEvent _maySend = new(false), _mayReceive = new(false);
    private readonly TaskCompletionSource<string> _failed = new();
    private readonly string _frontendPath;

    public Vif(NetRig rig, ushort number, INetwork network, NetBackendOptions options)
    {
        Domain = rig.World.Domain(number);
        (string back, _frontendPath) = rig.World.Link(rig.Dom0, Domain, "vif", 0);
        Backend = new NetBackend(network, options);
        Context = new XenbusBackendContext(
            rig.Dom0.Store, rig.Dom0.Grants, rig.Dom0.Events, back, _frontendPath, Domain.Id, 0, reason => _failed.TrySetResult(reason));
        World = rig.World;
    }

    public World World { get; }

    public WorldDomain Domain { get; }

    public NetBackend Backend { get; }

    public XenbusBackendContext Context { get; }

    public NetFrontend Frontend { get; private set; } = null!;

    public NetCounters Total
    {
        get
        {
            NetCounters sum = new();
            foreach (NetCounters c in Backend.Counters)
            {
                sum.TxPackets += c.TxPackets;
                sum.TxBytes += c.TxBytes;
                sum.TxBad += c.TxBad;
                sum.TxErrors += c.TxErrors;
                sum.RxPackets += c.RxPackets;
                sum.RxBytes += c.RxBytes;
                sum.RxDropped += c.RxDropped;
                sum.RxErrors += c.RxErrors;
            }

            return sum;
        }
    }

    public string? Offer() => Backend.Advertise(Context);

    public string? Publish(NetFrontendOptions options)
    {
        Frontend = new NetFrontend(options);
        Frontend.SetHandler(() =>
        {
            _maySend.Set();
            _mayReceive.Set();
        });
        return Frontend.Publish(new XenbusFrontendContext(
            Domain.Store, Domain.Grants, Domain.Events, _frontendPath, Context.BackendPath, Xen.Abi.DomId.Dom0, 0, _ => { }));
    }

    public string? Connect() => Backend.Connect(Context);

    public string Node(string name) => World.Store.Read(_frontendPath + "/" + name) ?? "";

    public void Write(string name, int value) => World.Store.Write(_frontendPath + "/" + name, value.ToString(CultureInfo.InvariantCulture));

    public void Remove(string name) => World.Store.Remove(_frontendPath + "/" + name);

    public void Send(ReadOnlySpan<byte> frame, FrameOffload offload = default, int queue = 0)
    {
        while (!Frontend.TrySend(frame, offload, queue))
        {
            Assert.Null(Frontend.Fault);
            Assert.True(_maySend.WaitOne(NetRig.Patience), "no room to send");
        }
    }

    /// <summary>The next frame, from whichever queue.</summary>
    public (byte[] Bytes, FrameOffload Offload) Receive(out int queue)
    {
        Frame frame = new();
        for (; ; )
        {
            for (queue = 0; queue < Frontend.QueueCount; queue++)
            {
                if (Frontend.TryReceive(frame, queue))
                    return (frame.Bytes.ToArray(), frame.Offload);
            }

            Assert.Null(Frontend.Fault);
            Assert.True(_mayReceive.WaitOne(NetRig.Patience), "no frame");
        }
    }

    public (byte[] Bytes, FrameOffload Offload) Receive() => Receive(out _);

    /// <summary>Waits until the frontend is called, then looks whether something holds; again until it does.</summary>
    public void Until(Func<bool> holds, string what)
    {
        while (!holds())
            Assert.True(_mayReceive.WaitOne(NetRig.Patience), what);
    }

    /// <summary>Why the backend asked to be closed.</summary>
    public string Failure()
    {
        Assert.True(_failed.Task.Wait(NetRig.Patience), "the device does not fail");
        return _failed.Task.Result;
    }

    public bool HasFailed => _failed.Task.IsCompleted;

    public void Dispose()
    {
        Backend.Dispose();
        Frontend?.Dispose();
    }
}

/// <summary>A station that keeps what it receives.</summary>
internal sealed class RecordingStation(FrameFeatures features = FrameFeatures.None, int maxFrame = Frame.MaxLength) : INetStation
{
    public BlockingCollection<(byte[] Bytes, FrameOffload Offload)> Received { get; } = [];

    public FrameFeatures Features => features;

    public int MaxFrame => maxFrame;

    public void Receive(Frame frame, bool wait = false) => Received.Add((frame.Bytes.ToArray(), frame.Offload));

    /// <summary>What was told of the carrier.</summary>
    public BlockingCollection<(bool IsUp, string Reason)> Carrier { get; } = [];

    public void CarrierChanged(bool isUp, string reason) => Carrier.Add((isUp, reason));

    public (bool IsUp, string Reason) NextCarrier()
    {
        Assert.True(Carrier.TryTake(out (bool IsUp, string Reason) next, NetRig.Patience), "the carrier does not change");
        return next;
    }

    public byte[] Next()
    {
        Assert.True(Received.TryTake(out (byte[] Bytes, FrameOffload Offload) next, NetRig.Patience), "no frame");
        return next.Bytes;
    }
}
