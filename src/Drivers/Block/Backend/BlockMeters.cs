using System.Diagnostics.Metrics;

namespace Xen.Drivers.Block.Backend;

/// <summary>The counters of one device as instruments: xen.blkback.requests and so on, with the tags domain, device and operation.</summary>
internal sealed class BlockMeters : IDisposable
{
    private readonly Meter _meter = new("xen.blkback");

    public BlockMeters(BlockCounters counters, int domain, int device)
    {
        KeyValuePair<string, object?> d = new("domain", domain), v = new("device", device);
        Measurement<long> Of(long value, string operation) => new(value, d, v, new KeyValuePair<string, object?>("operation", operation));
        _meter.CreateObservableCounter(
            "xen.blkback.requests",
            () => (Measurement<long>[])
            [
                Of(counters.Reads, "read"), Of(counters.Writes, "write"), Of(counters.Flushes, "flush"), Of(counters.Discards, "discard"),
            ],
            "{request}",
            "Block requests that were answered");
        _meter.CreateObservableCounter(
            "xen.blkback.sectors",
            () => (Measurement<long>[])
            [
                Of(counters.ReadSectors, "read"), Of(counters.WrittenSectors, "write"), Of(counters.DiscardedSectors, "discard"),
            ],
            "{sector}",
            "Sectors of 512 bytes that were transferred");
        _meter.CreateObservableCounter(
            "xen.blkback.errors", () => new Measurement<long>(counters.Failed, d, v), "{request}", "Block requests that the storage failed");
        _meter.CreateObservableCounter(
            "xen.blkback.bad_requests", () => new Measurement<long>(counters.Bad, d, v), "{request}", "Block requests that were malformed");
    }

    public void Dispose() => _meter.Dispose();
}
