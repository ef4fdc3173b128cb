using System.Globalization;
using System.Text;
using Xen.Core;
using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>Makes a typed <see cref="DomainConfig"/> of a configuration file, or one sentence that says which key is wrong and how.</summary>
public sealed partial class DomainConfigReader
{
    private const string Actions = "destroy, restart, rename-restart, preserve, coredump-destroy or coredump-restart";

    private readonly ConfigFile _file;

    private DomainConfigReader(ConfigFile file) => _file = file;

    /// <summary>Reads all that a domain is built from.</summary>
    /// <exception cref="ToolstackException">A value has the wrong type or is out of range, or a file that it names does not exist.</exception>
    public static DomainConfig Read(ConfigFile file) => new DomainConfigReader(file).Read();

    private DomainConfig Read()
    {
        RequireParavirtual("builder", "linux", "generic");
        RequireParavirtual("type", "pv");
        int memory = Integer("memory", 128, DomainConfig.LeastMemoryMiB, DomainConfig.MostMemoryMiB, "MiB");
        int vcpus = Integer("vcpus", 1, 1, DomainConfig.MostVcpus, null);
        return new DomainConfig
        {
            Name = Name(),
            Kernel = ExistingFile("kernel") ?? throw new ToolstackException(
                $"{_file.Path}: no kernel is given: add a line like kernel = \"/boot/vmlinuz\"."),
            Ramdisk = ExistingFile("ramdisk"),
            CommandLine = CommandLine(),
            MemoryMiB = memory,
            MaxMemoryMiB = AtLeast("maxmem", "memory", Integer("maxmem", memory, DomainConfig.LeastMemoryMiB, DomainConfig.MostMemoryMiB, "MiB"), memory),
            Vcpus = vcpus,
            MaxVcpus = AtLeast("maxvcpus", "vcpus", Integer("maxvcpus", vcpus, 1, DomainConfig.MostVcpus, null), vcpus),
            OnPoweroff = Action("on_poweroff", ShutdownAction.Destroy),
            OnReboot = Action("on_reboot", ShutdownAction.Restart),
            OnCrash = Action("on_crash", ShutdownAction.Restart),
            OnWatchdog = Action("on_watchdog", ShutdownAction.Destroy),
            StartsWithXend = OneOf("on_xend_start", "ignore", "start") == "start",
            OnXendStop = XendStop(),
            CpuWeight = Integer("cpu_weight", 256, 1, 65535, null),
            CpuCap = Integer(_file.Find("cpu_cap") is null ? "cap" : "cpu_cap", 0, 0, 100 * DomainConfig.MostVcpus, "percent of one processor"),
            Affinity = ReadAffinity(vcpus),
            MaxEventChannels = Integer("max_event_channels", 1023, 1, DomainSettings.MaxMaxEventChannels, null),
            MaxGrantFrames = Integer("max_grant_frames", 64, 1, DomainSettings.HighestGrantFrames, null),
            MaxMaptrackFrames = Integer("max_maptrack_frames", 1024, 0, DomainSettings.HighestMaptrackFrames, null),
            Disks = Disks(),
            Vifs = Vifs(),
            Consoles = Consoles(),
            Uuid = Uuid(),
            CpuEngine = Engine(vcpus),
            HiddenCpuFeatures = HiddenCpuFeatures(),
            CodeCacheMiB = Integer("code_cache", DomainConfig.PresetCodeCacheMiB, 1, DomainConfig.MostCodeCacheMiB, "MiB for each vCPU"),
            Features = Text("features") ?? "",
            Source = _file.Path,
        };
    }

    private string Engine(int vcpus)
    {
        if (_file.Find("cpu_engine") is null)
            return CpuEngines.Default;
        string engine = OneOf("cpu_engine", [.. CpuEngines.Names]);
        return engine != CpuEngines.Lockstep || vcpus == 1
            ? engine
            : throw new ToolstackException(string.Create(
                CultureInfo.InvariantCulture, $"{_file.Path}: the engine '{engine}' is for domains with one vCPU, and vcpus is {vcpus}: add vcpus=1."));
    }

    private string? Text(string key)
    {
        ConfigFile.Entry? entry = _file.Find(key);
        return entry switch
        {
            null => null,
            { Value: StringValue s } => s.Value,
            // On the command line everything is text: name=123 is a name, too.
            { Raw: not null, Value: IntegerValue or FloatValue or BooleanValue } => entry.Raw,
            _ => throw entry.Wrong("a string"),
        };
    }

    private int Integer(string key, int preset, int least, int most, string? unit)
    {
        ConfigFile.Entry? entry = _file.Find(key);
        if (entry is null)
            return preset;
        string range = string.Create(CultureInfo.InvariantCulture, $"an integer from {least} to {most}{(unit is null ? "" : " (" + unit + ")")}");
        long value = entry.Value switch
        {
            IntegerValue i => i.Value,
            // As xm and xl do: digits in quotes are a number.
            StringValue s when long.TryParse(s.Value, NumberStyles.None, CultureInfo.InvariantCulture, out long parsed) => parsed,
            _ => throw entry.Wrong(range),
        };
        return value >= least && value <= most ? (int)value : throw entry.Wrong(range);
    }

    private int AtLeast(string key, string otherKey, int value, int other) =>
        value >= other
            ? value
            : throw _file.Find(key)!.Wrong(string.Create(CultureInfo.InvariantCulture, $"at least {otherKey}, which is {other}"));

    private string Name()
    {
        string name = Text("name") ?? Path.GetFileNameWithoutExtension(_file.Path);
        return DomainNameSyntax.IsLawful(name)
            ? name
            : throw (_file.Find("name") ?? new ConfigFile.Entry("name", new StringValue(name), null, _file.Path)).Wrong(DomainNameSyntax.Rule);
    }

    private string? ExistingFile(string key)
    {
        string? path = Text(key);
        if (string.IsNullOrEmpty(path))
            return null;
        ConfigFile.Entry entry = _file.Find(key)!;
        string beside = Path.GetFullPath(path, Path.GetDirectoryName(_file.Path) ?? "/");
        string current = Path.GetFullPath(path, _file.WorkingFolder);
        // A file says where its neighbours are; who types a path means the current folder.
        string[] places = entry.Raw is null ? [beside, current] : [current, beside];
        foreach (string place in places)
        {
            if (Directory.Exists(place))
                throw new ToolstackException($"{entry.Where}: {key} {place} is a folder: give the file itself.");
            if (File.Exists(place))
                return place;
        }

        string remedy = path.Contains(".cache", StringComparison.Ordinal) ? "run ./demo or scripts/fetch-guests, which put it there" : "correct the path";
        throw new ToolstackException($"{entry.Where}: {key} {places[0]} does not exist: {remedy}.");
    }

    private string CommandLine()
    {
        string? whole = Text("cmdline"), root = Text("root"), extra = Text("extra");
        if (whole is not null && (root is not null || extra is not null))
            _file.Warn(_file.Find("cmdline")!.Where, "'cmdline' is the whole command line; 'root' and 'extra' have no effect beside it.");
        string line = whole ?? string.Join(' ', new[] { string.IsNullOrEmpty(root) ? "" : "root=" + root, extra ?? "" }.Where(p => p.Length > 0));
        int bytes = Encoding.UTF8.GetByteCount(line);
        if (bytes > DomainConfig.MostCommandLineBytes)
        {
            throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                $"{_file.Path}: the kernel's command line (root and extra) has {bytes} bytes, and Xen passes {DomainConfig.MostCommandLineBytes} at most: shorten it."));
        }

        return line.Contains('\0', StringComparison.Ordinal)
            ? throw new ToolstackException($"{_file.Path}: the kernel's command line (root and extra) has a zero byte: remove it.")
            : line;
    }

    private ShutdownAction Action(string key, ShutdownAction preset)
    {
        string? text = Text(key);
        return text switch
        {
            null => preset,
            "destroy" => ShutdownAction.Destroy,
            "restart" => ShutdownAction.Restart,
            "rename-restart" => ShutdownAction.RenameRestart,
            "preserve" => ShutdownAction.Preserve,
            "coredump-destroy" => ShutdownAction.CoredumpDestroy,
            "coredump-restart" => ShutdownAction.CoredumpRestart,
            _ => throw _file.Find(key)!.Wrong(Actions),
        };
    }

    /// <summary>A domain cannot outlive its xend: so 'ignore' is as good as no answer, and suspending awaits saving of domains.</summary>
    private XendStopAction XendStop()
    {
        string action = OneOf("on_xend_stop", "ignore", "shutdown", "destroy", "suspend");
        if (action == "suspend")
            _file.Warn(_file.Find("on_xend_stop")!.Where, "'suspend' is not supported yet; the domain is shut down when xend stops.");
        return action == "destroy" ? XendStopAction.Destroy : XendStopAction.Shutdown;
    }

    private string OneOf(string key, params string[] choices)
    {
        string text = Text(key) ?? choices[0];
        return choices.Contains(text) ? text : throw _file.Find(key)!.Wrong(string.Join(" or ", choices.Select(c => $"'{c}'")));
    }

    private void RequireParavirtual(string key, params string[] choices)
    {
        string? text = Text(key);
        if (text is not null && !choices.Contains(text))
            throw new ToolstackException($"{_file.Find(key)!.Where}: {key} is '{text}', and this Xen runs paravirtual guests only: remove the line or say '{choices[0]}'.");
    }

    private Guid Uuid()
    {
        string? text = Text("uuid");
        if (text is null)
            return Guid.NewGuid();
        return Guid.TryParseExact(text, "D", out Guid uuid)
            ? uuid
            : throw _file.Find("uuid")!.Wrong("a UUID like 6b3c1d1e-9a1f-4f0c-8a57-0c5a6f1f2d3e");
    }

    private IReadOnlyList<IReadOnlySet<int>> ReadAffinity(int vcpus)
    {
        ConfigFile.Entry? entry = _file.Find("cpus");
        switch (entry?.Value)
        {
            case null or StringValue { Value: "" or "all" } or ListValue { Items.Count: 0 }:
                return [];
            // As xm: a list of strings has one for each vCPU, a list of numbers is one set for all.
            case ListValue { Items: var items } when items.All(i => i is StringValue):
                return [.. items.Select(i => CpuSet(entry, ((StringValue)i).Value))];
            case ListValue { Items: var items } when items.All(i => i is IntegerValue { Value: >= 0 and < CpuSetSyntax.Most }):
                HashSet<int> all = [.. items.Select(i => (int)((IntegerValue)i).Value)];
                return [.. Enumerable.Repeat(all, vcpus)];
            case IntegerValue { Value: >= 0 and < CpuSetSyntax.Most } one:
                return [.. Enumerable.Repeat(new HashSet<int> { (int)one.Value }, vcpus)];
            case StringValue text:
                return [.. Enumerable.Repeat(CpuSet(entry, text.Value), vcpus)];
            default:
                throw entry.Wrong("processors like \"0-3,^1\" or \"all\", or a list with one such string for each vCPU");
        }
    }

    private static HashSet<int> CpuSet(ConfigFile.Entry entry, string text) =>
        CpuSetSyntax.TryParse(text, out HashSet<int>? set) ? set : throw entry.Wrong("processors like \"0-3,^1\" or \"all\"");
}
