using System.Globalization;
using Xen.Abi;
using Xen.Rings.Xenbus;

namespace Xen.Toolstack;

/// <summary>One device of a domain: its nodes in xenstore, its backend in domain 0, and what that works on.</summary>
internal sealed class VirtualDevice : IDisposable
{
    private readonly Dom0Services _dom0;
    private readonly Lock _disposal = new();
    private readonly XenbusBackendDevice _backend;
    private readonly IDisposable? _resource;
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _disposed;

    private VirtualDevice(Dom0Services dom0, DeviceNodes nodes, IXenbusBackend driver, IDisposable? resource)
    {
        _dom0 = dom0;
        Nodes = nodes;
        _resource = resource;
        Driver = driver;
        var context = new XenbusBackendContext(
            dom0.Store, dom0.Grants, dom0.Events, nodes.BackendPath, nodes.FrontendPath, nodes.Frontend, nodes.Id, static _ => { });
        _backend = new XenbusBackendDevice(driver, context, OnChanged);
    }

    public DeviceNodes Nodes { get; }

    /// <summary>What serves it.</summary>
    public IXenbusBackend Driver { get; }

    /// <summary>Both states, and the reason for a person.</summary>
    public XenbusDeviceStatus Status => _backend.Status;

    /// <summary>Makes the device known to the guest and starts its backend.</summary>
    /// <param name="dom0">Domain 0.</param>
    /// <param name="nodes">The device.</param>
    /// <param name="driver">What serves it; owned from now on.</param>
    /// <param name="resource">What the driver works on, disposed after it; or null.</param>
    /// <param name="backendNodes">What only the backend's folder has.</param>
    /// <param name="frontendNodes">What only the frontend's has.</param>
    /// <param name="readOnlyNodes">The same, but for the guest to read only; null for none.</param>
    /// <exception cref="ToolstackException">The store refuses; nothing is left.</exception>
    public static VirtualDevice Create(
        Dom0Services dom0,
        DeviceNodes nodes,
        IXenbusBackend driver,
        IDisposable? resource,
        IReadOnlyList<(string Name, string Value)> backendNodes,
        IReadOnlyList<(string Name, string Value)> frontendNodes,
        IReadOnlyList<(string Name, string Value)>? readOnlyNodes = null)
    {
        var device = new VirtualDevice(dom0, nodes, driver, resource);
        XenErrno error = nodes.Write(dom0.Store, backendNodes, frontendNodes, readOnlyNodes ?? []);
        string? fault = error == XenErrno.OK ? device._backend.Start() : $"xenstore refused its nodes: {error}";
        if (fault is null)
            return device;
        device.Dispose();
        throw new ToolstackException($"device {nodes.Kind} {nodes.Id.ToString(CultureInfo.InvariantCulture)} cannot be made: {fault}.");
    }

    /// <summary>A number that the frontend has published, or what there is instead.</summary>
    public long FrontendNumber(string node, long otherwise) =>
        _dom0.Store.Read($"{Nodes.FrontendPath}/{node}", out string text) == XenErrno.OK
        && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : otherwise;

    /// <summary>Asks the frontend to let go; completes when the backend has closed.</summary>
    public Task CloseAsync()
    {
        _ = _dom0.Store.Write(Nodes.BackendPath + "/online", "0");
        _backend.RequestClose();
        return _finished.Task;
    }

    /// <summary>Takes the device away: the backend gives back all it holds, the nodes go. When it returns that is done, whoever began it.</summary>
    public void Dispose()
    {
        lock (_disposal)
        {
            if (_disposed)
                return;
            _disposed = true;
            _backend.Dispose();
            _resource?.Dispose();
            Nodes.Remove(_dom0.Store);
        }
    }

    private void OnChanged(XenbusDeviceStatus status)
    {
        if (status.Text.StartsWith("failed", StringComparison.Ordinal))
            _dom0.LogGuest(Nodes.Frontend, $"{Nodes.Kind} {Nodes.Id.ToString(CultureInfo.InvariantCulture)}: {status.Text}");
        if (status.IsFinished)
            _finished.TrySetResult();
    }
}
