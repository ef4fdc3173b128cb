using System.Diagnostics;
using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>What took how long.</summary>
public sealed class LatencyCountsTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(9, 0)]
    [InlineData(10, 1)]
    [InlineData(19, 1)]
    [InlineData(20, 2)]
    [InlineData(10_000, 10)]
    [InlineData(10_230, 10)]
    [InlineData(10_240, 11)]
    [InlineData(-5, 0)]
    [InlineData(long.MaxValue, LatencyCounts.Buckets - 1)]
    public void Bucket_IsThePowerOfTwoAbove(long ticks, int bucket)
    {
        var latency = new LatencyCounts();
        latency.Add(TimeSpan.FromTicks(ticks));
        Assert.Equal(bucket, Array.IndexOf(latency.Read(), 1));
        Assert.Equal(1, latency.Read().Sum());
        Assert.Equal(Math.Max(ticks, 0), latency.Sum.Ticks);
    }

    [Fact]
    public void Sum_IsOfAllTimes()
    {
        var latency = new LatencyCounts();
        latency.Add(TimeSpan.FromMilliseconds(3));
        latency.Add(TimeSpan.FromMilliseconds(-1));
        latency.Add(TimeSpan.FromMilliseconds(4));
        Assert.Equal(TimeSpan.FromMilliseconds(7), latency.Sum);
    }

    [Fact]
    public void Add_ReturnsWhenItWas()
    {
        var latency = new LatencyCounts();
        long begin = Stopwatch.GetTimestamp();
        long end = latency.Add(begin);
        Assert.True(end >= begin);
        Assert.Equal(Stopwatch.GetElapsedTime(begin, end), latency.Sum);
    }

    [Fact]
    public void AddTo_AddsUpQueues()
    {
        LatencyCounts first = new(), second = new();
        first.Add(TimeSpan.FromMicroseconds(1));
        second.Add(TimeSpan.FromMicroseconds(1));
        second.Add(TimeSpan.FromMicroseconds(2));
        var both = new long[LatencyCounts.Buckets];
        first.AddTo(both);
        second.AddTo(both);
        Assert.Equal([0, 2, 1], both[..3]);
    }

    [Fact]
    public void Add_AllocatesNothing()
    {
        var latency = new LatencyCounts();
        latency.Add(Stopwatch.GetTimestamp());
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            latency.Add(Stopwatch.GetTimestamp());
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
