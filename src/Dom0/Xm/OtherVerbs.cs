using System.Collections.Frozen;

namespace Xen.Xm;

/// <summary>Verbs of Xen's xm that have another name now, or that are not here. <b>Source</b>: xm(1) of Xen 3.0 to 4.0.</summary>
internal static class OtherVerbs
{
    private const string Saving = "domains cannot be saved and restored; xm pause stops one for as long as its xend runs.";
    private const string Devices = "a domain's devices are disks, network interfaces and consoles.";
    private const string Policies = "there are no security labels; xend --socket-group and --readers-group say who may do what.";

    private static readonly FrozenDictionary<string, string> Renamed = new Dictionary<string, string>
    {
        ["balloon"] = "mem-set",
        ["set-vcpus"] = "vcpu-set",
        ["vif-list"] = "network-list",
        ["vbd-create"] = "block-attach",
        ["vbd-destroy"] = "block-detach",
        ["vbd-list"] = "block-list",
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, string> Missing = new Dictionary<string, string>
    {
        ["save"] = Saving,
        ["restore"] = Saving,
        ["migrate"] = Saving,
        ["suspend"] = Saving,
        ["resume"] = Saving,
        ["block-configure"] = "xm block-detach and xm block-attach give a domain another disk.",
        ["vncviewer"] = "domains have consoles and no screens; xm console shows one.",
        ["serve"] = "xend listens by itself; xend --listen does so for other hosts.",
        ["shell"] = "each verb is a command of its own.",
        ["sched-sedf"] = "the scheduler is credit; xm sched-credit sets a share.",
        ["sched-credit2"] = "the scheduler is credit; xm sched-credit sets a share.",
        ["vtpm-list"] = Devices,
        ["event-monitor"] = "the contract's call WatchDomains tells what happens to domains.",
    }.ToFrozenDictionary();

    private static readonly (string Beginning, string Reason)[] MissingFamilies =
    [
        ("pci-", Devices), ("scsi-", Devices), ("usb-", Devices), ("vnet-", Devices), ("network2-", Devices), ("tmem-", "there is no transcendent memory."),
        ("cpupool-", "there are no CPU pools; xm vcpu-pin and cpus= say where vCPUs run."), ("pool-", "there are no CPU pools; xm vcpu-pin and cpus= say where vCPUs run."),
    ];

    private static readonly FrozenSet<string> Labels = new[]
    {
        "labels", "addlabel", "rmlabel", "getlabel", "dry-run", "resources", "dumppolicy", "setpolicy", "getpolicy", "resetpolicy", "getenforce", "setenforce",
    }.ToFrozenSet();

    /// <summary>The verb that has taken the place of an old one, or the same.</summary>
    public static string NewName(string verb) => Renamed.GetValueOrDefault(verb, verb);

    /// <summary>Why there is no such verb, and what to do instead; null: xm never had it.</summary>
    public static string? WhyNot(string verb) =>
        Missing.GetValueOrDefault(verb)
        ?? (Labels.Contains(verb) ? Policies : null)
        ?? MissingFamilies.FirstOrDefault(family => verb.StartsWith(family.Beginning, StringComparison.Ordinal)).Reason;
}
