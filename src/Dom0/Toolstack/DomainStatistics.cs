namespace Xen.Toolstack;

/// <summary>What a domain has used so far, one line of <c>xm top</c>. Counters begin anew with each life.</summary>
/// <param name="CpuTime">Time that its vCPUs have run, summed.</param>
/// <param name="MemoryKiB">Memory that it has. <b>Units</b>: KiB.</param>
/// <param name="MaxMemoryKiB">Memory that it may have. <b>Units</b>: KiB.</param>
/// <param name="OnlineVcpus">vCPUs that are up.</param>
/// <param name="Vifs">Its network interfaces, by number.</param>
/// <param name="Vbds">Its block devices, by number.</param>
public sealed record DomainStatistics(
    TimeSpan CpuTime, long MemoryKiB, long MaxMemoryKiB, int OnlineVcpus, IReadOnlyList<VifStatistics> Vifs, IReadOnlyList<VbdStatistics> Vbds);

/// <summary>What a network interface has done since its frontend connected, all its queues together. Transmitted is from the guest, received is to it.</summary>
/// <param name="Index">Its number.</param>
/// <param name="TxBytes"><b>Units</b>: bytes.</param>
/// <param name="TxPackets">Frames.</param>
/// <param name="TxErrors">Requests that were malformed, or whose pages could not be read.</param>
/// <param name="RxBytes"><b>Units</b>: bytes.</param>
/// <param name="RxPackets">Frames.</param>
/// <param name="RxErrors">Frames that could not be written to the guest's pages.</param>
/// <param name="RxDropped">Frames that the guest had no room for.</param>
/// <param name="TxLatency">How long transmitted frames were on their way, from the guest's ring until the network had them.</param>
/// <param name="RxLatency">How long received frames were on their way, from the network until the guest's ring had them.</param>
public sealed record VifStatistics(
    int Index,
    long TxBytes,
    long TxPackets,
    long TxErrors,
    long RxBytes,
    long RxPackets,
    long RxErrors,
    long RxDropped,
    LatencyHistogram TxLatency,
    LatencyHistogram RxLatency);

/// <summary>What a block device has done.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Name">Its name, such as xvda.</param>
/// <param name="Reads">Requests to read.</param>
/// <param name="Writes">Requests to write, barriers included.</param>
/// <param name="Flushes">Requests to flush.</param>
/// <param name="Discards">Requests to discard.</param>
/// <param name="ReadSectors"><b>Units</b>: sectors of 512 bytes.</param>
/// <param name="WrittenSectors"><b>Units</b>: sectors of 512 bytes.</param>
/// <param name="OutOfRequests">How often a response made place in a ring that was full: the guest had to wait for it with its next request.</param>
/// <param name="Errors">Requests that failed or were malformed.</param>
/// <param name="ReadLatency">How long reads took.</param>
/// <param name="WriteLatency">How long writes took, barriers included.</param>
/// <param name="FlushLatency">How long flushes took.</param>
public sealed record VbdStatistics(
    int Number,
    string Name,
    long Reads,
    long Writes,
    long Flushes,
    long Discards,
    long ReadSectors,
    long WrittenSectors,
    long OutOfRequests,
    long Errors,
    LatencyHistogram ReadLatency,
    LatencyHistogram WriteLatency,
    LatencyHistogram FlushLatency);

/// <summary>How many requests, or frames, took how long; of a request: from the moment that it was taken from the ring until it was answered.</summary>
/// <param name="Counts">By powers of two: entry 0 counts what took less than 1 µs, entry n what took 2^(n-1) µs up to 2^n, the last also what took longer.</param>
/// <param name="Sum">All times together.</param>
public sealed record LatencyHistogram(IReadOnlyList<long> Counts, TimeSpan Sum)
{
    /// <summary>All requests.</summary>
    public long Total => Counts.Sum();

    /// <summary>A time that at least this share of the requests did not take; null if there was none. An upper bound: the power of two above it.</summary>
    /// <param name="share">0 to 1.</param>
    public TimeSpan? Quantile(double share)
    {
        long total = Total, seen = 0;
        for (int i = 0; i < Counts.Count; i++)
        {
            seen += Counts[i];
            if (seen > 0 && seen >= share * total)
                return TimeSpan.FromMicroseconds(1L << i);
        }

        return null;
    }
}
