namespace Xen.Core.Tests.Time;

public sealed class TimerQueueTests
{
    [Fact]
    public void Timers_ElapseInTheOrderOfTheirDeadlines()
    {
        var queue = new TimerQueue();
        var random = new Random(1);
        List<ulong> elapsed = [];
        List<ulong> expected = [];
        List<MachineTimer> timers = [];
        for (int i = 0; i < 500; i++)
        {
            ulong first = (ulong)random.Next(1, 1000), deadline = (ulong)random.Next(1, 1000);
            var timer = new MachineTimer(queue, () => elapsed.Add(deadline));
            timer.Set(first);
            timer.Set(deadline);
            timers.Add(timer);
            if (i % 3 == 0)
                timer.Cancel();
            else
                expected.Add(deadline);
        }

        for (ulong now = 0; now <= 1000; now += 10)
        {
            queue.RunDue(now);
            Assert.All(elapsed, deadline => Assert.True(deadline <= now));
        }

        expected.Sort();
        Assert.Equal(expected, elapsed);
        Assert.Equal(ulong.MaxValue, queue.NextDeadline);
        Assert.All(timers, timer => Assert.False(timer.IsSet));
    }

    [Fact]
    public void EarlierDeadline_IsAnnounced_ALaterOneIsNot()
    {
        var queue = new TimerQueue();
        int announced = 0;
        queue.Advanced = () => announced++;
        var early = new MachineTimer(queue, () => { });
        var late = new MachineTimer(queue, () => { });

        early.Set(10);
        late.Set(20);
        Assert.Equal(1, announced);
        late.Set(5);
        Assert.Equal(2, announced);
    }

    [Fact]
    public void Deadline_ThatIsAwaitedAnyway_IsNotAnnouncedAgain()
    {
        var queue = new TimerQueue();
        int announced = 0, elapsed = 0;
        queue.Advanced = () => announced++;
        var timer = new MachineTimer(queue, () => elapsed++);
        timer.Set(100);
        Assert.Equal((1, 100ul), (announced, queue.RunDue(0)));

        // What a vCPU does that yields all the time.
        for (ulong later = 100; later < 110; later++)
        {
            timer.Cancel();
            timer.Set(later);
        }

        Assert.Equal((1, 109ul, 0), (announced, queue.RunDue(100), elapsed));
        timer.Set(105);
        Assert.Equal((2, ulong.MaxValue, 1), (announced, queue.RunDue(105), elapsed));
        timer.Set(ulong.MaxValue - 1);
        Assert.Equal(3, announced);
    }

    [Fact]
    public void Timer_MaySetItselfAgain()
    {
        var queue = new TimerQueue();
        List<ulong> times = [];
        MachineTimer? timer = null;
        ulong next = 10;
        timer = new MachineTimer(queue, () =>
        {
            times.Add(next);
            if (next < 30)
                timer!.Set(next += 10);
        });
        timer.Set(next);

        Assert.Equal(ulong.MaxValue, queue.RunDue(100));
        Assert.Equal([10ul, 20ul, 30ul], times);
    }

    [Fact]
    public void TimerThread_IsNeverEarly()
    {
        var clock = new MachineClock(TimeProvider.System);
        var queue = new TimerQueue();
        using var thread = new TimerThread(clock, queue);
        thread.Start();
        using var elapsed = new ManualResetEventSlim();
        ulong at = 0;
        var timer = new MachineTimer(queue, () =>
        {
            at = clock.Now;
            elapsed.Set();
        });

        for (int i = 0; i < 20; i++)
        {
            elapsed.Reset();
            ulong deadline = clock.Now + 300_000;
            timer.Set(deadline);
            TestMachine.WaitFor(elapsed);
            Assert.True(at >= deadline);
        }
    }
}
