using Xen.Abi;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;

namespace Xen.Drivers.Tests.Net;

/// <summary>Frontends that break the protocol: what hurts only a frame is answered and counted, what breaks the ring closes the device.</summary>
public sealed class HostileFrontendTests : IDisposable
{
    private const NetifTxFlags More = NetifTxFlags.MoreData, Extra = NetifTxFlags.ExtraInfo;

    private readonly NetRig _rig = new();
    private readonly Vif _vif;
    private readonly Vif _other;

    public HostileFrontendTests()
    {
        _vif = _rig.Guest(3, Packets.A);
        _other = _rig.Guest(4, Packets.B);
    }

    public void Dispose() => _rig.Dispose();

    private FrontQueue Queue => _vif.Frontend.RawQueues[0];

    private GrantRef Page(int index) => Queue.TxPages.Reference(index);

    [Fact]
    public void Hostile_SizesThatCannotBe_AreAnsweredWithAnError()
    {
        // None, too short for Ethernet, beyond the page, fragments larger than the whole.
        Bad(Slot(0, 0, 0));
        Bad(Slot(0, 0, 13));
        Bad(Slot(0, 4000, 97));
        Bad(Slot(0, ushort.MaxValue, 60));
        Bad(Slot(0, 0, 65535));
        Bad(Slot(0, 0, 100, More), Slot(1, 0, 101));
        Bad(Slot(0, 0, 60, More), Slot(1, 0, 40, More), Slot(2, 0, 40));
        Bad(Slot(0, 0, 5000, More), Slot(1, 4090, 7));
        Bad([.. Enumerable.Range(0, 18).Select(i => Slot(i, 0, 100, More)), Slot(18, 0, 100)]);
        Bad([.. Enumerable.Range(0, 100).Select(i => Slot(i, 0, 100, More)), Slot(18, 0, 100)]);
        Assert.Equal(10, _vif.Total.TxBad);
        StillServes();
    }

    [Fact]
    public void Fragments_OfAnySizeUpToTheLimit_AreServed()
    {
        byte[] frame = Packets.Ethernet(Packets.A, Packets.B, 0x88B5, Packets.Random(new Random(1), 17));
        for (int i = 0; i < 18; i++)
            frame.AsSpan(i == 0 ? 0 : 13 + i, i == 0 ? 14 : 1).CopyTo(Queue.TxPages.Bytes(i)[(100 + i)..]);
        Answered(NetifStatus.Okay, [Slot(0, 100, 31, More), .. Enumerable.Range(1, 17).Select(i => Slot(i, (ushort)(100 + i), 1, i < 17 ? More : 0))]);
        Assert.Equal(frame, _other.Receive().Bytes);
        frame.CopyTo(Queue.TxPages.Bytes(1));
        Answered(NetifStatus.Okay, Slot(0, 0, (ushort)frame.Length, More), Slot(1, 0, (ushort)frame.Length));
        Assert.Equal(frame, _other.Receive().Bytes);
    }

    [Fact]
    public void Hostile_ExtraInformation_IsAnsweredWithAnError()
    {
        Bad(Slot(0, 0, 60, Extra), Info(default));
        Bad(Slot(0, 0, 60, Extra), Info(new NetifExtraInfo { Type = (NetifExtraType)9 }));
        Bad(Slot(0, 0, 60, Extra), Info(NetifExtraInfo.Gso(NetifGsoType.None, 1000)));
        Bad(Slot(0, 0, 60, Extra), Info(NetifExtraInfo.Gso((NetifGsoType)3, 1000)));
        Bad(Slot(0, 0, 60, Extra), Info(NetifExtraInfo.Gso(NetifGsoType.TcpV4, 1000)));
        Bad(Slot(0, 0, 60, Extra), Info(NetifExtraInfo.Multicast(true, Packets.A.Value)));
        Bad(Slot(0, 0, 60, Extra), Info(NetifExtraInfo.Multicast(true, MacAddress.Broadcast.Value)));
        Bad(Slot(0, 0, 60, Extra | More), Info(NetifExtraInfo.Multicast(true, 0x01005E000001)), Slot(1, 0, 10));
        Bad(Slot(0, 0, 60, NetifTxFlags.CsumBlank));
        Assert.Equal(9, _vif.Total.TxBad);
        StillServes();
    }

    [Fact]
    public void Extras_ThatSayNothingToUs_AreTaken()
    {
        byte[] frame = Packets.Ethernet(Packets.A, Packets.B, 0x88B5, new byte[46]);
        frame.CopyTo(Queue.TxPages.Bytes(0));
        NetifExtraInfo hash = NetifExtraInfo.Hash(1, NetifHashAlgorithm.Toeplitz, 7), headroom = NetifExtraInfo.Xdp(256);
        hash.Flags = NetifExtraFlags.More;
        Put(Slot(0, 0, 60, Extra), Info(hash), Info(headroom));
        Assert.Equal([NetifStatus.Okay, NetifStatus.Null, NetifStatus.Null], Take(3).Select(r => r.Status));
        Assert.Equal(frame, _other.Receive().Bytes);
    }

    [Fact]
    public void Hostile_ExtraWithoutEnd_ClosesTheDevice()
    {
        NetifExtraInfo endless = NetifExtraInfo.Xdp(1);
        endless.Flags = NetifExtraFlags.More;
        Put(Slot(0, 0, 60, Extra), Info(endless));
        Assert.Equal("tx ring: extra information is announced and not there", _vif.Failure());
    }

    [Fact]
    public void Hostile_RingFullOfOneFrame_ClosesTheDevice()
    {
        Put([.. Enumerable.Range(0, 256).Select(i => Slot(i, 0, 10, More))]);
        Assert.Equal("tx ring: a frame's slots are announced and not there", _vif.Failure());
    }

    [Theory]
    [InlineData(257u)]
    [InlineData(0x8000_0000u)]
    [InlineData(uint.MaxValue)]
    public void Hostile_ProducerTooFarAhead_ClosesTheDevice(uint ahead)
    {
        BitConverter.TryWriteBytes(Queue.RingPages.Bytes(0)[RingLayout.ReqProd..], ahead);
        Queue.TxEvents.Notify();
        Assert.StartsWith("tx ring: frontend's req_prod is", _vif.Failure(), StringComparison.Ordinal);
        _other.Send(Packets.Ethernet(Packets.B, Packets.A, 0x88B5, new byte[46]));
        Assert.False(_other.HasFailed);
    }

    [Fact]
    public void Hostile_RxProducerTooFarAhead_ClosesTheDevice()
    {
        // It is looked at when a frame comes and no buffer is in hand.
        BitConverter.TryWriteBytes(Queue.RingPages.Bytes(1)[RingLayout.ReqProd..], 1000u);
        byte[] frame = Packets.Ethernet(Packets.B, Packets.A, 0x88B5, new byte[46]);
        _other.Send(frame);
        Assert.StartsWith("rx ring: frontend's req_prod is 1000", _vif.Failure(), StringComparison.Ordinal);
    }

    [Fact]
    public void Hostile_GrantsThatAreNone_AreAnsweredWithAnError()
    {
        Answered(NetifStatus.Error, Slot(0, 0, 60) with { Gref = new GrantRef(9999) });
        Answered(NetifStatus.Error, Slot(0, 0, 120, More), Slot(1, 0, 60) with { Gref = new GrantRef(uint.MaxValue) });
        Assert.True(_vif.Domain.Grants.Revoke(Page(5)));
        Answered(NetifStatus.Error, Slot(5, 0, 60));
        Assert.Equal((3, 0), (_vif.Total.TxErrors, _vif.Total.TxBad));
        StillServes();
    }

    [Fact]
    public void Hostile_RxGrantsThatAreNone_AreTriedOnceAndCounted()
    {
        for (int i = 0; i < 3; i++)
            Assert.True(_vif.Domain.Grants.Revoke(Queue.RxPages.Reference(i)));
        byte[] frame = Packets.Ethernet(Packets.B, Packets.A, 0x88B5, Packets.Random(new Random(1), 5000));
        _other.Send(frame);
        _other.Send(frame);
        _other.Send(frame);
        Assert.Equal(frame, _vif.Receive().Bytes);
        Assert.Equal((2, 1, 2), (_vif.Total.RxErrors, _vif.Total.RxPackets, _vif.Frontend.RxErrors));
    }

    [Fact]
    public void Guest_WithoutBuffers_LosesWhatIsTooMuchAndGetsTheRest()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B, new NetFrontendOptions { RxBuffers = 8 }, o => o with { QueueBytes = 32 * 1024 });
        const int Sent = 200;
        for (int i = 0; i < Sent; i++)
            a.Send(Numbered(i, 986));
        Assert.True(SpinWait.SpinUntil(() => a.Total.TxPackets == Sent, NetRig.Patience));
        Assert.True(SpinWait.SpinUntil(() => b.Total.RxPackets + b.Total.RxDropped == Sent - 32, NetRig.Patience));
        for (int i = 0; i < 8 + 32; i++)
            Assert.Equal(Numbered(i, 986), b.Receive().Bytes);
        Assert.Equal(Sent - 40, b.Total.RxDropped);
        a.Send(Numbered(7, 60));
        Assert.Equal(Numbered(7, 60), b.Receive().Bytes);
    }

    [Fact]
    public void Guest_ThatDoesNotTellOfBuffers_LosesWhatItHasNoneFor()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B, new NetFrontendOptions { RxBuffers = 8, RxNotify = false });
        for (int i = 0; i < 20; i++)
            a.Send(Numbered(i, 60));
        Assert.True(SpinWait.SpinUntil(() => b.Total.RxDropped == 12, NetRig.Patience));
        for (int i = 0; i < 8; i++)
            Assert.Equal(Numbered(i, 60), b.Receive().Bytes);
    }

    [Fact]
    public void Guest_WithoutScatterGather_GetsNothingLongerThanAPage()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B, new NetFrontendOptions { ScatterGather = false });
        a.Send(Numbered(1, 5000));
        a.Send(Numbered(2, 4082));
        Assert.Equal(Numbered(2, 4082), b.Receive().Bytes);
        Assert.Equal(1, b.Total.RxDropped);
    }

    private static byte[] Numbered(int number, int size)
    {
        byte[] payload = new byte[size];
        BitConverter.TryWriteBytes(payload, number);
        return Packets.Ethernet(Packets.A, Packets.B, 0x88B5, payload);
    }

    private NetifTxRequest Slot(int page, ushort offset, ushort size, NetifTxFlags flags = 0) =>
        new() { Gref = Page(page), Offset = offset, Flags = flags, Id = (ushort)page, Size = size };

    private static NetifTxRequest Info(NetifExtraInfo extra) => extra.AsTxSlot();

    private void Put(params ReadOnlySpan<NetifTxRequest> slots)
    {
        foreach (NetifTxRequest slot in slots)
            Assert.True(Queue.TxRing.TryPut(slot));
        if (Queue.TxRing.Push())
            Queue.TxEvents.Notify();
    }

    private NetifTxResponse[] Take(int count)
    {
        FrontRing<NetifTxRequest, NetifTxResponse> ring = Queue.TxRing;
        NetifTxResponse[] responses = new NetifTxResponse[count];
        for (int i = 0; i < count; i++)
        {
            _vif.Until(() => ring.HasUnconsumedResponses || ring.FinalCheckForResponses(), "no response");
            Assert.True(ring.TryTake(out responses[i]));
        }

        return responses;
    }

    private void Bad(params NetifTxRequest[] slots) => Answered(NetifStatus.Error, slots);

    private void Answered(NetifStatus status, params NetifTxRequest[] slots)
    {
        Put(slots);
        NetifTxResponse[] responses = Take(slots.Length);
        int extras = responses.Count(r => r.Status == NetifStatus.Null);
        Assert.All(responses.Where(r => r.Status != NetifStatus.Null), r => Assert.Equal(status, r.Status));
        Assert.Equal(
            slots.Where((s, i) => i == 0 || i > extras).Select(s => s.Id), responses.Where(r => r.Status != NetifStatus.Null).Select(r => r.Id));
        Assert.False(_vif.HasFailed);
    }

    private void StillServes()
    {
        byte[] frame = Packets.Ethernet(Packets.A, Packets.B, 0x88B5, new byte[46]);
        frame.CopyTo(Queue.TxPages.Bytes(0));
        Answered(NetifStatus.Okay, Slot(0, 0, (ushort)frame.Length));
        Assert.Equal(frame, _other.Receive().Bytes);
    }
}
