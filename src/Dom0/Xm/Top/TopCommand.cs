using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using Xen.Contract.V1;
using Xen.Contract;

namespace Xen.Xm;

/// <summary><c>xm top</c>: what domains use, as xentop shows it; on a terminal a live screen, else or with <c>-b</c> lines of text.</summary>
internal sealed class TopCommand(XmContext context)
{
    private const double PresetDelay = 3;

    private readonly Option<double> _delay = new("--delay", "-d") { Description = "Seconds between two samples, from 0.1 (3).", DefaultValueFactory = static _ => PresetDelay };
    private readonly Option<bool> _networks = new("--networks", "-n") { Description = "Show network interfaces, too." };
    private readonly Option<bool> _vbds = new("--vbds", "-x") { Description = "Show block devices, too." };
    private readonly Option<bool> _vcpus = new("--vcpus", "-v") { Description = "Show vCPUs, too." };
    private readonly Option<bool> _repeat = new("--repeat-header", "-r") { Description = "Repeat the titles before each domain." };
    private readonly Option<bool> _fullNames = new("--full-name", "-f") { Description = "Do not cut names." };
    private readonly Option<bool> _dom0First = new("--dom0-first", "-z") { Description = "Domain-0 is first, whatever the order." };
    private readonly Option<bool> _batch = new("--batch", "-b") { Description = "Print lines, no screen; so it is, too, where output is no terminal." };
    private readonly Option<int?> _iterations = new("--iterations", "-i") { Description = "End after so many samples." };
    private readonly Option<string?> _sort = new("--sort", "-S") { Description = "The column to sort by, such as cpu% or mem; by number unless told." };
    private readonly Option<bool> _reverse = new("--reverse", "-R") { Description = "Sort the other way round." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON, a document a line for each sample; implies -b." };

    public Command Build()
    {
        Command command = new("top", "Show what domains use, again and again, as xentop does.")
        {
            _delay, _networks, _vbds, _vcpus, _repeat, _fullNames, _dom0First, _batch, _iterations, _sort, _reverse, _json,
        };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private Task<int> RunAsync(ParseResult parsed)
    {
        TopView view = ViewOf(parsed);
        double seconds = parsed.GetValue(_delay);
        if (seconds is not (>= TopScreen.ShortestDelay and <= TopScreen.LongestDelay))
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"-d is a number of seconds, {TopScreen.ShortestDelay} to {TopScreen.LongestDelay}, and is {seconds}."));
        int? iterations = parsed.GetValue(_iterations);
        if (iterations < 1)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"-i is a number of samples, 1 or more, and is {iterations}."));
        TimeSpan delay = TimeSpan.FromSeconds(seconds);
        bool isJson = parsed.GetValue(_json);
        var xend = new ServiceCalls(context);
        if (isJson || parsed.GetValue(_batch) || context.Terminal is not { Size: not null } terminal)
            return xend.UseAsync(start: false, client => PrintAsync(client, view, delay, iterations, isJson));
        if (Environment.GetEnvironmentVariable("TERM") is "dumb" or "")
            throw new UsageException("this terminal (TERM) cannot show a screen: xm top -b prints lines.");
        return xend.UseAsync(start: false, client => ShowAsync(client, terminal, new TopScreen(view, delay), iterations));
    }

    private TopView ViewOf(ParseResult parsed)
    {
        string? sort = parsed.GetValue(_sort);
        TopColumn? column = sort is null ? null : TopColumn.Find(sort);
        if (sort is not null && column is null && !sort.Equals("id", StringComparison.OrdinalIgnoreCase))
            throw new UsageException($"'{PrintableText.Of(sort)}' is no column; those are: id, {string.Join(", ", TopColumn.All.Select(static c => c.Key))}.");
        return new TopView
        {
            Networks = parsed.GetValue(_networks),
            Vbds = parsed.GetValue(_vbds),
            Vcpus = parsed.GetValue(_vcpus),
            RepeatHeader = parsed.GetValue(_repeat),
            FullNames = parsed.GetValue(_fullNames),
            Dom0First = parsed.GetValue(_dom0First),
            Sort = column,
            IsReversed = parsed.GetValue(_reverse),
        };
    }

    private async Task<int> PrintAsync(Xend.XendClient client, TopView view, TimeSpan delay, int? iterations, bool isJson)
    {
        var request = new WatchStatisticsRequest { IntervalMs = (int)delay.TotalMilliseconds };
        using AsyncServerStreamingCall<StatisticsSample> call = client.WatchStatistics(request, cancellationToken: context.Stop);
        StatisticsSample? before = null;
        for (int i = 0; (iterations is null || i < iterations) && await call.ResponseStream.MoveNext(context.Stop).ConfigureAwait(false); i++)
        {
            TopSample sample = TopSample.Of(call.ResponseStream.Current, before);
            before = sample.Raw;
            string text = isJson
                ? JsonSerializer.Serialize(TopDocument.Of(sample, view), TopRows.Default.TopDocument) + "\n"
                : string.Concat(Lines(sample, view).Select(static line => line + "\n"));
            await context.Out.WriteAsync(text).ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static IEnumerable<string> Lines(TopSample sample, TopView view)
    {
        yield return TopText.Header();
        bool isFirst = true;
        foreach (TopDomain domain in view.Order(sample))
        {
            if (view.RepeatHeader && !isFirst)
                yield return TopText.Header();
            isFirst = false;
            yield return TopText.Row(domain, view.FullNames);
            foreach (string line in TopText.Details(domain, view))
                yield return line;
        }
    }

    private async Task<int> ShowAsync(Xend.XendClient client, ITerminal terminal, TopScreen screen, int? iterations)
    {
        using SignalWatch signals = new(context.Stop);
        bool colors = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        using var painter = new TopPainter(colors);
        try
        {
            TopEnd end = await new LiveTop(context, terminal, client, screen, painter).RunAsync(iterations, signals.Token).ConfigureAwait(false);
            return end == TopEnd.Interrupted ? ExitCode.CtrlC : ExitCode.Ok;
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            return signals.ExitStatus;
        }
    }
}
