using System.Runtime.InteropServices;
using Xen.Abi;
using Xen.Rings;
using Xunit.Abstractions;

namespace Xen.Drivers.Tests.Rings;

/// <summary>
/// The four full barriers between publishing and looking, each on the narrowest race there is: one message against one last look. With any one of them
/// taken out, the test of its direction loses hundreds of wake-ups in two seconds (measured on x86-64, where only a store and a later
/// load change places).
/// </summary>
public sealed class RingBarrierTests(ITestOutputHelper output)
{
#if DEBUG
    private static bool IsOptimised => false;
#else
    private static bool IsOptimised => true;
#endif

    [Fact]
    public void OneRequestAgainstOneLastLook_IsFoundOrNotified()
    {
        using RingPages pages = new(1, uint.MaxValue - 3);
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Attach(new SlowPages(pages));
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(new SlowPages(pages));
        Duel duel = new(() => front.TryPut(default), front.Push, back.FinalCheckForRequests, () =>
        {
            Assert.True(back.TryTake(out _));
            back.PutResponse(default);
            back.Push();
            Assert.True(front.TryTake(out _));
        });
        AssertNothingLost(duel.Fight());
    }

    [Fact]
    public void OneResponseAgainstOneLastLook_IsFoundOrNotified()
    {
        using RingPages pages = new(1, uint.MaxValue - 3);
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Attach(new SlowPages(pages));
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(new SlowPages(pages));
        Duel duel = new(
            () =>
            {
                front.TryPut(default);
                front.Push();
                Assert.True(back.TryTake(out _));
                back.PutResponse(default);
            },
            back.Push,
            front.FinalCheckForResponses,
            () => Assert.True(front.TryTake(out _)));
        AssertNothingLost(duel.Fight());
    }

    /// <summary>
    /// The duel itself can tell: the same two steps on the same page without barriers lose wake-ups, where the processor lets them. Only optimised code is quick
    /// enough between its store and its load; so not in a debug build, and in others only when the runtime has come to compile it again.
    /// </summary>
    [Fact]
    public void TheSameWithoutBarriers_IsSeenToLose()
    {
        using RingPages pages = new(1, 0);
        SlowPages producer = new(pages), consumer = new(pages);
        uint index = 0;
        Duel duel = new(
            () => index++,
            () =>
            {
                Volatile.Write(ref Word(producer, RingLayout.ReqProd), index);
                return Volatile.Read(ref Word(producer, RingLayout.ReqEvent)) == index;
            },
            () =>
            {
                bool there = Volatile.Read(ref Word(consumer, RingLayout.ReqProd)) == index;
                if (there)
                    return true;
                Volatile.Write(ref Word(consumer, RingLayout.ReqEvent), index);
                return Volatile.Read(ref Word(consumer, RingLayout.ReqProd)) == index;
            },
            () => { });
        (int rounds, int lost) = duel.Fight(untilLost: IsOptimised);
        output.WriteLine($"{lost} of {rounds} lost without barriers");
        Assert.True(lost > 0 || Environment.ProcessorCount == 1 || !IsOptimised, "the duel is too slow to see a missing barrier");
    }

    private static ref uint Word(SlowPages pages, int offset) => ref MemoryMarshal.Cast<byte, uint>(pages.Bytes(0))[offset / sizeof(uint)];

    private void AssertNothingLost((int Rounds, int Lost) result)
    {
        output.WriteLine($"{result.Lost} of {result.Rounds} lost");
        Assert.Equal(0, result.Lost);
    }
}
