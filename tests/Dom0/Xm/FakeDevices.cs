using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>Devices that come and go as they are told.</summary>
internal sealed class FakeDevices : IDomainDevices
{
    private readonly List<DiskConfig> _disks = [];
    private readonly List<VifConfig> _vifs = [];

    public List<string> Calls { get; } = [];

    public IReadOnlyList<BlockDeviceStatus> Disks =>
        [.. _disks.Select(d => new BlockDeviceStatus(d, d.IsCdrom ? 2 : 4, d.IsCdrom ? "waiting: frontend never wrote ring-ref" : "connected", 7, 8, $"/local/domain/0/backend/vbd/1/{d.Disk.Number}"))];

    public IReadOnlyList<NetworkDeviceStatus> Vifs =>
        [.. _vifs.Select((v, i) => new NetworkDeviceStatus(i, v, 4, "connected", 9, 10, 11, $"/local/domain/0/backend/vif/1/{i}"))];

    public void AttachDisk(DiskConfig disk)
    {
        if (disk.Target == "/missing")
            throw new ToolstackException("/missing does not exist: correct the path.");
        _disks.Add(disk);
    }

    public int AttachVif(VifConfig vif)
    {
        _vifs.Add(vif);
        return _vifs.Count - 1;
    }

    public Task DetachDiskAsync(string device, bool force, CancellationToken cancellation)
    {
        Calls.Add($"{device} {force}");
        return _disks.RemoveAll(d => d.Disk.Name == device) > 0
            ? Task.CompletedTask
            : throw new ToolstackException($"domain 'guest' has no disk '{device}': xm block-list shows those that it has.");
    }

    public Task DetachVifAsync(string device, bool force, CancellationToken cancellation)
    {
        Calls.Add($"{device} {force}");
        _vifs.RemoveAt(0);
        return Task.CompletedTask;
    }
}
