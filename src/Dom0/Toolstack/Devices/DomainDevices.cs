using System.Globalization;
using Xen.Core;
using Xen.Drivers.Console;

namespace Xen.Toolstack;

/// <summary>The devices of one life of a domain.</summary>
internal sealed class DomainDevices : IDomainDevices, IDisposable
{
    private const string ListDisks = "xm block-list shows those that it has";
    private const string ListVifs = "xm network-list shows those that it has";

    /// <summary>How long a guest may take to let go of a device.</summary>
    private static readonly TimeSpan DetachPatience = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dom0Services _dom0;
    private readonly Domain _domain;
    private readonly Func<DiskConfig, DiskConfig> _imageOf;
    private readonly SortedDictionary<int, (VirtualDevice Device, DiskConfig Config)> _disks = [];
    private readonly SortedDictionary<int, (VirtualDevice Device, VifConfig Config)> _vifs = [];
    private readonly List<VirtualDevice> _consoles = [];
    private bool _disposed;

    /// <param name="dom0">What backends need.</param>
    /// <param name="domain">Whose devices they are.</param>
    /// <param name="imageOf">The image that is opened for a disk: another where it is copied on write.</param>
    public DomainDevices(Dom0Services dom0, Domain domain, Func<DiskConfig, DiskConfig> imageOf)
    {
        _imageOf = imageOf;
        _dom0 = dom0;
        _domain = domain;
    }

    public IReadOnlyList<BlockDeviceStatus> Disks
    {
        get
        {
            lock (_lock)
                return [.. _disks.Values.Select(static entry => Describe(entry.Device, entry.Config))];
        }
    }

    public IReadOnlyList<NetworkDeviceStatus> Vifs
    {
        get
        {
            lock (_lock)
                return [.. _vifs.Values.Select(static entry => Describe(entry.Device, entry.Config))];
        }
    }

    /// <summary>What its disks were made from.</summary>
    public IReadOnlyList<DiskConfig> DiskConfigs
    {
        get
        {
            lock (_lock)
                return [.. _disks.Values.Select(static entry => entry.Config)];
        }
    }

    /// <summary>What its network interfaces were made from. A name that has the domain's number in it is left open, for another life has another.</summary>
    public IReadOnlyList<VifConfig> VifConfigs
    {
        get
        {
            lock (_lock)
            {
                return [.. _vifs.Select(entry =>
                    entry.Value.Config with { Name = entry.Value.Config.Name == VifFactory.NameOf(_domain.Id, entry.Key) ? null : entry.Value.Config.Name })];
            }
        }
    }

    /// <summary>What its block devices have done.</summary>
    public IReadOnlyList<VbdStatistics> DiskStatistics
    {
        get
        {
            lock (_lock)
                return [.. _disks.Values.Select(static entry => DiskFactory.StatisticsOf(entry.Device, entry.Config))];
        }
    }

    /// <summary>What its network interfaces have done.</summary>
    public IReadOnlyList<VifStatistics> VifStatistics
    {
        get
        {
            lock (_lock)
                return [.. _vifs.Values.Select(static entry => VifFactory.StatisticsOf(entry.Device))];
        }
    }

    public void AttachDisk(DiskConfig disk)
    {
        lock (_lock)
        {
            CheckAlive();
            if (_disks.ContainsKey(disk.Disk.Number))
                throw new ToolstackException($"domain '{_domain.Name}' has a disk {disk.Disk.Name} already: choose another name, or detach that one.");
            _disks.Add(disk.Disk.Number, (DiskFactory.Create(_dom0, _domain.Id, _imageOf(disk)), disk));
        }
    }

    public int AttachVif(VifConfig vif)
    {
        lock (_lock)
        {
            CheckAlive();
            int id = vif.DeviceId ?? Enumerable.Range(0, int.MaxValue).First(free => !_vifs.ContainsKey(free));
            if (_vifs.ContainsKey(id))
                throw new ToolstackException($"domain '{_domain.Name}' has a network interface {Text(id)} already: choose another devid=, or detach that one.");
            (VirtualDevice device, VifConfig made) = VifFactory.Create(_dom0, _domain.Id, vif with { DeviceId = id });
            _vifs.Add(id, (device, made));
            return id;
        }
    }

    /// <summary>Gives the domain a console beyond its first, for as long as it lives.</summary>
    /// <param name="number">Its number, from 1 on.</param>
    /// <param name="config">What it was made from.</param>
    /// <param name="pipe">The host's end.</param>
    /// <exception cref="ToolstackException">The store refuses.</exception>
    public void AttachConsole(int number, ConsoleConfig config, ConsolePipe pipe)
    {
        lock (_lock)
        {
            CheckAlive();
            _consoles.Add(ConsoleFactory.Create(_dom0, _domain.Id, number, config, pipe));
        }
    }

    public Task DetachDiskAsync(string device, bool force, CancellationToken cancellation)
    {
        int number = VirtualDisk.TryParse(device, out VirtualDisk disk) ? disk.Number : -1;
        return DetachAsync(_disks, number, force, $"domain '{_domain.Name}' has no disk '{device}': {ListDisks}.", $"disk {device}", cancellation);
    }

    public Task DetachVifAsync(string device, bool force, CancellationToken cancellation)
    {
        int id = -1;
        lock (_lock)
        {
            if (!int.TryParse(device, NumberStyles.None, CultureInfo.InvariantCulture, out id))
                id = _vifs.Where(entry => string.Equals(entry.Value.Config.Mac, device, StringComparison.OrdinalIgnoreCase)).Select(entry => entry.Key).DefaultIfEmpty(-1).First();
        }

        return DetachAsync(_vifs, id, force, $"domain '{_domain.Name}' has no network interface '{device}': {ListVifs}.", $"network interface {device}", cancellation);
    }

    /// <summary>Takes all devices away.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (VirtualDevice device in _disks.Values.Select(static entry => entry.Device).Concat(_vifs.Values.Select(static entry => entry.Device)).Concat(_consoles))
                device.Dispose();
            _consoles.Clear();
            _disks.Clear();
            _vifs.Clear();
        }
    }

    private async Task DetachAsync<T>(
        SortedDictionary<int, (VirtualDevice Device, T Config)> devices, int number, bool force, string missing, string what, CancellationToken cancellation)
    {
        VirtualDevice device;
        lock (_lock)
        {
            if (!devices.TryGetValue(number, out (VirtualDevice Device, T Config) entry))
                throw new ToolstackException(missing);
            device = entry.Device;
        }

        Task closed = force ? Task.CompletedTask : device.CloseAsync();
        Task removed = closed.ContinueWith(_ => Remove(devices, number, device), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            await removed.WaitAsync(DetachPatience, cancellation).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException)
        {
            // The guest stays asked: when it lets go the device goes.
            throw new ToolstackException(
                $"domain '{_domain.Name}' does not let go of {what} ({device.Status.Text}): unmount it in the guest, or take it away with -f.", fault);
        }
    }

    private void Remove<T>(SortedDictionary<int, (VirtualDevice Device, T Config)> devices, int number, VirtualDevice device)
    {
        lock (_lock)
        {
            // Somebody else may have been quicker.
            if (!devices.TryGetValue(number, out (VirtualDevice Device, T Config) entry) || entry.Device != device)
                return;
        }

        // It may have to wait for a storage or a network; the other devices do not. Its number is taken until it is gone.
        device.Dispose();
        lock (_lock)
        {
            if (devices.TryGetValue(number, out (VirtualDevice Device, T Config) entry) && entry.Device == device)
                devices.Remove(number);
        }
    }

    private void CheckAlive()
    {
        if (_disposed)
            throw new ToolstackException($"domain '{_domain.Name}' has ended.");
    }

    private static BlockDeviceStatus Describe(VirtualDevice device, DiskConfig config) => new(
        config, (int)device.Status.Own, device.Status.Text, device.FrontendNumber("event-channel", 0),
        device.FrontendNumber("ring-ref", device.FrontendNumber("ring-ref0", device.FrontendNumber("queue-0/ring-ref", -1))), device.Nodes.BackendPath);

    private static NetworkDeviceStatus Describe(VirtualDevice device, VifConfig config) => new(
        device.Nodes.Id, config, (int)device.Status.Own, device.Status.Text,
        device.FrontendNumber("event-channel", device.FrontendNumber("event-channel-tx", device.FrontendNumber("queue-0/event-channel-tx", 0))),
        device.FrontendNumber("tx-ring-ref", device.FrontendNumber("queue-0/tx-ring-ref", -1)),
        device.FrontendNumber("rx-ring-ref", device.FrontendNumber("queue-0/rx-ring-ref", -1)), device.Nodes.BackendPath);

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
