using System.Buffers.Binary;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>Multicast filter, queues, and the control ring that steers flows to them.</summary>
public sealed class SteeringTests
{
    private static readonly MacAddress Group = new(0x01005E000001), OtherGroup = new(0x333300000001);

    [Fact]
    public void Multicast_IsFilteredOnceAskedFor_AndTheListCanComeBefore()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B);
        a.Send(To(OtherGroup));
        Assert.Equal(To(OtherGroup), b.Receive().Bytes);
        Assert.True(b.Frontend.TryChangeGroup(true, Group));
        b.Write("request-multicast-control", 1);
        Assert.True(SpinWait.SpinUntil(() => Dropped(a, b, OtherGroup), NetRig.Patience));

        // The list changes when b's queue gets to it.
        Assert.True(SpinWait.SpinUntil(() => !Dropped(a, b, Group), NetRig.Patience));
        a.Send(To(OtherGroup));
        a.Send(To(Group));
        Assert.Equal(To(Group), b.Receive().Bytes);
        a.Send(To(MacAddress.Broadcast));
        Assert.Equal(To(MacAddress.Broadcast), b.Receive().Bytes);
        Assert.True(b.Frontend.TryChangeGroup(false, Group));
        Assert.True(SpinWait.SpinUntil(() => Dropped(a, b, Group), NetRig.Patience));
        b.Write("request-multicast-control", 0);
        Assert.True(SpinWait.SpinUntil(() => !Dropped(a, b, Group), NetRig.Patience));
        Assert.Equal(0, b.Frontend.TxErrors);
    }

    [Fact]
    public void Multicast_OneGroupTooMany_IsRefused()
    {
        Xen.Drivers.Net.Backend.MulticastFilter filter = new() { IsOn = true };
        for (ulong i = 0; i < 64; i++)
            Assert.True(filter.Change(true, new MacAddress(0x01005E000000UL + i)));
        Assert.True(filter.Change(true, new MacAddress(0x01005E000000)));
        Assert.False(filter.Change(true, OtherGroup));
        Assert.True(filter.Change(false, Group));
        Assert.True(filter.Change(true, OtherGroup));
        Assert.True(filter.Lets(OtherGroup));
        Assert.False(filter.Lets(Group));
    }

    [Fact]
    public void Flows_AreSpreadOverTheQueues_EachToOne()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B, new NetFrontendOptions { Queues = 4 });
        Assert.Equal(4, b.Frontend.QueueCount);
        Assert.Equal("4", b.Node("multi-queue-num-queues"));
        Assert.Equal("", b.Node("tx-ring-ref"));
        HashSet<int> used = [];
        for (ushort port = 1; port <= 64; port++)
        {
            byte[] frame = Packets.Transport(port % 2 == 0, true, Packets.A, Packets.B, "x"u8, sourcePort: port);
            a.Send(frame);
            a.Send(frame);
            Assert.Equal(frame, b.Receive(out int first).Bytes);
            Assert.Equal(frame, b.Receive(out int second).Bytes);
            Assert.Equal(first, second);
            used.Add(first);
        }

        Assert.Equal(4, used.Count);
    }

    [Fact]
    public void Control_SteersByHashAndMapping()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B, new NetFrontendOptions { Queues = 4, ControlRing = true });
        NetControl control = b.Frontend.Control!;
        Assert.Equal(NetifControlStatus.NotSupported, Ask(control, NetifControlType.GetHashFlags).Status);
        Assert.Equal(NetifControlStatus.NotSupported, Ask(control, NetifControlType.SetHashFlags, 1).Status);
        Assert.Equal(NetifControlStatus.InvalidParameter, Ask(control, NetifControlType.SetHashAlgorithm, 2).Status);
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashAlgorithm, 1).Status);
        Assert.Equal((NetifControlStatus.Success, 15u), Result(Ask(control, NetifControlType.GetHashFlags)));
        Assert.Equal(NetifControlStatus.InvalidParameter, Ask(control, NetifControlType.SetHashFlags, 16).Status);
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashFlags, 15).Status);
        byte[] key = Packets.Random(new Random(1), 40);
        key.CopyTo(control.Data);
        Assert.Equal(NetifControlStatus.BufferOverflow, Ask(control, NetifControlType.SetHashKey, control.DataReference.Value, 41).Status);
        Assert.Equal(NetifControlStatus.InvalidParameter, Ask(control, NetifControlType.SetHashKey, 9999, 40).Status);
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashKey, control.DataReference.Value, 40).Status);
        SetMapping(control);

        for (ushort port = 1; port <= 64; port++)
        {
            byte[] frame = Packets.Transport(port % 2 == 0, port % 3 != 0, Packets.A, Packets.B, "x"u8, sourcePort: port);
            a.Send(frame);
            Assert.Equal(frame, b.Receive(out int queue).Bytes);
            Assert.Equal(Mapped(HashOf(frame, key)), queue);
        }

        // Without an algorithm it is as before.
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashAlgorithm, 0).Status);
        a.Send(To(MacAddress.Broadcast));
        Assert.Equal(To(MacAddress.Broadcast), b.Receive().Bytes);
    }

    [Fact]
    public void Control_RefusesWhatIsNotServed()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A, new NetFrontendOptions { ControlRing = true });
        NetControl control = a.Frontend.Control!;
        Assert.All(
            (NetifControlType[])[NetifControlType.Invalid, NetifControlType.GetGrefMappingSize, NetifControlType.AddGrefMapping, NetifControlType.DelGrefMapping, (NetifControlType)99],
            type => Assert.Equal((NetifControlStatus.NotSupported, 0u), Result(Ask(control, type, 0, 1, 1))));
        BitConverter.TryWriteBytes(control.Data, 1u);
        Assert.Equal((NetifControlStatus.Success, 128u), Result(Ask(control, NetifControlType.GetHashMappingSize)));
        Assert.Equal(NetifControlStatus.InvalidParameter, Ask(control, NetifControlType.SetHashMappingSize, 129).Status);
        Assert.Equal(NetifControlStatus.InvalidParameter, Ask(control, NetifControlType.SetHashMapping, control.DataReference.Value, 1, 0).Status);
        Assert.Equal(NetifControlStatus.BufferOverflow, Ask(control, NetifControlType.SetHashMapping, control.DataReference.Value, 2, uint.MaxValue).Status);
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashMappingSize, 128).Status);
        Assert.Equal(NetifControlStatus.InvalidParameter, Ask(control, NetifControlType.SetHashMapping, control.DataReference.Value, 1, 0).Status);
        Assert.Equal(NetifControlStatus.InvalidParameter, Ask(control, NetifControlType.SetHashMapping, 9999, 1, 0).Status);
        BitConverter.TryWriteBytes(control.Data, 0u);
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashMapping, control.DataReference.Value, 1, 127).Status);
    }

    private static void SetMapping(NetControl control)
    {
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashMappingSize, 8).Status);
        for (int i = 0; i < 8; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(control.Data[(4 * i)..], (uint)Mapped((uint)i));
        Assert.Equal(NetifControlStatus.Success, Ask(control, NetifControlType.SetHashMapping, control.DataReference.Value, 8, 0).Status);
    }

    private static int Mapped(uint hash) => (int)(hash % 8 * 3 % 4);

    private static uint HashOf(byte[] frame, byte[] key)
    {
        bool v6 = frame[12] == 0x86, tcp = frame[v6 ? 20 : 23] == 6;
        return ToeplitzHash.Compute(key, v6 ? frame.AsSpan(22, tcp ? 36 : 32) : frame.AsSpan(26, tcp ? 12 : 8));
    }

    private static NetifControlResponse Ask(NetControl control, NetifControlType type, uint data0 = 0, uint data1 = 0, uint data2 = 0)
    {
        Assert.True(control.TryAsk(
            new NetifControlRequest { Type = type, Data0 = data0, Data1 = data1, Data2 = data2 }, NetRig.Patience, out NetifControlResponse response));
        return response;
    }

    private static (NetifControlStatus Status, uint Data) Result(NetifControlResponse response) => (response.Status, response.Data);

    private static byte[] To(MacAddress destination) => Packets.Ethernet(Packets.A, destination, 0x88B5, new byte[46]);

    /// <summary>Sends to a group, then to the guest itself: what comes first tells whether the group's frame was let through.</summary>
    private static bool Dropped(Vif from, Vif to, MacAddress group)
    {
        from.Send(To(group));
        from.Send(To(Packets.B));
        bool dropped = to.Receive().Bytes.AsSpan().SequenceEqual(To(Packets.B));
        if (!dropped)
            to.Receive();
        return dropped;
    }
}
