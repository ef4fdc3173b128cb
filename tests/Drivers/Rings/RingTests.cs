using Xen.Abi;
using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>Both halves of a ring against queues, over the indices' wrap-around and over slots on two pages.</summary>
public sealed class RingTests
{
    [Theory]
    [InlineData(1, 12, 256)]
    [InlineData(1, 8, 256)]
    [InlineData(1, 112, 32)]
    [InlineData(1, 108, 32)]
    [InlineData(2, 112, 64)]
    [InlineData(4, 112, 128)]
    [InlineData(16, 112, 512)]
    [InlineData(1, 4032, 1)]
    public void Geometry_RoundsTheCountDownToAPowerOfTwo(int pages, int slotSize, int slots) =>
        Assert.Equal(slots, new RingGeometry(pages, slotSize).Slots);

    [Theory]
    [InlineData(1, 0u)]
    [InlineData(1, uint.MaxValue - 3)]
    [InlineData(2, 0x7fff_fffeu)]
    public void ShortSlots_AnyOrder_BehaveAsQueues(int pages, uint start) => Compare(
        pages, start, i => new ShortRequest(i, ~i, i * 7), i => new ShortResponse(i ^ 0x55));

    [Theory]
    [InlineData(1, uint.MaxValue - 3)]
    [InlineData(2, uint.MaxValue - 3)]
    [InlineData(4, uint.MaxValue - 100)]
    public void LongSlotsOnTwoPages_AnyOrder_BehaveAsQueues(int pages, uint start) => Compare(
        pages, start, i => new LongRequest(i, ~i, i * 7), i => new LongResponse(i, ~i));

    [Fact]
    public void Initialise_MakesTheRingThatSharedRingInitMakes()
    {
        using RingPages pages = new(1, 77);
        pages[RingLayout.Pvt] = 5;
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Initialise(pages);
        Assert.Equal((0u, 1u, 0u, 1u, 0u), Header(pages));
        Assert.Equal(0u, pages[RingLayout.Pvt]);
        Assert.Equal((256, 256), (front.Size, front.Free));
    }

    [Fact]
    public void Attach_WritesNothingAndTakesAgainWhatWasNotAnswered()
    {
        using RingPages pages = new(1, 10);
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Attach(pages);
        Assert.True(front.TryPut(new(1, 2, 3)) && front.TryPut(new(4, 5, 6)) && front.Push());
        BackRing<ShortRequest, ShortResponse> first = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        Assert.True(first.TryTake(out _) && first.TryTake(out _));
        first.PutResponse(new(1));
        Assert.True(first.Push());
        (uint, uint, uint, uint, uint) before = Header(pages);
        BackRing<ShortRequest, ShortResponse> second = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        Assert.Equal(before, Header(pages));
        Assert.Equal((1, 0), (second.UnconsumedRequests, second.Unanswered));
        Assert.True(second.TryTake(out ShortRequest request));
        Assert.Equal(new ShortRequest(4, 5, 6), request);
    }

    [Fact]
    public void SlotSize_LargerThanTheStructures_IsTheProtocols()
    {
        using RingPages pages = new(1, uint.MaxValue);
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Attach(pages, slotSize: 108);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages, slotSize: 108);
        Assert.Equal((32, 32), (front.Size, back.Size));
        front.TryPut(new(7, 8, 9));
        Assert.Equal(7, pages.Bytes(0)[64 + (31 * 108)]);
        Assert.Throws<ArgumentOutOfRangeException>(() => BackRing<ShortRequest, ShortResponse>.Attach(pages, slotSize: 8));
    }

    [Fact]
    public void Push_NotifiesOnlyWhereTheEventIndexWasCrossed()
    {
        using RingPages pages = new(1, uint.MaxValue - 1);
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Attach(pages);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        Assert.False(front.Push());
        front.TryPut(default);
        Assert.True(front.Push());
        front.TryPut(default);
        Assert.False(front.Push());
        while (back.TryTake(out _))
            back.PutResponse(default);
        Assert.False(back.FinalCheckForRequests());
        front.TryPut(default);
        Assert.True(front.Push());
        Assert.True(back.FinalCheckForRequests());
        Assert.True(back.Push());
        Assert.False(back.Push());
    }

    [Fact]
    public void PutResponse_MoreThanTaken_IsTheCallersFault()
    {
        using RingPages pages = new(1, 0);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        Assert.Throws<InvalidOperationException>(() => back.PutResponse(default));
    }

    [Fact]
    public void TakingAndAnswering_AllocatesNothing()
    {
        using RingPages pages = new(2, uint.MaxValue - 3);
        FrontRing<LongRequest, LongResponse> front = FrontRing<LongRequest, LongResponse>.Attach(pages);
        BackRing<LongRequest, LongResponse> back = BackRing<LongRequest, LongResponse>.Attach(pages);
        long before = 0;
        for (int i = 0; i < 2000; i++)
        {
            if (i == 1000)
                before = GC.GetAllocatedBytesForCurrentThread();
            front.TryPut(new((uint)i, 0, 0));
            front.Push();
            back.TryTake(out LongRequest request);
            back.PutResponse(new(request.First, 0));
            back.Push();
            back.FinalCheckForRequests();
            front.TryTake(out _);
            front.FinalCheckForResponses();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.True(pages.Marked > 0);
    }

    private static (uint, uint, uint, uint, uint) Header(RingPages pages) => (
        pages[RingLayout.ReqProd], pages[RingLayout.ReqEvent], pages[RingLayout.RspProd], pages[RingLayout.RspEvent], pages[RingLayout.Pvt]);

    private static void Compare<TRequest, TResponse>(int pageCount, uint start, Func<uint, TRequest> request, Func<uint, TResponse> response)
        where TRequest : unmanaged
        where TResponse : unmanaged
    {
        using RingPages pages = new(pageCount, start);
        FrontRing<TRequest, TResponse> front = FrontRing<TRequest, TResponse>.Attach(pages);
        BackRing<TRequest, TResponse> back = BackRing<TRequest, TResponse>.Attach(pages);
        Queue<TRequest> put = new(), published = new();
        Queue<TResponse> answered = new(), answersPublished = new();
        Random random = new(11);
        uint next = 0;
        int taken = 0;
        for (int i = 0; i < 30_000; i++)
        {
            int count = random.Next(1, front.Size / 4);
            switch (random.Next(6))
            {
                case 0:
                    for (; count > 0; count--)
                    {
                        int used = put.Count + published.Count + taken + answered.Count + answersPublished.Count;
                        Assert.Equal(front.Size - used, front.Free);
                        TRequest made = request(next++);
                        Assert.Equal(used < front.Size, front.TryPut(made));
                        if (used < front.Size)
                            put.Enqueue(made);
                    }

                    break;
                case 1:
                    front.Push();
                    while (put.TryDequeue(out TRequest r))
                        published.Enqueue(r);
                    break;
                case 2:
                    Assert.Equal(published.Count, back.UnconsumedRequests);
                    for (; count > 0; count--)
                    {
                        Assert.Equal(published.Count > 0, back.TryTake(out TRequest got));
                        if (!published.TryDequeue(out TRequest expected))
                            break;
                        Assert.Equal(expected, got);
                        taken++;
                    }

                    break;
                case 3:
                    for (; count > 0 && taken > 0; count--, taken--)
                    {
                        TResponse made = response(next++);
                        back.PutResponse(made);
                        answered.Enqueue(made);
                    }

                    break;
                case 4:
                    back.Push();
                    while (answered.TryDequeue(out TResponse r))
                        answersPublished.Enqueue(r);
                    break;
                default:
                    for (; count > 0; count--)
                    {
                        Assert.Equal(answersPublished.Count > 0, front.TryTake(out TResponse got));
                        if (!answersPublished.TryDequeue(out TResponse expected))
                            break;
                        Assert.Equal(expected, got);
                    }

                    break;
            }

            Assert.Equal(taken, back.Unanswered);
        }

        Assert.Null(front.Fault ?? back.Fault);
    }
}
