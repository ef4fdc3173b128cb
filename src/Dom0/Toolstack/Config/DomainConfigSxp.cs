using System.Globalization;
using System.Text;

namespace Xen.Toolstack;

/// <summary>A configuration as xm's S-expression, which <c>xm create -n</c> prints.</summary>
public static class DomainConfigSxp
{
    /// <summary>The expression, over several lines, each ended.</summary>
    public static string Write(DomainConfig config)
    {
        StringBuilder text = new();
        text.Append("(vm\n");
        WriteInner(text, config);
        return text.Append(")\n").ToString();
    }

    /// <summary>What is within the outermost parentheses.</summary>
    internal static void WriteInner(StringBuilder text, DomainConfig config)
    {
        Add(text, "name", config.Name);
        Add(text, "memory", config.MemoryMiB);
        Add(text, "maxmem", config.MaxMemoryMiB);
        Add(text, "vcpus", config.Vcpus);
        Add(text, "maxvcpus", config.MaxVcpus);
        Add(text, "uuid", config.Uuid);
        Add(text, "cpu_weight", config.CpuWeight);
        Add(text, "cpu_cap", config.CpuCap);
        Add(text, "on_poweroff", Action(config.OnPoweroff));
        Add(text, "on_reboot", Action(config.OnReboot));
        Add(text, "on_crash", Action(config.OnCrash));
        Add(text, "on_watchdog", Action(config.OnWatchdog));
        Add(text, "on_xend_start", config.StartsWithXend ? "start" : "ignore");
        Add(text, "on_xend_stop", config.OnXendStop == XendStopAction.Destroy ? "destroy" : "shutdown");
        text.Append("    (image\n        (linux\n");
        AddImage(text, "kernel", config.Kernel);
        AddImage(text, "ramdisk", config.Ramdisk);
        AddImage(text, "args", config.CommandLine);
        AddImage(text, "features", config.Features);
        text.Append("        )\n    )\n");
        foreach (DiskConfig disk in config.Disks)
            AddDisk(text, disk);
        foreach (VifConfig vif in config.Vifs)
            AddVif(text, vif);
        foreach (ConsoleConfig console in config.Consoles)
            AddConsole(text, console);
    }

    /// <summary>An action's name in configuration files.</summary>
    public static string Action(ShutdownAction action) => action switch
    {
        ShutdownAction.Destroy => "destroy",
        ShutdownAction.Restart => "restart",
        ShutdownAction.RenameRestart => "rename-restart",
        ShutdownAction.Preserve => "preserve",
        ShutdownAction.CoredumpDestroy => "coredump-destroy",
        _ => "coredump-restart",
    };

    private static void Add(StringBuilder text, string key, object value) =>
        text.Append(CultureInfo.InvariantCulture, $"    ({key} {value})\n");

    private static void AddDisk(StringBuilder text, DiskConfig disk) => text.Append(CultureInfo.InvariantCulture,
        $"    (device\n        (vbd\n            (uname {new StringValue($"{(disk.Format == DiskFormat.Raw ? "file" : "tap:" + disk.Format.ToString().ToLowerInvariant())}:{disk.Target}")})\n            (dev {disk.Disk.Name}{(disk.IsCdrom ? ":cdrom" : "")})\n            (mode {disk.AccessName})\n        )\n    )\n");

    private static void AddVif(StringBuilder text, VifConfig vif)
    {
        text.Append("    (device\n        (vif\n");
        AddImage(text, "mac", vif.Mac);
        AddImage(text, "bridge", vif.Bridge);
        AddImage(text, "vifname", vif.Name);
        AddImage(text, "rate", vif.Rate);
        text.Append("        )\n    )\n");
    }

    private static void AddConsole(StringBuilder text, ConsoleConfig console)
    {
        text.Append("    (device\n        (console\n");
        AddImage(text, "name", console.Name);
        if (console.IsLogged)
            AddImage(text, "log", console.LogPath ?? "yes");
        if (console.IsLogged)
            text.Append(CultureInfo.InvariantCulture, $"            (log_size {console.LogBytes})\n");
        text.Append("        )\n    )\n");
    }

    private static void AddImage(StringBuilder text, string key, string? value)
    {
        if (!string.IsNullOrEmpty(value))
            text.Append(CultureInfo.InvariantCulture, $"            ({key} {new StringValue(value)})\n");
    }
}
