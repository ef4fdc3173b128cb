using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Tests.Net;

/// <summary>The switch in this process, and who gets which.</summary>
public sealed class SwitchTests
{
    private readonly LearningSwitch _switch = new();
    private readonly Frame _frame = new();

    [Fact]
    public void Send_ToAnUnknownAddress_FloodsAndToAKnownOneDoesNot()
    {
        (RecordingStation a, INetPort pa) = Plug(Packets.A);
        (RecordingStation b, INetPort pb) = Plug(Packets.B);
        (RecordingStation c, INetPort pc) = Plug(Packets.C, others: true);
        MacAddress behindC = new(0x0200_0000_0001);
        Send(pa, Packets.A, behindC);
        Assert.Equal((0, 1, 1), (a.Received.Count, b.Received.Count, c.Received.Count));
        Send(pc, behindC, Packets.A);
        Assert.Equal((1, 1, 1), (a.Received.Count, b.Received.Count, c.Received.Count));
        Send(pa, Packets.A, behindC);
        Assert.Equal((1, 1, 2), (a.Received.Count, b.Received.Count, c.Received.Count));
        Send(pb, Packets.B, MacAddress.Broadcast);
        Assert.Equal((2, 1, 3), (a.Received.Count, b.Received.Count, c.Received.Count));
    }

    [Fact]
    public void Spoofed_SourceAddresses_AreDroppedAndCounted()
    {
        (RecordingStation a, INetPort pa) = Plug(Packets.A);
        (_, INetPort pb) = Plug(Packets.B);
        (_, INetPort pc) = Plug(Packets.C, others: true);
        Send(pb, Packets.A, Packets.A);
        Send(pb, new MacAddress(0x0200_0000_0001), Packets.A);
        Send(pc, Packets.B, Packets.A);
        Send(pc, MacAddress.Broadcast, Packets.A);
        Assert.Equal((0, 4), (a.Received.Count, _switch.Spoofed));
        Send(pc, new MacAddress(0x0200_0000_0001), Packets.A);
        Assert.Equal((1, 4), (a.Received.Count, _switch.Spoofed));
        Assert.NotNull(pa);
    }

    [Fact]
    public void Unplugged_StationsGetNothing()
    {
        (RecordingStation a, INetPort pa) = Plug(Packets.A);
        (RecordingStation b, INetPort pb) = Plug(Packets.B);
        pb.Dispose();
        Send(pa, Packets.A, Packets.B);
        Send(pa, Packets.A, MacAddress.Broadcast);
        Send(pb, Packets.B, Packets.A);
        Assert.Equal((0, 0, 1), (a.Received.Count, b.Received.Count, _switch.PortCount));
    }

    [Fact]
    public void Switches_OfDifferentNames_AreSeparateAndGoWithTheirLastVif()
    {
        Networks networks = new(null, _ => false);
        INetwork[] nets = [.. new[] { ("lan0", 3), ("lan0", 4), ("lan1", 5) }.Select(n =>
            networks.Open(new VifConfig(new Xen.Abi.DomId((ushort)n.Item2), 0, new MacAddress(MacAddress.XenPrefix + (ulong)n.Item2)) { Bridge = n.Item1 }))];
        RecordingStation[] stations = [new(), new(), new()];
        INetPort[] ports = [.. nets.Select((n, i) => n.Connect(stations[i], out INetPort? port) is null ? port! : throw new InvalidOperationException())];
        Assert.Equal(["lan0", "lan1"], networks.Switches);
        Send(ports[0], new MacAddress(MacAddress.XenPrefix + 3), MacAddress.Broadcast);
        Assert.Equal([0, 1, 0], stations.Select(s => s.Received.Count));
        for (int i = 0; i < nets.Length; i++)
        {
            ports[i].Dispose();
            nets[i].Dispose();
            nets[i].Dispose();
            Assert.Equal(i switch { 0 => ["lan0", "lan1"], 1 => ["lan1"], _ => (string[])[] }, networks.Switches);
        }
    }

    [Fact]
    public void Networks_ChooseByBridgeAndPrivilege()
    {
        Networks networks = new(null, name => name == "br0");
        VifConfig config = new(new Xen.Abi.DomId(3), 1, Packets.A);
        Assert.IsType<UserNetwork>(networks.Open(config));
        Assert.IsType<TapNetwork>(networks.Open(config with { Bridge = "br0" }));
        Assert.IsType<TapNetwork>(networks.Open(config with { Mode = VifMode.Tap }));
        using INetwork plug = networks.Open(config with { Bridge = "lan0" });
        Assert.IsType<SwitchPlug>(plug);
        using INetwork forced = networks.Open(config with { Bridge = "br0", Mode = VifMode.Switch });
        Assert.IsType<SwitchPlug>(forced);
    }

    [Fact]
    public void Table_IsBoundedAndForgetsWhatIsOld()
    {
        FakeClock clock = new();
        MacTable table = new(clock, 4);
        object[] ports = [new(), new()];
        for (uint i = 0; i < 100; i++)
            table.Learn(new MacAddress(i + 1), ports[0]);
        Assert.Equal(4, table.Count);
        Assert.Same(ports[0], table.Find(new MacAddress(1)));
        Assert.Null(table.Find(new MacAddress(50)));
        clock.Advance(MacTable.MaxAge / 2);
        table.Learn(new MacAddress(1), ports[1]);
        clock.Advance(MacTable.MaxAge / 2 + TimeSpan.FromSeconds(2));
        Assert.Null(table.Find(new MacAddress(2)));
        Assert.Same(ports[1], table.Find(new MacAddress(1)));
        table.Learn(new MacAddress(50), ports[0]);
        Assert.Equal(2, table.Count);
        table.Forget(ports[1]);
        Assert.Null(table.Find(new MacAddress(1)));
    }

    private (RecordingStation Station, INetPort Port) Plug(MacAddress mac, bool others = false)
    {
        RecordingStation station = new();
        return (station, _switch.Connect(station, new SwitchPortOptions(mac, others)));
    }

    private void Send(INetPort port, MacAddress from, MacAddress to)
    {
        Assert.True(_frame.Set(Packets.Ethernet(from, to, 0x88B5, new byte[46])));
        port.Send(_frame);
    }
}
