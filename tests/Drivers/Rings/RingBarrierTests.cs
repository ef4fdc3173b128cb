using System.Diagnostics;
using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>The full barrier between publishing and looking, on the narrowest race there is: one request against one last look.</summary>
public sealed class RingBarrierTests
{
    [Fact]
    public void OneRequestAgainstOneLastLook_IsFoundOrNotified()
    {
        using RingPages pages = new(1, uint.MaxValue - 3);
        FrontRing<ShortRequest, ShortResponse> front = FrontRing<ShortRequest, ShortResponse>.Attach(pages);
        BackRing<ShortRequest, ShortResponse> back = BackRing<ShortRequest, ShortResponse>.Attach(pages);
        long start = Stopwatch.GetTimestamp();
        int go = 0, done = 0, lost = 0;
        bool found = false;
        Thread consumer = new(() =>
        {
            Random delay = new(2);
            for (int round = 1; Await(ref go, round); round++)
            {
                Thread.SpinWait(delay.Next(8));
                found = back.FinalCheckForRequests();
                Volatile.Write(ref done, round);
            }
        });
        consumer.Start();
        Random random = new(1);
        for (int round = 1; round < 1_000_000 && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(3); round++)
        {
            front.TryPut(default);
            Volatile.Write(ref go, round);
            Thread.SpinWait(random.Next(16));
            bool notified = front.Push();
            Await(ref done, round);
            lost += notified || found ? 0 : 1;
            Assert.True(back.TryTake(out _));
            back.PutResponse(default);
            back.Push();
            Assert.True(front.TryTake(out _));
        }

        Volatile.Write(ref go, -1);
        consumer.Join();
        Assert.Equal(0, lost);
    }

    /// <summary>Spins, for a thread that is put to sleep misses the race; yields now and then, for the processor may be needed.</summary>
    private static bool Await(ref int value, int expected)
    {
        for (int i = 1; ; i++)
        {
            int now = Volatile.Read(ref value);
            if (now == expected || now < 0)
                return now == expected;
            if (i % 4096 == 0)
                Thread.Yield();
        }
    }
}
