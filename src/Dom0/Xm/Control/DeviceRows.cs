using System.Text.Json;
using System.Text.Json.Serialization;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>How devices travel between processes, and what <c>--json</c> prints.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(BlockRow[]))]
[JsonSerializable(typeof(NetworkRow[]))]
internal sealed partial class DeviceRows : JsonSerializerContext;

/// <summary>A line of <c>xm block-list</c>.</summary>
internal sealed record BlockRow(
    int Vdev, string Name, int Backend, int State, bool Connected, string Status, long EventChannel, long RingRef, string BackendPath, string Mode, string Format, string Target)
{
    public static BlockRow Of(BlockDeviceStatus device) => new(
        device.Disk.Disk.Number, device.Disk.Disk.Name, 0, device.State, device.IsConnected, device.Text, device.EventChannel, device.RingRef, device.BackendPath,
        device.Disk.Access == DiskAccess.ReadOnly ? "r" : "w", device.Disk.Format.ToString().ToLowerInvariant(), device.Disk.Target);
}

/// <summary>A line of <c>xm network-list</c>.</summary>
internal sealed record NetworkRow(
    int Index, int Backend, string Mac, int State, bool Connected, string Status, long EventChannel, long TxRingRef, long RxRingRef, string BackendPath, string? Bridge)
{
    public static NetworkRow Of(NetworkDeviceStatus device) => new(
        device.Index, 0, device.Vif.Mac ?? "", device.State, device.IsConnected, device.Text, device.EventChannel, device.TxRingRef, device.RxRingRef, device.BackendPath,
        device.Vif.Bridge);
}
