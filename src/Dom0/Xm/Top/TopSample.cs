using Xen.Contract.V1;
using Xen.Contract;

namespace Xen.Xm;

/// <summary>What one refresh of <c>xm top</c> shows. Read this first: a sample of xend's, with what follows from the one before it.</summary>
internal sealed class TopSample
{
    private const double NanosecondsPerSecond = 1e9;

    private TopSample(StatisticsSample raw, IReadOnlyList<TopDomain> domains) => (Raw, Domains) = (raw, domains);

    public StatisticsSample Raw { get; }

    /// <summary>By rising number.</summary>
    public IReadOnlyList<TopDomain> Domains { get; }

    /// <summary>Makes one.</summary>
    /// <param name="raw">The sample.</param>
    /// <param name="before">The one before; without one, nobody has used any of a processor yet.</param>
    public static TopSample Of(StatisticsSample raw, StatisticsSample? before)
    {
        Dictionary<(long, int), long> used = [];
        foreach (DomainStatistics domain in before?.Domains ?? [])
            used[(domain.Handle, domain.Id)] = domain.CpuNs;
        long elapsed = raw.ElapsedNs - (before?.ElapsedNs ?? 0);
        return new TopSample(raw, [.. raw.Domains.Select(domain =>
        {
            bool isKnown = used.TryGetValue((domain.Handle, domain.Id), out long was) && elapsed > 0;
            return new TopDomain(raw, domain, isKnown ? Math.Max(0, 100.0 * (domain.CpuNs - was) / elapsed) : 0);
        })]);
    }

    /// <summary>How many domains are in a state: a letter of xm's columns.</summary>
    public int Count(char state) => Domains.Count(domain => domain.Statistics.State.Contains(state, StringComparison.Ordinal));

    /// <summary>Seconds, whole ones.</summary>
    public static long Seconds(long nanoseconds) => (long)(nanoseconds / NanosecondsPerSecond);
}

/// <summary>A line of <c>xm top</c>.</summary>
/// <param name="Sample">The sample that it is of.</param>
/// <param name="Statistics">The domain.</param>
/// <param name="CpuPercent">CPU time since the sample before. <b>Units</b>: percent of one processor.</param>
internal sealed record TopDomain(StatisticsSample Sample, DomainStatistics Statistics, double CpuPercent)
{
    /// <summary>Its name, of printable characters only.</summary>
    public string Name { get; } = PrintableText.Of(Statistics.Name);

    public double MemoryPercent => PercentOfMachine(Statistics.MemoryKib);

    /// <summary>Null: no limit.</summary>
    public double? MaxMemoryPercent => Statistics.MaxMemoryKib == 0 ? null : PercentOfMachine(Statistics.MaxMemoryKib);

    private double PercentOfMachine(long kibibytes) => Sample.TotalMemoryKib == 0 ? 0 : 100.0 * kibibytes / Sample.TotalMemoryKib;
}
