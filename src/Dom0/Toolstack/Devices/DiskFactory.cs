using System.Diagnostics;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Storage;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>Makes block devices.</summary>
internal static class DiskFactory
{
    /// <summary>A device's class in xenstore.</summary>
    public const string Kind = "vbd";

    /// <summary>Opens a disk's image and gives it to a domain.</summary>
    /// <exception cref="ToolstackException">The image cannot be opened, or is in use.</exception>
    public static VirtualDevice Create(Dom0Services dom0, Abi.DomId domain, DiskConfig disk)
    {
        Debug.Assert(disk.Access != DiskAccess.CopyOnWrite, "the copy is opened, not what was copied");
        bool readOnly = disk.Access == DiskAccess.ReadOnly;
        string? fault = BlockStorage.Open(disk.Target, FormatOf(disk), readOnly, disk.Access == DiskAccess.Shared, out IBlockStorage? storage);
        if (fault is not null)
            throw new ToolstackException(fault.TrimEnd('.') + ".");
        var nodes = new DeviceNodes(Kind, domain, disk.Disk.Number);
        string number = DomainNodes.Text(disk.Disk.Number), type = disk.IsCdrom ? "cdrom" : "disk";
        var backend = new BlockBackend(storage!, new BlockBackendOptions
        {
            Cdrom = disk.IsCdrom, Removable = disk.IsCdrom, Discard = disk.Discard, Log = line => dom0.LogGuest(domain, $"{line} ({disk.Target})"),
        });
        return VirtualDevice.Create(
            dom0,
            nodes,
            backend,
            null,
            [
                ("params", disk.Target), ("type", "file"), ("dev", disk.Disk.Name), ("mode", readOnly ? "r" : "w"), ("device-type", type),
                ("removable", disk.IsCdrom ? "1" : "0"), ("bootable", "1"), ("discard-enable", disk.Discard && !readOnly ? "1" : "0"),
                ("format", FormatOf(disk)),
            ],
            [("virtual-device", number), ("device-type", type)]);
    }

    /// <summary>What a block device has done.</summary>
    public static VbdStatistics StatisticsOf(VirtualDevice device, DiskConfig disk)
    {
        BlockCounters counters = ((BlockBackend)device.Driver).Counters;
        return new VbdStatistics(
            disk.Disk.Number, disk.Disk.Name, counters.Reads, counters.Writes, counters.Flushes, counters.Discards, counters.ReadSectors, counters.WrittenSectors,
            counters.OutOfRequests, counters.Failed + counters.Bad, HistogramOf(counters.ReadLatency), HistogramOf(counters.WriteLatency),
            HistogramOf(counters.FlushLatency));
    }

    private static LatencyHistogram HistogramOf(LatencyCounts counts) => new(counts.Read(), counts.Sum);

    private static string FormatOf(DiskConfig disk) => disk.Format.ToString().ToLowerInvariant();
}
