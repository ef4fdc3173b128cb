using System.Diagnostics;
using Xen.Abi;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Frontend;

namespace Xen.Drivers.Tests.Block;

/// <summary>What a device tells about how long its requests take, and whether its ring is long enough.</summary>
public sealed class BlockLatencyTests
{
    [Fact]
    public async Task Latency_IsFromTheRingToTheAnswer()
    {
        using ManualResetEventSlim begun = new(), go = new();
        var storage = new FakeStorage
        {
            Before = (_, _) =>
            {
                begun.Set();
                return go.Wait(BlockPair.Patience) ? XenErrno.OK : XenErrno.EIO;
            },
        };
        using BlockPair pair = new(storage);
        using BlockFrontend frontend = pair.Connect();
        Task read = frontend.ReadAsync(0, new byte[512]);
        Assert.True(begun.Wait(BlockPair.Patience));
        long start = Stopwatch.GetTimestamp();
        TimeSpan atLeast = TimeSpan.FromMilliseconds(20);
        Assert.True(SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(start) > atLeast * 2, BlockPair.Patience));
        go.Set();
        await read.WaitAsync(BlockPair.Patience);
        await frontend.WriteAsync(0, new byte[512]).WaitAsync(BlockPair.Patience);
        await frontend.FlushAsync().WaitAsync(BlockPair.Patience);
        pair.Close(frontend);

        BlockCounters counters = pair.Backend.Counters;
        Assert.Equal((1, 1, 1), (counters.ReadLatency.Read().Sum(), counters.WriteLatency.Read().Sum(), counters.FlushLatency.Read().Sum()));

        Assert.True(counters.ReadLatency.Sum >= atLeast);

        // 20 ms are in the bucket from 16384 µs on.
        Assert.Equal(0, counters.ReadLatency.Read()[..15].Sum());
    }

    [Fact]
    public async Task OutOfRequests_IsCountedWhenTheRingIsFull()
    {
        using ManualResetEventSlim go = new();
        var storage = new FakeStorage { Before = (_, _) => go.Wait(BlockPair.Patience) ? XenErrno.OK : XenErrno.EIO };
        using BlockPair pair = new(storage);
        using BlockFrontend frontend = pair.Connect();
        BlockCounters counters = pair.Backend.Counters;

        // A ring of one page has 32 places.
        List<Task> all = [.. Enumerable.Range(0, 31).Select(i => frontend.WriteAsync(i, new byte[512]))];
        Assert.Equal(0, counters.OutOfRequests);
        all.Add(frontend.WriteAsync(31, new byte[512]));
        go.Set();
        await Task.WhenAll(all).WaitAsync(BlockPair.Patience);
        pair.Close(frontend);
        Assert.Equal(1, counters.OutOfRequests);
    }
}
