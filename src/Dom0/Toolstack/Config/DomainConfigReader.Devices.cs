using System.Globalization;

namespace Xen.Toolstack;

/// <summary>The devices: disk=, vif= and console=.</summary>
public sealed partial class DomainConfigReader
{
    /// <summary>Reads one disk as <c>xm block-attach</c> gives it.</summary>
    /// <param name="text">The disk.</param>
    /// <param name="workingFolder">Where a relative path begins; null: in the current folder.</param>
    /// <exception cref="ToolstackException">What is wrong with it, in one sentence.</exception>
    public static DiskConfig ReadDisk(string text, string? workingFolder = null)
    {
        string? fault = DiskSyntax.Parse(text, out DiskConfig? disk);
        if (fault is not null)
            throw new ToolstackException($"the disk '{text}' cannot be used: {fault}.");
        return disk!.Target.Length == 0 ? disk : disk with { Target = Path.GetFullPath(disk.Target, workingFolder ?? Environment.CurrentDirectory) };
    }

    /// <summary>Reads one network interface as <c>xm network-attach</c> gives it.</summary>
    /// <exception cref="ToolstackException">What is wrong with it, in one sentence.</exception>
    public static VifConfig ReadVif(string text)
    {
        string? fault = VifSyntax.Parse(text, out VifConfig? vif);
        return fault is null ? vif! : throw new ToolstackException($"the network interface '{text}' cannot be used: {fault}.");
    }

    private List<DiskConfig> Disks()
    {
        List<DiskConfig> disks = [];
        foreach ((ConfigFile.Entry entry, string text) in Strings("disk", "a list of strings like 'file:debian.img,xvda,w'"))
        {
            string? fault = DiskSyntax.Parse(text, out DiskConfig? disk);
            if (fault is not null)
                throw new ToolstackException($"{entry.Where}: the disk '{text}' cannot be used: {fault}.");
            if (disks.Exists(other => other.Disk.Number == disk!.Disk.Number))
                throw new ToolstackException($"{entry.Where}: two disks are {disk!.Disk.Name}: give one of them another name.");
            disks.Add(disk!.Target.Length == 0 ? disk : disk with { Target = Locate(entry, disk.Target) });
        }

        return disks;
    }

    private List<VifConfig> Vifs()
    {
        List<VifConfig> vifs = [];
        foreach ((ConfigFile.Entry entry, string text) in Strings("vif", "a list of strings like 'bridge=lan0'; [''] is one with all defaults"))
        {
            string? fault = VifSyntax.Parse(text, out VifConfig? vif);
            if (fault is not null)
                throw new ToolstackException($"{entry.Where}: the network interface '{text}' cannot be used: {fault}.");
            if (vif!.DeviceId is { } id && vifs.Exists(other => other.DeviceId == id))
                throw new ToolstackException($"{entry.Where}: two network interfaces have devid={id.ToString(CultureInfo.InvariantCulture)}: give one of them another.");
            vifs.Add(vif);
        }

        return vifs;
    }

    private List<ConsoleConfig> Consoles()
    {
        List<ConsoleConfig> consoles = [];
        foreach ((ConfigFile.Entry entry, string text) in Strings("console", "a list of strings like 'log', one for each console; ['', ''] is two with all defaults"))
        {
            string? fault = ConsoleSyntax.Parse(text, out ConsoleConfig? console);
            if (fault is not null)
                throw new ToolstackException($"{entry.Where}: the console '{text}' cannot be used: {fault}.");
            if (consoles.Count == ConsoleConfig.Most)
                throw new ToolstackException($"{entry.Where}: a domain has {ConsoleConfig.Most.ToString(CultureInfo.InvariantCulture)} consoles at most: leave some out.");

            // What is to be written need not be there: it is beside the file that names it, or in the folder of who typed it.
            if (console!.LogPath is { } path)
                console = console with { LogPath = Path.GetFullPath(path, entry.Raw is null ? Path.GetDirectoryName(_file.Path) ?? "/" : _file.WorkingFolder) };
            if (console.LogPath is not null && consoles.Exists(other => other.LogPath == console.LogPath))
                throw new ToolstackException($"{entry.Where}: two consoles have the log {console.LogPath}: give one of them another.");
            consoles.Add(console);
        }

        return consoles.Count > 0 ? consoles : [new ConsoleConfig()];
    }

    private IEnumerable<(ConfigFile.Entry Entry, string Text)> Strings(string key, string expected)
    {
        ConfigFile.Entry? entry = _file.Find(key);
        return entry?.Value switch
        {
            null => [],
            ListValue { Items: var items } when items.All(item => item is StringValue) => items.Select(item => (entry, ((StringValue)item).Value)),

            // On the command line one entry may stand for a list of one.
            StringValue { Value: var text } when entry.Raw is not null && text.Length > 0 => [(entry, text)],
            StringValue { Value: "" } => [],
            _ => throw entry.Wrong(expected),
        };
    }

    /// <summary>A disk's path: as for a kernel, beside the file or in the current folder; what is nowhere is said when it is opened.</summary>
    private string Locate(ConfigFile.Entry entry, string path)
    {
        string beside = Path.GetFullPath(path, Path.GetDirectoryName(_file.Path) ?? "/"), current = Path.GetFullPath(path, _file.WorkingFolder);
        string[] places = entry.Raw is null ? [beside, current] : [current, beside];
        return places.FirstOrDefault(Path.Exists) ?? places[0];
    }
}
