using Xen.Abi;
using Xen.Drivers.Net.Backend;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.GuestKit.Harness;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Net;

/// <summary>A vif from its nodes to its end, however that comes; nothing is left behind.</summary>
public sealed class NetLifeTests : IDisposable
{
    private readonly World _world = new();
    private readonly LearningSwitch _switch = new();
    private readonly WorldDomain _dom0;
    private readonly WorldDomain _guest;
    private readonly string _back;
    private readonly string _front;
    private readonly XenbusBackendDevice _device;

    public NetLifeTests()
    {
        (_dom0, _guest) = (_world.Domain(0), _world.Domain(3));
        (_back, _front) = _world.Link(_dom0, _guest, "vif", 0);
        _device = new XenbusBackendDevice(
            new NetBackend(new SwitchPlug(_switch, new SwitchPortOptions(Packets.A)), new NetBackendOptions(Packets.A) { MaxQueues = 2, Mtu = 9000 }),
            new XenbusBackendContext(_dom0.Store, _dom0.Grants, _dom0.Events, _back, _front, _guest.Id, 0, _ => { }));
        Assert.Null(_device.Start());
    }

    public void Dispose()
    {
        _device.Dispose();
        Assert.Empty(_dom0.Held());
        Assert.Equal(0, _switch.PortCount);
        _world.Dispose();
    }

    [Fact]
    public void Nodes_OfTheBackend_AreThoseThatFrontendsLookFor()
    {
        Backend(XenbusState.InitWait);
        Assert.Equal(
            "1 1 1 1 1 0 1 1 1 1 1 2 1 00:16:3e:00:00:01 0 connected",
            string.Join(' ', ((string[])[
                "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload", "feature-rx-copy", "feature-rx-flip",
                "feature-split-event-channels", "feature-multicast-control", "feature-dynamic-multicast-control", "feature-ctrl-ring",
                "feature-xdp-headroom", "multi-queue-max-queues", "carrier", "mac", "handle", "hotplug-status",
            ]).Select(name => _world.Store.Read(_back + "/" + name) ?? "-")));
        Assert.Equal(("00:16:3e:00:00:01", "9000"), (_world.Store.Read(_front + "/mac"), _world.Store.Read(_front + "/mtu")));
    }

    [Fact]
    public void Handshake_ByBothDevices_ConnectsClosesAndConnectsAgain()
    {
        NetFrontend driver = new(new NetFrontendOptions { Queues = 2, SplitEventChannels = true, ControlRing = true });
        using XenbusFrontendDevice front = new(
            driver, new XenbusFrontendContext(_guest.Store, _guest.Grants, _guest.Events, _front, _back, DomId.Dom0, 0, _ => { }));
        Assert.Null(front.Start());
        RecordingStation station = new();
        using INetPort port = _switch.Connect(station, new SwitchPortOptions(Packets.B));
        for (int i = 0; i < 5; i++)
        {
            Backend(XenbusState.Connected);
            Assert.True(SpinWait.SpinUntil(() => driver.QueueCount == 2, NetRig.Patience));
            byte[] frame = Packets.Ethernet(Packets.A, Packets.B, 0x88B5, Packets.Random(new Random(i), 46));
            Assert.True(driver.TrySend(frame));
            Assert.Equal(frame, station.Next());
            front.RequestClose();
            Backend(XenbusState.Closed);
            Assert.True(_world.Store.WaitFor(_front + "/state", "6", NetRig.Patience));
            Assert.True(SpinWait.SpinUntil(() => (_dom0.Grants.Mapped, _dom0.Events.Open) == (0, 0), NetRig.Patience));
            front.Open();
        }
    }

    [Theory]
    [InlineData("request-rx-copy", "frontend did not write request-rx-copy = 1: page flipping is not served")]
    [InlineData("tx-ring-ref", "frontend never wrote tx-ring-ref")]
    [InlineData("rx-ring-ref", "frontend never wrote rx-ring-ref")]
    [InlineData("event-channel", "frontend never wrote event-channel")]
    public void Connect_WithoutANode_SaysWhich(string node, string error)
    {
        using NetRig rig = new();
        Vif vif = rig.Offered(5, Packets.C);
        Assert.Null(vif.Publish(new NetFrontendOptions()));
        vif.Remove(node);
        Assert.Equal(error, vif.Connect());
        Assert.Empty(rig.Dom0.Held());
    }

    [Theory]
    [InlineData("tx-ring-ref", 9999)]
    [InlineData("rx-ring-ref", 9999)]
    [InlineData("event-channel", 9999)]
    [InlineData("ctrl-ring-ref", 9999)]
    [InlineData("event-channel-ctrl", 9999)]
    [InlineData("multi-queue-num-queues", 0)]
    [InlineData("multi-queue-num-queues", 5)]
    [InlineData("multi-queue-num-queues", 2)]
    public void Hostile_NodesThatLead_Nowhere_HoldNothing(string node, int value)
    {
        using NetRig rig = new();
        Vif vif = rig.Offered(5, Packets.C);
        Assert.Null(vif.Publish(new NetFrontendOptions { ControlRing = true }));
        vif.Write(node, value);
        string? error = vif.Connect();
        Assert.Contains(node == "multi-queue-num-queues" && value == 2 ? "queue-0/tx-ring-ref" : node, error, StringComparison.Ordinal);
        Assert.Empty(rig.Dom0.Held());
        Assert.Equal(0, rig.Switch.PortCount);
    }

    [Theory]
    [InlineData(XenbusState.Initialising)]
    [InlineData(XenbusState.Initialised)]
    [InlineData(XenbusState.Connected)]
    [InlineData(XenbusState.Closing)]
    [InlineData(XenbusState.Closed)]
    public void Hostile_FrontendThatDies_InAnyState_LeavesNothing(XenbusState state)
    {
        Backend(XenbusState.InitWait);
        NetFrontend driver = new(new NetFrontendOptions { Queues = 2 });
        if (state != XenbusState.Initialising)
        {
            Assert.Null(driver.Publish(new XenbusFrontendContext(_guest.Store, _guest.Grants, _guest.Events, _front, _back, DomId.Dom0, 0, _ => { })));
            _world.Store.Write(_front + "/state", state >= XenbusState.Connected ? "4" : "3");
            Backend(XenbusState.Connected);
            driver.TrySend(Packets.Ethernet(Packets.A, Packets.B, 0x88B5, new byte[46]));
            if (state > XenbusState.Connected)
                _world.Store.Write(_front + "/state", ((int)state).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        _guest.Die();
        Assert.True(SpinWait.SpinUntil(() => _dom0.Grants.Mapped == 0 && _dom0.Events.Open == 0 && _switch.PortCount == 0, NetRig.Patience));
    }

    [Fact]
    public void Hostile_RingFault_ClosesTheDeviceAndTellsWhy()
    {
        Backend(XenbusState.InitWait);
        NetFrontend driver = new(new NetFrontendOptions());
        Assert.Null(driver.Publish(new XenbusFrontendContext(_guest.Store, _guest.Grants, _guest.Events, _front, _back, DomId.Dom0, 0, _ => { })));
        _world.Store.Write(_front + "/state", "4");
        Backend(XenbusState.Connected);
        BitConverter.TryWriteBytes(driver.RawQueues[0].RingPages.Bytes(0), 1000u);
        driver.RawQueues[0].TxEvents.Notify();
        Assert.True(_world.Store.WaitFor(_back + "/error", e => e?.Contains("tx ring: frontend's req_prod is 1000", StringComparison.Ordinal) == true, NetRig.Patience));
        Assert.True(SpinWait.SpinUntil(() => _dom0.Grants.Mapped == 0 && _switch.PortCount == 0, NetRig.Patience));
        driver.Dispose();
    }

    private void Backend(XenbusState state) => Assert.True(
        _world.Store.WaitFor(_back + "/state", ((int)state).ToString(System.Globalization.CultureInfo.InvariantCulture), NetRig.Patience),
        $"not {state}: {_device.Status}");
}
