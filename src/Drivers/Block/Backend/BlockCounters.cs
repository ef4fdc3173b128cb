using Xen.Drivers.Block.Protocol;
using Xen.Rings;

namespace Xen.Drivers.Block.Backend;

/// <summary>What a device has done. Plain fields, written under the engine's lock; a reader sees each of them whole.</summary>
public sealed class BlockCounters
{
    internal long ReadRequests, WriteRequests, FlushRequests, DiscardRequests;
    internal long SectorsRead, SectorsWritten, SectorsDiscarded;
    internal long Errors, BadRequests, TimesFull;

    /// <summary>Requests that were answered, of whatever kind.</summary>
    public long Requests => Reads + Writes + Flushes + Discards + Bad;

    public long Reads => Volatile.Read(ref ReadRequests);

    /// <summary>Writes and barriers.</summary>
    public long Writes => Volatile.Read(ref WriteRequests);

    public long Flushes => Volatile.Read(ref FlushRequests);

    public long Discards => Volatile.Read(ref DiscardRequests);

    /// <summary><b>Units</b>: sectors of 512 bytes.</summary>
    public long ReadSectors => Volatile.Read(ref SectorsRead);

    /// <summary><b>Units</b>: sectors of 512 bytes.</summary>
    public long WrittenSectors => Volatile.Read(ref SectorsWritten);

    /// <summary><b>Units</b>: sectors of 512 bytes.</summary>
    public long DiscardedSectors => Volatile.Read(ref SectorsDiscarded);

    /// <summary>Requests that were right and failed, because the storage did.</summary>
    public long Failed => Volatile.Read(ref Errors);

    /// <summary>Requests that were wrong.</summary>
    public long Bad => Volatile.Read(ref BadRequests);

    /// <summary>How often a response made place in a ring that was full: the guest had to wait for it with its next request.</summary>
    public long OutOfRequests => Volatile.Read(ref TimesFull);

    /// <summary>How long reads took.</summary>
    public LatencyCounts ReadLatency { get; } = new();

    /// <summary>How long writes and barriers took.</summary>
    public LatencyCounts WriteLatency { get; } = new();

    /// <summary>How long flushes took.</summary>
    public LatencyCounts FlushLatency { get; } = new();

    /// <summary>Where the time of a request is counted; null: nowhere.</summary>
    internal LatencyCounts? LatencyOf(BlkifOperation operation) => operation switch
    {
        BlkifOperation.Read => ReadLatency,
        BlkifOperation.Write or BlkifOperation.WriteBarrier => WriteLatency,
        BlkifOperation.FlushDiskcache => FlushLatency,
        _ => null,
    };

    /// <summary>Counts a request; the engine's lock is held.</summary>
    internal void Count(in BlockRequest request, in FinishedRequest outcome)
    {
        if (outcome.Fault != BlockFault.None)
        {
            BadRequests++;
            return;
        }

        bool done = outcome.Status == BlkifStatus.Okay;
        long sectors = done ? (long)outcome.Sectors : 0;
        if (!done)
            Errors++;
        switch (request.Operation)
        {
            case BlkifOperation.Read:
                ReadRequests++;
                SectorsRead += sectors;
                break;
            case BlkifOperation.Write or BlkifOperation.WriteBarrier:
                WriteRequests++;
                SectorsWritten += sectors;
                break;
            case BlkifOperation.Discard:
                DiscardRequests++;
                SectorsDiscarded += sectors;
                break;
            default:
                FlushRequests++;
                SectorsWritten += sectors;
                break;
        }
    }
}
