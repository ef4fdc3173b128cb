using Grpc.Core;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.Service;

namespace Xen.Dom0.Tests.Service;

/// <summary>What the machine and its domains have used, by the contract.</summary>
public sealed class StatisticsTests
{
    [Fact]
    public async Task Sample_IsOfTheMachineAndAllDomains()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        long handle = (await xend.CreateAsync("one", xend.WriteIdleKernel())).Domain.Handle;
        StatisticsSample sample = await xend.Client.GetStatisticsAsync(new GetStatisticsRequest());
        Assert.Equal((long)(await xend.Client.GetInfoAsync(new GetInfoRequest())).TotalMemoryMib << 10, sample.TotalMemoryKib);
        Assert.Equal(sample.TotalMemoryKib, sample.UsedMemoryKib + sample.FreeMemoryKib);
        Assert.True(sample.UsedMemoryKib >= 64 << 10);
        Assert.True(sample.PhysicalCpus > 0 && sample.ElapsedNs > 0);
        Assert.Equal(XendState.Version, sample.Version);
        Assert.Equal(["Domain-0", "one"], sample.Domains.Select(static d => d.Name));
        Assert.Equal((0L, handle), (sample.Domains[0].MaxMemoryKib, sample.Domains[1].Handle));
        Assert.True(sample.Domains[0].CpuNs > 0);
        Assert.Equal((64 << 10, 64 << 10), (sample.Domains[1].MemoryKib, sample.Domains[1].MaxMemoryKib));
        Assert.True(Assert.Single(sample.Domains[1].Vcpus).Online);
    }

    [Fact]
    public async Task Watch_SendsOneSampleAfterTheOther()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        await xend.CreateAsync("one", xend.WriteIdleKernel());
        using AsyncServerStreamingCall<StatisticsSample> call = xend.Client.WatchStatistics(new WatchStatisticsRequest { IntervalMs = 100 });
        long before = -1;
        for (int i = 0; i < 3; i++)
        {
            Assert.True(await call.ResponseStream.MoveNext(new CancellationTokenSource(RunningXend.Patience).Token));
            Assert.True(call.ResponseStream.Current.ElapsedNs > before);
            Assert.Equal(2, call.ResponseStream.Current.Domains.Count);
            before = call.ResponseStream.Current.ElapsedNs;
        }
    }

    [Theory]
    [InlineData(99)]
    [InlineData(-1)]
    [InlineData(3_600_001)]
    public async Task Hostile_Interval_IsRefused(int interval)
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        using AsyncServerStreamingCall<StatisticsSample> call = xend.Client.WatchStatistics(new WatchStatisticsRequest { IntervalMs = interval });
        RpcException fault = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal((StatusCode.InvalidArgument, "interval_ms must be from 100 to 3600000, or 0."), (fault.StatusCode, fault.Status.Detail));
    }

    [Fact]
    public async Task Watch_EndsWithXend()
    {
        RunningXend xend = await RunningXend.StartAsync();
        using XendConnection other = await xend.ConnectAsync();
        using AsyncServerStreamingCall<StatisticsSample> call = other.Client.WatchStatistics(new WatchStatisticsRequest { IntervalMs = 3_600_000 });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
        Task<bool> next = call.ResponseStream.MoveNext(CancellationToken.None);
        await xend.DisposeAsync();
        RpcException fault = await Assert.ThrowsAsync<RpcException>(() => next.WaitAsync(RunningXend.Patience));
        Assert.Equal(StatusCode.Unavailable, fault.StatusCode);
    }

    [Fact]
    public async Task SlowReader_GetsFewer_AndNothingWaitsForHim()
    {
        int taken = 0;
        var writer = new SlowWriter();
        using var stop = new CancellationTokenSource();
        TimeSpan interval = TimeSpan.FromMilliseconds(1);
        Task sending = XendService.SendSamplesAsync(
            () => Task.FromResult(new StatisticsSample { ElapsedNs = Interlocked.Increment(ref taken) }), writer, interval, stop.Token);
        for (int read = 1; read <= 3; read++)
        {
            StatisticsSample sample = await writer.Written.Reader.ReadAsync(stop.Token);
            Assert.Equal(read, sample.ElapsedNs);

            // While he does not read on, time for many more goes by.
            using var timer = new PeriodicTimer(interval);
            for (int tick = 0; tick < 20; tick++)
                await timer.WaitForNextTickAsync(stop.Token);
            Assert.Equal(read, Volatile.Read(ref taken));
            writer.Go.Release();
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
    }

    /// <summary>A client who is sent something when he says so.</summary>
    private sealed class SlowWriter : IAsyncStreamWriter<StatisticsSample>
    {
        public System.Threading.Channels.Channel<StatisticsSample> Written { get; } = System.Threading.Channels.Channel.CreateUnbounded<StatisticsSample>();

        public SemaphoreSlim Go { get; } = new(0);

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(StatisticsSample message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(StatisticsSample message, CancellationToken cancellationToken)
        {
            Written.Writer.TryWrite(message);
            return Go.WaitAsync(cancellationToken);
        }
    }
}
