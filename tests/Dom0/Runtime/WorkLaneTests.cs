using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>Threads for work that blocks.</summary>
public sealed class WorkLaneTests
{
    [Fact]
    public async Task ManyAtOnce_AreDone_BySoManyThreadsAtMost_AndNoneOfThePools()
    {
        using var lane = new WorkLane("test", mostThreads: 3, mostWaiting: 97);
        using var go = new ManualResetEventSlim();
        List<Task<(bool IsPools, string? Name)>> all = [];
        for (int i = 0; i < 100; i++)
        {
            Assert.True(lane.TryRun(() =>
            {
                go.Wait();
                return (Thread.CurrentThread.IsThreadPoolThread, Thread.CurrentThread.Name);
            }, out Task<(bool, string?)>? one));
            all.Add(one);
        }

        Assert.Equal(3, lane.Threads);
        Assert.False(lane.TryRun(static () => 0, out _));
        go.Set();
        (bool IsPools, string? Name)[] done = await Task.WhenAll(all).WaitAsync(TestMachine.Patience);
        Assert.All(done, static one => Assert.False(one.IsPools));
        Assert.All(done, static one => Assert.StartsWith("test-", one.Name, StringComparison.Ordinal));
        Assert.InRange(done.Select(static one => one.Name).Distinct().Count(), 1, 3);
        Assert.True(lane.TryRun(static () => 0, out Task<int>? later));
        await later.WaitAsync(TestMachine.Patience);
    }

    [Fact]
    public async Task WorkOfOneThread_IsDoneInOrder_AndAFaultEndsOnlyItself()
    {
        using var lane = new WorkLane("test", mostThreads: 1, mostWaiting: 100);
        List<int> order = [];
        List<Task> all = [];
        for (int i = 0; i < 50; i++)
        {
            int number = i;
            Assert.True(lane.TryRun(() =>
            {
                order.Add(number);
                return number % 10 == 0 ? throw new ToolstackException("no") : number;
            }, out Task<int>? one));
            all.Add(one);
        }

        foreach ((int number, Task one) in all.Index())
        {
            if (number % 10 == 0)
                Assert.Equal("no", (await Assert.ThrowsAsync<ToolstackException>(() => one.WaitAsync(TestMachine.Patience))).Message);
            else
                await one.WaitAsync(TestMachine.Patience);
        }

        Assert.Equal(Enumerable.Range(0, 50), order);
    }

    [Fact]
    public async Task Disposed_FinishesWhatItHas_AndTakesNoMore()
    {
        using var go = new ManualResetEventSlim();
        var lane = new WorkLane("test", mostThreads: 1, mostWaiting: 10);
        Assert.True(lane.TryRun(() =>
        {
            go.Wait();
            return 1;
        }, out Task<int>? first));
        Assert.True(lane.TryRun(static () => 2, out Task<int>? second));

        lane.Dispose();

        Assert.False(lane.TryRun(static () => 3, out _));
        go.Set();
        int[] done = await Task.WhenAll(first, second).WaitAsync(TestMachine.Patience);
        Assert.Equal([1, 2], done);
    }
}
