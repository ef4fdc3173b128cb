using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Net.Backend;
using Xen.Drivers.Net.Network;

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
        string name = vif.Name ?? string.Create(CultureInfo.InvariantCulture, $"vif{domain.Value}.{id}");
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

    private static RateLimit? RateOf(VifConfig vif)
    {
        if (vif.Rate is null)
            return null;
        string? fault = RateLimit.TryParse(vif.Rate, out RateLimit limit);
        return fault is null ? limit : throw new ToolstackException(fault + ".");
    }
}
