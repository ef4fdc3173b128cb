using Xen.Abi;
using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>Peers that write what cannot be.</summary>
public sealed class HostileRingTests
{
    [Theory]
    [InlineData(0u, 257u)]
    [InlineData(0u, uint.MaxValue)]
    [InlineData(1u, 0u)]
    [InlineData(uint.MaxValue - 3, 254u)]
    [InlineData(5u, 0x8000_0005u)]
    public void Hostile_RequestProducerTooFarAhead_ClosesTheRingForGood(uint start, uint prod)
    {
        using RingPages pages = new(1, start);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        pages[RingLayout.ReqProd] = prod;
        Assert.False(back.TryTake(out _));
        Assert.Contains("ring of 256 slots", back.Fault, StringComparison.Ordinal);
        pages[RingLayout.ReqProd] = start + 1;
        Assert.False(back.TryTake(out _) || back.HasUnconsumedRequests || back.FinalCheckForRequests() || back.Push());
        Assert.Equal((start + 1, start), (pages[RingLayout.ReqEvent], pages[RingLayout.RspProd]));
    }

    [Theory]
    [InlineData(0u, 257u)]
    [InlineData(3u, 2u)]
    [InlineData(uint.MaxValue, 256u)]
    public void Hostile_IndicesThatCannotBe_AreFoundAtAttach(uint rspProd, uint reqProd)
    {
        using RingPages pages = new(1, 0) { [RingLayout.RspProd] = rspProd, [RingLayout.ReqProd] = reqProd };
        Assert.NotNull(BackRing<ShortRequest, ShortResponse>.Attach(pages).Fault);
    }

    [Fact]
    public void Hostile_RequestsOverUnansweredOnes_CloseTheRing()
    {
        using RingPages pages = new(1, 100);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        pages[RingLayout.ReqProd] = 103;
        Assert.True(back.TryTake(out _) && back.TryTake(out _) && back.TryTake(out _));
        pages[RingLayout.ReqProd] = 356;
        Assert.Equal(253, back.UnconsumedRequests);
        pages[RingLayout.ReqProd] = 357;
        Assert.False(back.TryTake(out _));
        Assert.NotNull(back.Fault);
    }

    [Fact]
    public void Hostile_RequestProducerGoesBackBehindTheConsumer_ClosesTheRing()
    {
        using RingPages pages = new(1, 10);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        pages[RingLayout.ReqProd] = 14;
        for (int i = 0; i < 4; i++)
            Assert.True(back.TryTake(out _));
        pages[RingLayout.ReqProd] = 12;
        Assert.False(back.FinalCheckForRequests());
        Assert.NotNull(back.Fault);
    }

    [Fact]
    public void Hostile_OurOwnIndicesOverwritten_AreNeverReadBack()
    {
        using RingPages pages = new(1, 10);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        pages[RingLayout.ReqProd] = 11;
        Assert.True(back.TryTake(out _));
        pages[RingLayout.RspProd] = 0xdead;
        back.PutResponse(new(1));
        Assert.True(back.Push());
        Assert.Equal(11u, pages[RingLayout.RspProd]);
    }

    [Fact]
    public void Hostile_ResponsesAfterAFault_AreAcceptedFromTheCallerAndGoNowhere()
    {
        using RingPages pages = new(1, 0);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        pages[RingLayout.ReqProd] = 1;
        Assert.True(back.TryTake(out _));
        pages[RingLayout.ReqProd] = 1000;
        Assert.False(back.TryTake(out _));
        back.PutResponse(new(uint.MaxValue));
        Assert.False(back.Push());
        Assert.Equal((0u, 0), (pages[RingLayout.RspProd], back.Unanswered));
        Assert.Equal(-1, pages.Bytes(0)[RingLayout.Ring..].IndexOfAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(0u, 1u)]
    [InlineData(uint.MaxValue, 2u)]
    [InlineData(3u, 2u)]
    public void Hostile_ResponsesThatNobodyAskedFor_CloseTheFrontRing(uint start, uint rspProd)
    {
        using RingPages pages = new(1, start);
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Attach(pages);
        front.TryPut(default);
        Assert.False(front.HasUnconsumedResponses);
        pages[RingLayout.RspProd] = rspProd;
        Assert.False(front.TryTake(out _));
        Assert.NotNull(front.Fault);
        Assert.False(front.TryPut(default) || front.Push() || front.FinalCheckForResponses());
        Assert.Equal(start, pages[RingLayout.ReqProd]);
    }

    [Fact]
    public void Hostile_RandomHeaders_NeverThrowAndNeverYieldMoreThanTheRing()
    {
        Random random = new(5);
        for (int i = 0; i < 20_000; i++)
        {
            using RingPages pages = new(2, (uint)random.NextInt64());
            BackRing<LongRequest, LongResponse> back = BackRing<LongRequest, LongResponse>.Attach(pages);
            for (int j = 0; j < 8 && back.Fault is null; j++)
            {
                int field = 4 * random.Next(4);
                pages[field] += (uint)(random.Next(3) == 0 ? random.NextInt64() : random.Next(-2, 40));
                while (random.Next(30) != 0 && back.TryTake(out _))
                    Assert.InRange(back.Unanswered, 1, back.Size);
                while (back.Unanswered > 0 && random.Next(3) != 0)
                    back.PutResponse(default);
                back.Push();
                back.FinalCheckForRequests();
            }
        }
    }
}
