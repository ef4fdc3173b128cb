using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Service;

/// <summary>What the machine and its domains have used.</summary>
internal sealed partial class XendService
{
    private const int ShortestInterval = 100, PresetInterval = 1000, LongestInterval = 3_600_000;

    public override Task<StatisticsSample> GetStatistics(GetStatisticsRequest request, ServerCallContext context) => LookAsync(context, state.Statistics.Sample);

    public override async Task WatchStatistics(WatchStatisticsRequest request, IServerStreamWriter<StatisticsSample> responseStream, ServerCallContext context)
    {
        int interval = request.IntervalMs == 0 ? PresetInterval : request.IntervalMs;
        if (interval is < ShortestInterval or > LongestInterval)
            throw new ArgumentException($"interval_ms must be from {ShortestInterval} to {LongestInterval}, or 0.");
        using CancellationTokenSource until = Until(context);
        await SendSamplesAsync(() => LookAsync(context, state.Statistics.Sample), responseStream, TimeSpan.FromMilliseconds(interval), until.Token).ConfigureAwait(false);
    }

    /// <summary>Sends samples until that is cancelled. The next is taken when the one before has gone: nothing waits here for a client that is slow.</summary>
    internal static async Task SendSamplesAsync(
        Func<Task<StatisticsSample>> take, IAsyncStreamWriter<StatisticsSample> to, TimeSpan interval, CancellationToken cancellation)
    {
        // Ticks that come while nobody waits for them are one.
        using var timer = new PeriodicTimer(interval);
        do
        {
            await to.WriteAsync(await take().ConfigureAwait(false), cancellation).ConfigureAwait(false);
        }
        while (await timer.WaitForNextTickAsync(cancellation).ConfigureAwait(false));
    }
}
