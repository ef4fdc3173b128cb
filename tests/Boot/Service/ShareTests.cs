using System.Diagnostics;
using Xen.Contract.V1;
using Xunit.Abstractions;

namespace Xen.Boot.Tests.Service;

/// <summary>Busy guests share the processors as they are told to.</summary>
public sealed class ShareTests(ITestOutputHelper output) : IDisposable
{
    /// <summary>Processor time over which is looked, so that single turns of the scheduler do not matter. <b>Units</b>: seconds.</summary>
    private const double Window = 6;

    /// <summary>How often is looked: who asks takes the processors from who is measured.</summary>
    private readonly PeriodicTimer _pace = new(TimeSpan.FromMilliseconds(100));

    [Fact]
    public async Task WeightsOfTwoToOne_GiveTwoToOne()
    {
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=256");
        string kernel = xend.WriteBusyKernel();
        await xend.CreateAsync("heavy", kernel, paused: false, "cpus=0");
        await xend.CreateAsync("light", kernel, paused: false, "cpus=0");
        Assert.Equal((0, "", ""), await xend.XmAsync("sched-credit", "-d", "heavy", "-w", "512"));
        Assert.Equal((0, "", ""), await xend.XmAsync("sched-credit", "-d", "light", "-w", "256"));
        (double heavy, double light) before = await TimesAsync(xend), now;
        do
            now = await TimesAsync(xend);
        while (now.heavy + now.light < before.heavy + before.light + Window);
        double ratio = (now.heavy - before.heavy) / (now.light - before.light);
        output.WriteLine($"{ratio:F3} to 1");
        Assert.InRange(ratio, 1.8, 2.2);
    }

    [Fact]
    public async Task CapOfFifty_IsHalfAProcessor()
    {
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=256");
        await xend.CreateAsync("capped", xend.WriteBusyKernel());
        Assert.Equal((0, "", ""), await xend.XmAsync("sched-credit", "-d", "capped", "-c", "50"));

        // A busy host may give less in one window; it never is more.
        double percent;
        int tries = 0;
        do
            percent = await LoadAsync(xend);
        while (percent < 45 && ++tries < 10);
        output.WriteLine($"{percent:F1} %");
        Assert.InRange(percent, 45, 55);
    }

    public void Dispose() => _pace.Dispose();

    /// <summary>What part of a processor the only domain gets, over a while. <b>Units</b>: percent.</summary>
    private async Task<double> LoadAsync(PrivateXend xend)
    {
        long start = Stopwatch.GetTimestamp();
        double first = (await xend.ListAsync())[0].CpuSeconds, last;
        do
        {
            await _pace.WaitForNextTickAsync();
            last = (await xend.ListAsync())[0].CpuSeconds;
        }
        while (last < first + (Window / 2));
        return 100 * (last - first) / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private async Task<(double Heavy, double Light)> TimesAsync(PrivateXend xend)
    {
        await _pace.WaitForNextTickAsync();
        IReadOnlyList<Domain> domains = await xend.ListAsync();
        return (domains[0].CpuSeconds, domains[1].CpuSeconds);
    }
}
