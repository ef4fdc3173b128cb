using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>What <c>xm top --json</c> prints: a document a line. Keys are only ever added.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(TopDocument))]
internal sealed partial class TopRows : JsonSerializerContext;

/// <summary>A sample.</summary>
internal sealed record TopDocument(
    string Time, double ElapsedSeconds, string Version, long TotalMemoryKiB, long UsedMemoryKiB, long FreeMemoryKiB, int Cpus, double CpuMHz, TopDomainRow[] Domains)
{
    public static TopDocument Of(TopSample sample, TopView view)
    {
        StatisticsSample raw = sample.Raw;
        return new TopDocument(
            DateTimeOffset.FromUnixTimeMilliseconds(raw.TimeUnixMs).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture), Math.Round(raw.ElapsedNs / 1e9, 3), raw.Version,
            raw.TotalMemoryKib, raw.UsedMemoryKib, raw.FreeMemoryKib, raw.PhysicalCpus, raw.CpuKhz / 1e3, [.. view.Order(sample).Select(TopDomainRow.Of)]);
    }
}

/// <summary>A domain of a sample.</summary>
internal sealed record TopDomainRow(
    string Name, int Id, string State, double CpuSeconds, double CpuPercent, long MemoryKiB, double MemoryPercent, long? MaxMemoryKiB, double? MaxMemoryPercent, int Vcpus,
    TopVcpuRow[] VcpuTimes, TopNetworkRow[] Networks, TopVbdRow[] Vbds)
{
    public static TopDomainRow Of(TopDomain domain)
    {
        DomainStatistics d = domain.Statistics;
        double? most = domain.MaxMemoryPercent;
        return new TopDomainRow(
            d.Name, d.Id, d.State, Math.Round(d.CpuNs / 1e9, 3), Math.Round(domain.CpuPercent, 1), d.MemoryKib, Math.Round(domain.MemoryPercent, 1),
            most is null ? null : d.MaxMemoryKib, most is { } percent ? Math.Round(percent, 1) : null, d.OnlineVcpus,
            [.. d.Vcpus.Where(static vcpu => vcpu.Online).Select(static vcpu => new TopVcpuRow(vcpu.Number, Math.Round(vcpu.CpuNs / 1e9, 3)))],
            [.. d.Vifs.Select(TopNetworkRow.Of)], [.. d.Vbds.Select(TopVbdRow.Of)]);
    }
}

/// <summary>A vCPU of a domain.</summary>
internal sealed record TopVcpuRow(int Vcpu, double CpuSeconds);

/// <summary>A network interface of a domain.</summary>
internal sealed record TopNetworkRow(
    int Index, long RxBytes, long RxPackets, long RxErrors, long RxDropped, long TxBytes, long TxPackets, long TxErrors, TopLatency RxLatency, TopLatency TxLatency)
{
    public static TopNetworkRow Of(VifStatistics v) => new(
        v.Index, v.RxBytes, v.RxPackets, v.RxErrors, v.RxDropped, v.TxBytes, v.TxPackets, v.TxErrors, TopLatency.Of(v.RxLatency), TopLatency.Of(v.TxLatency));
}

/// <summary>A block device of a domain.</summary>
internal sealed record TopVbdRow(
    int Vdev, string Name, long OutOfRequests, long Reads, long Writes, long Flushes, long Discards, long ReadSectors, long WrittenSectors, long Errors,
    TopLatency ReadLatency, TopLatency WriteLatency, TopLatency FlushLatency)
{
    public static TopVbdRow Of(VbdStatistics v) => new(
        v.Number, v.Name, v.OutOfRequests, v.Reads, v.Writes, v.Flushes, v.Discards, v.ReadSectors, v.WrittenSectors, v.Errors,
        TopLatency.Of(v.ReadLatency), TopLatency.Of(v.WriteLatency), TopLatency.Of(v.FlushLatency));
}

/// <summary>How long requests or frames took.</summary>
/// <param name="Count">How many there were.</param>
/// <param name="SumSeconds">All together.</param>
/// <param name="P50Seconds">What half of them did not take: the power of two of microseconds above it; null if there was none.</param>
/// <param name="P99Seconds">What 99 of 100 did not take.</param>
internal sealed record TopLatency(long Count, double SumSeconds, double? P50Seconds, double? P99Seconds)
{
    public static TopLatency Of(LatencyHistogram? histogram)
    {
        if (histogram is null)
            return new TopLatency(0, 0, null, null);
        long total = histogram.Counts.Sum();
        return new TopLatency(total, histogram.SumNs / 1e9, Quantile(histogram, total, 0.5), Quantile(histogram, total, 0.99));
    }

    private static double? Quantile(LatencyHistogram histogram, long total, double share)
    {
        long seen = 0;
        for (int i = 0; i < histogram.Counts.Count; i++)
        {
            seen += histogram.Counts[i];
            if (seen > 0 && seen >= share * total)
                return Math.ScaleB(1, i) / 1e6;
        }

        return null;
    }
}
