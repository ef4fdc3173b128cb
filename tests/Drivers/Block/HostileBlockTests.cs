using Xen.Abi;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Protocol;
using Xen.Rings;

namespace Xen.Drivers.Tests.Block;

/// <summary>A frontend that breaks rules: it gets errors or loses its device, and the backend holds nothing afterwards.</summary>
public sealed class HostileBlockTests
{
    [Fact]
    public void Hostile_MalformedRequests_GetErrorsAndTheDiskIsUntouched()
    {
        FakeStorage storage = new();
        using BlockPair pair = new(storage);
        using RawFrontend raw = Connect(pair);
        GrantRef good = raw.Data().Reference;
        BlkifSegment whole = new(good.Value, 0, 7);
        BlkifRequest twelve = RawFrontend.Transfer(BlkifOperation.Write, 0, whole) with { NrSegments = 12 };
        (BlkifRequest Request, BlkifStatus Status)[] bad =
        [
            (RawFrontend.Transfer(BlkifOperation.Write, 0), BlkifStatus.Error),
            (twelve, BlkifStatus.Error),
            (twelve with { NrSegments = 255 }, BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(good.Value, 5, 4)), BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(good.Value, 0, 8)), BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(good.Value, 200, 255)), BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, 2047, whole), BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, ulong.MaxValue, whole), BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, ulong.MaxValue - 7, whole), BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(999_999, 0, 7)), BlkifStatus.Error),
            (RawFrontend.Transfer(BlkifOperation.Write, 0, whole, new BlkifSegment(uint.MaxValue, 0, 7)), BlkifStatus.Error),
            (RawFrontend.Transfer((BlkifOperation)77, 0, whole), BlkifStatus.NotSupported),
            (RawFrontend.Transfer(BlkifOperation.Reserved1, 0, whole), BlkifStatus.NotSupported),
            (RawFrontend.Indirect(BlkifOperation.Write, 0, 257, good), BlkifStatus.Error),
            (RawFrontend.Indirect(BlkifOperation.Write, 0, 0, good), BlkifStatus.Error),
            (RawFrontend.Indirect(BlkifOperation.Write, 0, 10, new GrantRef(999_999)), BlkifStatus.Error),
            (RawFrontend.Indirect(BlkifOperation.FlushDiskcache, 0, 1, good), BlkifStatus.Error),
        ];
        foreach ((BlkifRequest request, BlkifStatus status) in bad)
        {
            BlkifResponse response = raw.Send(request);
            Assert.Equal((0xFEEDUL, request.Answered, status), (response.Id, response.Operation, response.Status));
        }

        Assert.Empty(storage.Done);
        Assert.Equal(bad.Length, pair.Backend.Counters.Bad);
        Assert.Equal(BlkifStatus.Okay, raw.Send(RawFrontend.Transfer(BlkifOperation.Write, 0, whole)).Status);
        Assert.InRange(pair.Log.Count, 1, 10);
        Assert.Equal(1, pair.Dom0.Grants.Mapped);
        AssertLetsGo(pair);
    }

    [Fact]
    public void Hostile_IndirectSegments_AreCheckedLikeOthers()
    {
        FakeStorage storage = new();
        using BlockPair pair = new(storage);
        using RawFrontend raw = Connect(pair);
        var (list, listRef) = raw.Data(readOnly: true);
        uint good = raw.Data().Reference.Value;
        foreach ((byte first, byte last, uint gref) in ((byte, byte, uint)[])[(3, 2, good), (0, 8, good), (0, 7, 999_999)])
        {
            list[0] = good;
            list[4] = 7u << 8;
            list[8] = gref;
            list[12] = first | ((uint)last << 8);
            Assert.Equal(BlkifStatus.Error, raw.Send(RawFrontend.Indirect(BlkifOperation.Write, 0, 2, listRef)).Status);
        }

        // Whole pages up to the end of the disk, and one sector more.
        list[8] = good;
        list[12] = 0;
        Assert.Equal(BlkifStatus.Okay, raw.Send(RawFrontend.Indirect(BlkifOperation.Write, 2039, 2, listRef)).Status);
        Assert.Equal(BlkifStatus.Error, raw.Send(RawFrontend.Indirect(BlkifOperation.Write, 2040, 2, listRef)).Status);
        Assert.Equal(["write 1043968"], storage.Done);
        AssertLetsGo(pair);
    }

    [Fact]
    public void Hostile_RequestChangedAfterItWasTaken_IsDoneAsItWas()
    {
        FakeStorage storage = new();
        using ManualResetEventSlim first = new(), goOn = new();
        storage.Before = (_, offset) =>
        {
            if (offset == 0)
            {
                first.Set();
                goOn.Wait(BlockPair.Patience);
            }

            return XenErrno.OK;
        };
        using BlockPair pair = new(storage, new BlockBackendOptions { Workers = 1 });
        using RawFrontend raw = Connect(pair);
        var (list, listRef) = raw.Data();
        var (data, dataRef) = raw.Data();
        data.Bytes.Fill(7);
        list[0] = dataRef.Value;
        list[4] = 7u << 8;
        raw.Put(RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(dataRef.Value, 0, 7)));
        raw.Put(RawFrontend.Transfer(BlkifOperation.Write, 8, new BlkifSegment(dataRef.Value, 0, 7)));
        raw.Push();
        Assert.True(first.Wait(BlockPair.Patience));

        // Both were taken. What lies in the ring now is nobody's business.
        raw.RingPage.Bytes[64..].Fill(0xFF);
        goOn.Set();
        Assert.Equal(BlkifStatus.Okay, raw.Receive().Status);
        Assert.Equal(BlkifStatus.Okay, raw.Receive().Status);
        Assert.Equal(["write 0", "write 4096"], storage.Done);
        Assert.All(storage.Volatile[..8192], b => Assert.Equal(7, b));
        AssertLetsGo(pair);
    }

    [Theory]
    [InlineData(33u)]
    [InlineData(1000u)]
    [InlineData(uint.MaxValue)]
    [InlineData(0x80000000u)]
    public void Hostile_ProducerIndexTooFarAhead_ClosesTheDevice(uint index)
    {
        using BlockPair pair = new(new FakeStorage());
        using RawFrontend raw = Connect(pair);
        raw.RingPage[RingLayout.ReqProd] = index;
        raw.Channel.Notify();
        Assert.True(pair.WaitForFailure());
        Assert.Contains("req_prod", pair.Failure, StringComparison.Ordinal);
        AssertLetsGo(pair);
    }

    [Fact]
    public void Hostile_RingThatIsBrokenFromTheStart_DoesNotConnect()
    {
        using BlockPair pair = new(new FakeStorage());
        pair.Advertise();
        using RawFrontend raw = new(pair);
        raw.RingPage[RingLayout.ReqProd] = 100;
        Assert.Contains("req_prod", pair.Backend.Connect(pair.Context), StringComparison.Ordinal);
        AssertLetsGo(pair);
    }

    [Fact]
    public void Hostile_TooManyBadRequests_CloseTheDevice()
    {
        using BlockPair pair = new(new FakeStorage(), new BlockBackendOptions { MaxBadRequests = 20 });
        using RawFrontend raw = Connect(pair);
        for (int i = 0; i < 20; i++)
            Assert.Equal(BlkifStatus.Error, raw.Send(RawFrontend.Transfer(BlkifOperation.Read, 0)).Status);
        Assert.Null(pair.Failure);
        raw.Put(RawFrontend.Transfer(BlkifOperation.Read, 0));
        raw.Push();
        Assert.True(pair.WaitForFailure());
        Assert.Contains("malformed", pair.Failure, StringComparison.Ordinal);
        AssertLetsGo(pair);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Hostile_GrantThatVanishesInMidRequest_HarmsNobody(bool persistent)
    {
        FakeStorage storage = new();
        using BlockPair pair = new(storage);
        using RawFrontend raw = Connect(pair, persistent);
        var (page, reference) = raw.Data();
        page.Bytes.Fill(3);
        storage.Before = (_, _) =>
        {
            pair.Guest.Grants.Revoke(reference);
            return XenErrno.OK;
        };
        Assert.Equal(BlkifStatus.Okay, raw.Send(RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(reference.Value, 0, 7))).Status);
        Assert.Equal(3, storage.Volatile[4095]);
        BlkifStatus again = raw.Send(RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(reference.Value, 0, 7))).Status;
        Assert.Equal(persistent ? BlkifStatus.Okay : BlkifStatus.Error, again);
        AssertLetsGo(pair);
    }

    [Fact]
    public void Hostile_ReadIntoAPageGrantedForReading_IsAnError()
    {
        using BlockPair pair = new(new FakeStorage());
        using RawFrontend raw = Connect(pair, persistent: true);
        var (page, reference) = raw.Data(readOnly: true);
        BlkifSegment segment = new(reference.Value, 0, 7);
        Assert.Equal(BlkifStatus.Error, raw.Send(RawFrontend.Transfer(BlkifOperation.Read, 0, segment)).Status);
        Assert.Equal(BlkifStatus.Okay, raw.Send(RawFrontend.Transfer(BlkifOperation.Write, 0, segment)).Status);
        Assert.Equal(0, page.Marked);
        AssertLetsGo(pair);
    }

    [Theory]
    [InlineData("before-ring")]
    [InlineData("published")]
    [InlineData("connected")]
    [InlineData("busy")]
    public void Hostile_FrontendDies_NothingIsHeld(string when)
    {
        FakeStorage storage = new();
        using ManualResetEventSlim began = new(), goOn = new();
        storage.Before = (_, _) =>
        {
            began.Set();
            goOn.Wait(BlockPair.Patience);
            return XenErrno.OK;
        };
        using BlockPair pair = new(storage);
        pair.Advertise();
        if (when == "before-ring")
        {
            pair.Guest.Die();
            Assert.Equal("frontend never wrote ring-ref", pair.Backend.Connect(pair.Context));
            AssertLetsGo(pair);
            return;
        }

        using RawFrontend raw = new(pair, persistent: true);
        if (when == "published")
        {
            pair.Guest.Die();
            Assert.NotNull(pair.Backend.Connect(pair.Context));
            AssertLetsGo(pair);
            return;
        }

        pair.ConnectBackend();
        if (when == "busy")
        {
            raw.Put(RawFrontend.Transfer(BlkifOperation.Write, 0, new BlkifSegment(raw.Data().Reference.Value, 0, 7)));
            raw.Put(RawFrontend.Transfer(BlkifOperation.Write, 8, new BlkifSegment(raw.Data().Reference.Value, 0, 7)));
            raw.Push();
            Assert.True(began.Wait(BlockPair.Patience));
        }

        pair.Guest.Die();
        goOn.Set();
        AssertLetsGo(pair);
    }

    [Theory]
    [InlineData("ring-ref", null, "frontend never wrote ring-ref")]
    [InlineData("event-channel", null, "frontend never wrote event-channel")]
    [InlineData("ring-ref", "eight", "frontend wrote ring-ref='eight', which is not a number")]
    [InlineData("ring-ref", "-1", "frontend wrote ring-ref='-1', which is not a number")]
    [InlineData("ring-ref", "99999999999999999999", "which is not a number")]
    [InlineData("ring-ref", "999999", "cannot be mapped: BadGntref")]
    [InlineData("event-channel", "777", "cannot be bound: EINVAL")]
    [InlineData("protocol", "vax-abi", "protocol is neither x86_64-abi nor x86_32-abi")]
    [InlineData("ring-page-order", "5", "32 pages, where 16 are the most")]
    [InlineData("ring-page-order", "31", "ring-page-order=31, which is not between 0 and 16")]
    [InlineData("ring-page-order", "2", "frontend never wrote ring-ref0")]
    [InlineData("num-ring-pages", "3", "which is not a power of two")]
    [InlineData("num-ring-pages", "0", "which is not between 1 and 65536")]
    [InlineData("multi-queue-num-queues", "0", "multi-queue-num-queues=0, which is not between 1 and 4")]
    [InlineData("multi-queue-num-queues", "5", "multi-queue-num-queues=5, which is not between 1 and 4")]
    [InlineData("multi-queue-num-queues", "2", "frontend never wrote queue-0/ring-ref")]
    public void Hostile_BadNodes_AreNamed(string node, string? value, string expected)
    {
        using BlockPair pair = new(new FakeStorage());
        pair.Advertise();
        using RawFrontend raw = new(pair);
        if (value is null)
            raw.Remove(node);
        else
            raw.Write(node, value);
        Assert.Contains(expected, pair.Backend.Connect(pair.Context), StringComparison.Ordinal);
        Assert.Equal(0, pair.Dom0.Grants.Mapped);
        Assert.Equal(0, pair.Dom0.Events.Open);
    }

    [Theory]
    [InlineData("ring-ref", "999999", "queue-1/ring-ref")]
    [InlineData("event-channel", "999999", "queue-1/event-channel")]
    public void Hostile_SecondQueueThatIsBad_LetsTheFirstGo(string node, string value, string named)
    {
        using BlockPair pair = new(new FakeStorage());
        pair.Advertise();
        using RawFrontend raw = new(pair);
        raw.Write("multi-queue-num-queues", "2");
        foreach (string queue in (string[])["queue-0/", "queue-1/"])
        {
            raw.Write(queue + "ring-ref", pair.World.Store.Read(pair.FrontendPath + "/ring-ref")!);
            raw.Write(queue + "event-channel", pair.World.Store.Read(pair.FrontendPath + "/event-channel")!);
        }

        raw.Write("queue-1/" + node, value);
        Assert.Contains(named, pair.Backend.Connect(pair.Context), StringComparison.Ordinal);
        AssertLetsGo(pair);
    }

    [Fact]
    public async Task Hostile_GrantPortThatRefuses_FailsRequestsAndLeaksNothing()
    {
        using BlockPair pair = new(new FakeStorage());
        using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { Persistent = false, MaxSegments = 64 });
        int calls = 0;
        pair.Dom0.Grants.FailMap = (_, _) => Interlocked.Increment(ref calls) % 5 == 0 ? GrantStatus.NoDeviceSpace : GrantStatus.Okay;
        for (int i = 0; i < 50; i++)
            await frontend.WriteAsync(0, new byte[64 * 1024]).WaitAsync(BlockPair.Patience);
        Assert.True(pair.Backend.Counters.Bad > 0);
        pair.Dom0.Grants.FailMap = null;
        pair.Close(frontend);
    }

    [Fact]
    public void Hostile_NotificationsWithoutRequests_AreHarmless()
    {
        using BlockPair pair = new(new FakeStorage());
        using RawFrontend raw = Connect(pair);
        for (int i = 0; i < 1000; i++)
            raw.Channel.Notify();
        Assert.Equal(BlkifStatus.Okay, raw.Send(new BlkifRequest { Operation = BlkifOperation.FlushDiskcache }).Status);
        AssertLetsGo(pair);
    }

    private static RawFrontend Connect(BlockPair pair, bool persistent = false)
    {
        pair.Advertise();
        RawFrontend raw = new(pair, persistent);
        pair.ConnectBackend();
        return raw;
    }

    private static void AssertLetsGo(BlockPair pair)
    {
        pair.Backend.Disconnect();
        Assert.Empty(pair.Dom0.Held());
    }
}
