using Xen.Abi;

namespace Xen.Toolstack;

/// <summary>A block device of a domain, one line of <c>xm block-list</c>.</summary>
/// <param name="Disk">What it was made from.</param>
/// <param name="State">The backend's state. <b>Source</b>: io/xenbus.h, XenbusState.</param>
/// <param name="Text">The same for a person, with the reason where it waits or has failed.</param>
/// <param name="EventChannel">The frontend's port, or 0 while it has given none.</param>
/// <param name="RingRef">The frontend's first ring page, or -1 while it has given none.</param>
/// <param name="BackendPath">The backend's folder in xenstore.</param>
public sealed record BlockDeviceStatus(DiskConfig Disk, int State, string Text, long EventChannel, long RingRef, string BackendPath)
{
    public bool IsConnected => State == (int)XenbusState.Connected;
}

/// <summary>A network interface of a domain, one line of <c>xm network-list</c>.</summary>
/// <param name="Index">Its number.</param>
/// <param name="Vif">What it was made from; the MAC address is filled in.</param>
/// <param name="State">The backend's state. <b>Source</b>: io/xenbus.h, XenbusState.</param>
/// <param name="Text">The same for a person, with the reason where it waits or has failed.</param>
/// <param name="EventChannel">The frontend's port, or 0 while it has given none.</param>
/// <param name="TxRingRef">The frontend's transmit ring, or -1 while it has given none.</param>
/// <param name="RxRingRef">The frontend's receive ring, or -1 while it has given none.</param>
/// <param name="BackendPath">The backend's folder in xenstore.</param>
public sealed record NetworkDeviceStatus(
    int Index, VifConfig Vif, int State, string Text, long EventChannel, long TxRingRef, long RxRingRef, string BackendPath)
{
    public bool IsConnected => State == (int)XenbusState.Connected;
}

/// <summary>The devices of a running domain: what can be plugged and unplugged.</summary>
/// <remarks>Any thread; calls wait for one another.</remarks>
public interface IDomainDevices
{
    /// <summary>Its block devices, by number.</summary>
    IReadOnlyList<BlockDeviceStatus> Disks { get; }

    /// <summary>Its network interfaces, by number.</summary>
    IReadOnlyList<NetworkDeviceStatus> Vifs { get; }

    /// <summary>Plugs a disk in.</summary>
    /// <exception cref="ToolstackException">The image cannot be opened, is in use, or the guest has such a device already.</exception>
    void AttachDisk(DiskConfig disk);

    /// <summary>Plugs a network interface in.</summary>
    /// <returns>Its number.</returns>
    /// <exception cref="ToolstackException">The network cannot be had, or the guest has such an interface already.</exception>
    int AttachVif(VifConfig vif);

    /// <summary>Asks the guest to let go of a disk, and takes it away when it has.</summary>
    /// <param name="device">Its name or number.</param>
    /// <param name="force">Takes it away at once, whatever the guest does.</param>
    /// <param name="cancellation">Ends the wait; the guest stays asked.</param>
    /// <exception cref="ToolstackException">There is no such device, or the guest does not let go.</exception>
    Task DetachDiskAsync(string device, bool force, CancellationToken cancellation);

    /// <summary>The same for a network interface, by its number or MAC address.</summary>
    /// <inheritdoc cref="DetachDiskAsync"/>
    Task DetachVifAsync(string device, bool force, CancellationToken cancellation);
}
