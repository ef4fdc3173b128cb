using System.Globalization;
using Xen.Abi;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>
/// The nodes by which a domain learns of itself: name, memory, processors, console, the places that it may write to.
/// <b>Source</b>: docs/misc/xenstore-paths.pandoc of Xen.
/// </summary>
internal static class DomainNodes
{
    /// <summary>Folders that are the guest's own.</summary>
    private static readonly string[] Writable = ["control/shutdown", "control/sysrq", "device/suspend/event-channel", "data", "drivers", "feature", "attr", "error"];

    /// <summary>What the guest may read there: that the toolstack asks for these by control/shutdown.</summary>
    private static readonly string[] ControlFeatures = ["platform-feature-multiprocessor-suspend", "platform-feature-xs_reset_watches"];

    /// <summary>What a console's nodes <c>limit</c> and <c>type</c> are. <b>Source</b>: libxl, console devices.</summary>
    public const string ConsoleLimit = "1048576", ConsoleType = "xenconsoled";

    /// <summary>Beneath a domain's folder: what memory it is asked to have, and may have at most. <b>Units</b>: KiB.</summary>
    public const string MemoryTarget = "memory/target", StaticMax = "memory/static-max";

    /// <summary>A domain's folder.</summary>
    public static string Home(DomId domain) => string.Create(CultureInfo.InvariantCulture, $"/local/domain/{domain.Value}");

    /// <summary>The nodes of domain 0 and of the tools; once for a machine.</summary>
    public static XenErrno WriteDom0(IStorePort store) => store.Transact(static view =>
    {
        var nodes = new NodeWriter(view);
        nodes.Write("/tool/xenstored", "");
        nodes.Write("/local/domain/0/name", "Domain-0");
        nodes.Write("/local/domain/0/domid", "0");
        nodes.Write("/local/domain/0/backend", "");
        return nodes.Result;
    });

    /// <summary>Writes a new domain's nodes, all or none.</summary>
    public static XenErrno Write(IStorePort store, DomId id, DomainConfig config, StoreRings rings) => store.Transact(view =>
    {
        string home = Home(id), vm = VmPath(config), backend = string.Create(CultureInfo.InvariantCulture, $"/local/domain/0/backend/console/{id.Value}/0");
        var nodes = new NodeWriter(view);
        _ = view.Remove(home);
        nodes.Write(home, "", ReadableBy(id));
        nodes.Write(vm, "", ReadableBy(id));
        nodes.Write(vm + "/name", config.Name);
        nodes.Write(vm + "/uuid", config.Uuid.ToString());
        nodes.Write(vm + "/image/ostype", "linux");
        nodes.Write(vm + "/image/kernel", config.Kernel);
        nodes.Write(vm + "/image/cmdline", config.CommandLine);
        nodes.Write(home + "/vm", vm);
        nodes.Write(home + "/name", config.Name);
        nodes.Write(home + "/domid", Text(id.Value));
        nodes.Write($"{home}/{StaticMax}", Text((long)config.MaxMemoryMiB << 10));
        nodes.Write($"{home}/{MemoryTarget}", Text((long)config.MemoryMiB << 10));
        WriteAvailability(nodes, home, config.Vcpus, config.MaxVcpus);
        nodes.Write(home + "/store/port", Text(rings.StorePort.Value));
        nodes.Write(home + "/store/ring-ref", Text(rings.StoreFrame.Value));
        nodes.Write(home + "/console/backend", backend);
        nodes.Write(home + "/console/backend-id", "0");
        nodes.Write(home + "/console/limit", ConsoleLimit);
        nodes.Write(home + "/console/type", ConsoleType);
        nodes.Write(home + "/console/output", "pty");
        nodes.Write(home + "/console/tty", "");
        nodes.Write(home + "/console/port", Text(rings.ConsolePort.Value));
        nodes.Write(home + "/console/ring-ref", Text(rings.ConsoleFrame.Value));
        nodes.Write(backend, "", ReadableBy(id));
        nodes.Write(backend + "/frontend", home + "/console");
        nodes.Write(backend + "/frontend-id", Text(id.Value));
        nodes.Write(backend + "/online", "1");
        nodes.Write(backend + "/state", Text((int)XenbusState.Initialising));
        nodes.Write(backend + "/protocol", "vt100");
        nodes.Write(home + "/control", "");
        foreach (string feature in ControlFeatures)
            nodes.Write($"{home}/control/{feature}", "1");
        foreach (string place in Writable)
            nodes.Write($"{home}/{place}", "", OwnedBy(id));
        return nodes.Result;
    });

    /// <summary>Removes all that a domain's death leaves.</summary>
    public static void Remove(IStorePort store, DomId id, DomainConfig config) => store.Transact(view =>
    {
        _ = view.Remove(Home(id));
        _ = view.Remove(VmPath(config));
        if (view.List("/local/domain/0/backend", out IReadOnlyList<string> kinds) == XenErrno.OK)
        {
            foreach (string kind in kinds)
            {
                _ = view.Remove($"/local/domain/0/backend/{kind}/{Text(id.Value)}");
                _ = view.Remove($"/local/domain/0/error/backend/{kind}/{Text(id.Value)}");
            }
        }

        return XenErrno.OK;
    });

    /// <summary>Says which vCPUs of a domain are to be up: the first ones.</summary>
    public static XenErrno WriteAvailability(IStorePort store, DomId id, int online, int count) => store.Transact(view =>
    {
        var nodes = new NodeWriter(view);
        WriteAvailability(nodes, Home(id), online, count);
        return nodes.Result;
    });

    /// <summary>Writes another name of a domain, everywhere or nowhere.</summary>
    public static XenErrno Rename(IStorePort store, DomId id, DomainConfig config, string name) => store.Transact(view =>
    {
        var nodes = new NodeWriter(view);
        nodes.Write(VmPath(config) + "/name", name);
        nodes.Write(Home(id) + "/name", name);
        return nodes.Result;
    });

    /// <summary>Writes another name and another UUID of a domain, everywhere or nowhere.</summary>
    public static XenErrno Readdress(IStorePort store, DomId id, DomainConfig before, DomainConfig after) => store.Transact(view =>
    {
        string vm = VmPath(after);
        var nodes = new NodeWriter(view);
        _ = view.Remove(VmPath(before));
        nodes.Write(vm, "", ReadableBy(id));
        nodes.Write(vm + "/name", after.Name);
        nodes.Write(vm + "/uuid", after.Uuid.ToString());
        nodes.Write(Home(id) + "/vm", vm);
        nodes.Write(Home(id) + "/name", after.Name);
        return nodes.Result;
    });

    /// <summary>Read by a domain, written by domain 0.</summary>
    public static IReadOnlyList<StorePermission> ReadableBy(DomId id) => [new(DomId.Dom0, StoreAccess.None), new(id, StoreAccess.Read)];

    /// <summary>A domain's own; domain 0 may everything anyway.</summary>
    public static IReadOnlyList<StorePermission> OwnedBy(DomId id) => [new(id, StoreAccess.None)];

    public static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc cref="Text(long)"/>
    public static string Text(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    private static void WriteAvailability(NodeWriter nodes, string home, int online, int count)
    {
        for (int cpu = 0; cpu < count; cpu++)
            nodes.Write($"{home}/cpu/{Text(cpu)}/availability", cpu < online ? "online" : "offline");
    }

    private static string VmPath(DomainConfig config) => $"/vm/{config.Uuid}";
}

/// <summary>Where a domain's xenstore and console rings are.</summary>
internal readonly record struct StoreRings(Mfn StoreFrame, EvtchnPort StorePort, Mfn ConsoleFrame, EvtchnPort ConsolePort);
