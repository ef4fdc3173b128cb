using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Net.Backend;
using Xen.Drivers.Net.Network;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>Makes network interfaces.</summary>
internal static class VifFactory
{
    /// <summary>A device's class in xenstore.</summary>
    public const string Kind = "vif";

    /// <summary>Finds an interface's network and gives it to a domain.</summary>
    /// <returns>The device, and its configuration with what was left open filled in.</returns>
    /// <exception cref="ToolstackException">A value is wrong, or a program that is needed is not there.</exception>
    public static (VirtualDevice Device, VifConfig Config) Create(Dom0Services dom0, DomId domain, VifConfig vif)
    {
        RateLimit? rate = RateOf(vif);
        int id = vif.DeviceId!.Value;
        MacAddress mac = MacAddress.TryParse(vif.Mac, out MacAddress given) ? given : MacAddress.Generate();
        string name = vif.Name ?? NameOf(domain, id);
        VifConfig made = vif with { Mac = mac.ToString(), Name = name };
        var request = new Drivers.Net.Network.VifConfig(domain, id, mac) { Bridge = vif.Bridge, VifName = name, Mtu = vif.Mtu };
        if (dom0.Networks.WhatIsMissing(request) is { } missing)
            throw new ToolstackException($"the network interface {name} cannot be made: {missing}.");
        INetwork network = dom0.Networks.Open(request);
        var backend = new NetBackend(network, new NetBackendOptions(mac)
        {
            Rate = rate, Mtu = vif.Mtu, Log = line => dom0.LogGuest(domain, string.Create(CultureInfo.InvariantCulture, $"vif {id}: {line}")),
        });
        List<(string Name, string Value)> nodes = [("mac", made.Mac), ("handle", DomainNodes.Text(id)), ("vifname", name), ("script", "")];
        if (vif.Bridge is not null)
            nodes.Add(("bridge", vif.Bridge));
        if (rate is { } limit)
            nodes.Add(("rate", limit.ToNode()));
        VirtualDevice device = VirtualDevice.Create(
            dom0, new DeviceNodes(Kind, domain, id), backend, null, nodes,
            [("handle", DomainNodes.Text(id)), ("mac", made.Mac), ("mtu", DomainNodes.Text(vif.Mtu))]);
        return (device, made);
    }

    /// <summary>What an interface is called that nobody gave a name.</summary>
    public static string NameOf(DomId domain, int id) => string.Create(CultureInfo.InvariantCulture, $"vif{domain.Value}.{id}");

    /// <summary>What a network interface has done.</summary>
    public static VifStatistics StatisticsOf(VirtualDevice device)
    {
        long[] tx = new long[LatencyCounts.Buckets], rx = new long[LatencyCounts.Buckets];
        TimeSpan txTime = TimeSpan.Zero, rxTime = TimeSpan.Zero;
        LatencyHistogram none = new([], TimeSpan.Zero);
        var sum = new VifStatistics(device.Nodes.Id, 0, 0, 0, 0, 0, 0, 0, none, none);
        foreach (NetCounters queue in ((NetBackend)device.Driver).Counters)
        {
            sum = sum with
            {
                TxBytes = sum.TxBytes + Volatile.Read(ref queue.TxBytes),
                TxPackets = sum.TxPackets + Volatile.Read(ref queue.TxPackets),
                TxErrors = sum.TxErrors + Volatile.Read(ref queue.TxErrors) + Volatile.Read(ref queue.TxBad),
                RxBytes = sum.RxBytes + Volatile.Read(ref queue.RxBytes),
                RxPackets = sum.RxPackets + Volatile.Read(ref queue.RxPackets),
                RxErrors = sum.RxErrors + Volatile.Read(ref queue.RxErrors),
                RxDropped = sum.RxDropped + Volatile.Read(ref queue.RxDropped),
            };
            queue.TxLatency.AddTo(tx);
            queue.RxLatency.AddTo(rx);
            (txTime, rxTime) = (txTime + queue.TxLatency.Sum, rxTime + queue.RxLatency.Sum);
        }

        return sum with { TxLatency = new LatencyHistogram(tx, txTime), RxLatency = new LatencyHistogram(rx, rxTime) };
    }

    private static RateLimit? RateOf(VifConfig vif)
    {
        if (vif.Rate is null)
            return null;
        string? fault = RateLimit.TryParse(vif.Rate, out RateLimit limit);
        return fault is null ? limit : throw new ToolstackException(fault + ".");
    }
}
