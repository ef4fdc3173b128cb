using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Service;

/// <summary>The metrics of devices.</summary>
internal static class DeviceMetrics
{
    private const int SectorSize = 512;
    private const double NanosecondsPerSecond = 1e9;

    /// <summary>Upper bounds of latencies: 1 µs to 17 s, by powers of two. <b>Units</b>: seconds.</summary>
    private static readonly double[] Bounds = [.. Enumerable.Range(0, 25).Select(static i => (1L << i) / 1e6)];

    public static void WriteNetwork(MetricsText text, DomainStatistics[] domains)
    {
        Of(text, "transmit_bytes_total", "Bytes that the guest sent.", domains, static v => v.TxBytes);
        Of(text, "transmit_packets_total", "Frames that the guest sent.", domains, static v => v.TxPackets);
        Of(text, "transmit_errs_total", "Requests to send that were malformed, or whose pages could not be read.", domains, static v => v.TxErrors);
        Of(text, "receive_bytes_total", "Bytes that the guest received.", domains, static v => v.RxBytes);
        Of(text, "receive_packets_total", "Frames that the guest received.", domains, static v => v.RxPackets);
        Of(text, "receive_errs_total", "Frames that could not be written to the guest's pages.", domains, static v => v.RxErrors);
        Of(text, "receive_drop_total", "Frames that the guest had no room for.", domains, static v => v.RxDropped);
        text.Begin("xen_domain_network_latency_seconds", "histogram", "How long frames were on their way between the guest's ring and the network.");
        foreach ((string domain, VifStatistics vif) in domains.SelectMany(static d => d.Vifs.Select(vif => (d.Name, vif))))
        {
            Add(text, vif.TxLatency, ("domain", domain), ("device", NameOf(vif)), ("direction", "transmit"));
            Add(text, vif.RxLatency, ("domain", domain), ("device", NameOf(vif)), ("direction", "receive"));
        }
    }

    public static void WriteBlock(MetricsText text, DomainStatistics[] domains)
    {
        Of(text, "reads_total", "Requests to read.", domains, static v => v.Reads);
        Of(text, "writes_total", "Requests to write, barriers included.", domains, static v => v.Writes);
        Of(text, "flushes_total", "Requests to flush.", domains, static v => v.Flushes);
        Of(text, "discards_total", "Requests to discard.", domains, static v => v.Discards);
        Of(text, "read_bytes_total", "Bytes that were read.", domains, static v => v.ReadSectors * SectorSize);
        Of(text, "written_bytes_total", "Bytes that were written.", domains, static v => v.WrittenSectors * SectorSize);
        Of(text, "ring_full_total", "How often the ring was full, so that the guest had to wait.", domains, static v => v.OutOfRequests);
        Of(text, "errors_total", "Requests that failed or were malformed.", domains, static v => v.Errors);
        text.Begin("xen_domain_block_latency_seconds", "histogram", "How long requests took, from the guest's ring to the answer.");
        foreach ((string domain, VbdStatistics vbd) in domains.SelectMany(static d => d.Vbds.Select(vbd => (d.Name, vbd))))
        {
            Add(text, vbd.ReadLatency, ("domain", domain), ("device", vbd.Name), ("operation", "read"));
            Add(text, vbd.WriteLatency, ("domain", domain), ("device", vbd.Name), ("operation", "write"));
            Add(text, vbd.FlushLatency, ("domain", domain), ("device", vbd.Name), ("operation", "flush"));
        }
    }

    private static void Of(MetricsText text, string name, string help, DomainStatistics[] domains, Func<VifStatistics, long> value)
    {
        text.Begin("xen_domain_network_" + name, "counter", help);
        foreach ((string domain, VifStatistics vif) in domains.SelectMany(static d => d.Vifs.Select(vif => (d.Name, vif))))
            text.Add(value(vif), ("domain", domain), ("device", NameOf(vif)));
    }

    private static void Of(MetricsText text, string name, string help, DomainStatistics[] domains, Func<VbdStatistics, long> value)
    {
        text.Begin("xen_domain_block_" + name, "counter", help);
        foreach ((string domain, VbdStatistics vbd) in domains.SelectMany(static d => d.Vbds.Select(vbd => (d.Name, vbd))))
            text.Add(value(vbd), ("domain", domain), ("device", vbd.Name));
    }

    private static string NameOf(VifStatistics vif) => vif.Index.ToString(CultureInfo.InvariantCulture);

    private static void Add(MetricsText text, LatencyHistogram latency, params ReadOnlySpan<(string, string)> labels)
    {
        long[] counts = new long[Bounds.Length + 1];
        for (int i = 0; i < latency.Counts.Count; i++)
            counts[Math.Min(i, Bounds.Length)] += latency.Counts[i];
        text.AddHistogram(Bounds, counts, latency.SumNs / NanosecondsPerSecond, labels);
    }
}
