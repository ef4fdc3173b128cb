using System.Text.Json;
using System.Text.Json.Serialization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>What <c>--json</c> prints. Keys are only ever added.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(DomainRow[]))]
[JsonSerializable(typeof(BlockRow[]))]
[JsonSerializable(typeof(NetworkRow[]))]
[JsonSerializable(typeof(VcpuRow[]))]
[JsonSerializable(typeof(UptimeRow[]))]
[JsonSerializable(typeof(ShareRow[]))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class Rows : JsonSerializerContext;

/// <summary>A line of <c>xm list</c>.</summary>
internal sealed record DomainRow(
    string Name, int? Id, string Uuid, int MemoryMiB, int MaxMemoryMiB, int Vcpus, int MaxVcpus, string State, double Seconds, bool Managed)
{
    public static DomainRow Of(Domain d) => new(d.Name, d.Id < 0 ? null : d.Id, d.Uuid, d.MemoryMib, d.MaxMemoryMib, d.OnlineVcpus, d.MaxVcpus, d.State, Math.Round(d.CpuSeconds, 3), d.Managed);
}

/// <summary>A line of <c>xm vcpu-list</c>.</summary>
internal sealed record VcpuRow(string Name, int Id, int Vcpu, int? Cpu, string State, double Seconds, int[]? Affinity)
{
    public static VcpuRow Of(DomainVcpus domain, Vcpu vcpu) => new(
        domain.Name, domain.Id, vcpu.Number, vcpu.Cpu < 0 ? null : vcpu.Cpu, vcpu.State, Math.Round(vcpu.CpuSeconds, 3), vcpu.Affinity.Count == 0 ? null : [.. vcpu.Affinity]);
}

/// <summary>A line of <c>xm uptime</c>.</summary>
internal sealed record UptimeRow(string Name, int Id, double Seconds)
{
    public static UptimeRow Of(Domain d, DateTimeOffset now) =>
        new(d.Name, d.Id, Math.Max(0, Math.Round((now - DateTimeOffset.FromUnixTimeMilliseconds(d.StartedUnixMs)).TotalSeconds, 3)));
}

/// <summary>A line of <c>xm sched-credit</c>.</summary>
internal sealed record ShareRow(string Name, int Id, int Weight, int Cap)
{
    public static ShareRow Of(Domain d) => new(d.Name, d.Id, d.Weight, d.Cap);
}

/// <summary>A line of <c>xm block-list</c>.</summary>
internal sealed record BlockRow(
    int Vdev, string Name, int Backend, int State, bool Connected, string Status, long EventChannel, long RingRef, string BackendPath, string Mode, string Format, string Target)
{
    public static BlockRow Of(BlockDevice d) =>
        new(d.Number, d.Name, 0, d.State, d.State == XenbusStates.Connected, d.Text, d.EventChannel, d.RingRef, d.BackendPath, d.Mode, d.Format, d.Target);
}

/// <summary>A line of <c>xm network-list</c>.</summary>
internal sealed record NetworkRow(
    int Index, int Backend, string Mac, int State, bool Connected, string Status, long EventChannel, long TxRingRef, long RxRingRef, string BackendPath, string? Bridge)
{
    public static NetworkRow Of(NetworkInterface d) => new(
        d.Index, 0, d.Mac, d.State, d.State == XenbusStates.Connected, d.Text, d.EventChannel, d.TxRingRef, d.RxRingRef, d.BackendPath, d.Bridge.Length > 0 ? d.Bridge : null);
}

/// <summary>States of devices. <b>Source</b>: io/xenbus.h, XenbusState.</summary>
internal static class XenbusStates
{
    public const int Connected = 4;
}
