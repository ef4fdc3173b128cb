using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>The verbs about the host and its hypervisor.</summary>
internal sealed class HostCommands(XmContext context)
{
    public IEnumerable<Command> Build()
    {
        yield return BuildInfo();
        yield return BuildDmesg();
    }

    private Command BuildInfo()
    {
        Command command = new("info", "Print what this host and its Xen are.");
        command.SetAction(async (_, _) =>
        {
            int running = (await new ControlClient(context.Paths).ListAsync().ConfigureAwait(false)).Sum(d => d.MemoryMiB);
            foreach ((string key, string value) in HostInfo.Read(running))
                context.Out.WriteLine($"{key,-22} : {value}");
            return ExitCode.Ok;
        });
        return command;
    }

    private Command BuildDmesg()
    {
        Argument<string?> name = new("DOMAIN") { Description = "The domain whose machine is meant; without it the one that wrote last.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> clear = new("--clear", "-c") { Description = "Also empty the log." };
        Command command = new("dmesg", "Print the hypervisor's log; of a machine that has ended, what it left.") { name, clear };
        command.SetAction(async (parsed, _) =>
        {
            string text = await ReadLogAsync(parsed.GetValue(name), parsed.GetValue(clear)).ConfigureAwait(false);
            await context.Out.WriteAsync(text.Length == 0 || text.EndsWith('\n') ? text : text + "\n").ConfigureAwait(false);
            return ExitCode.Ok;
        });
        return command;
    }

    private async Task<string> ReadLogAsync(string? name, bool clear)
    {
        IReadOnlyList<DomainLine> running = await new ControlClient(context.Paths).ListAsync().ConfigureAwait(false);
        FileInfo? log = LastLog(name);
        DomainLine? domain = name is not null ? running.FirstOrDefault(d => d.Name == name)
            : running.FirstOrDefault(d => context.Paths.HypervisorLogOf(d.Name) == log?.FullName) ?? (log is null && running.Count > 0 ? running[0] : null);
        if (domain is not null)
            return await ControlClient.AskAsync(domain, clear ? "dmesg-clear" : "dmesg").ConfigureAwait(false);
        if (log is null)
        {
            throw new ToolstackException(name is null
                ? $"no hypervisor has left a log in {context.Paths.LogFolder} yet: start a domain with xm create."
                : $"no hypervisor log of a domain '{name}' is in {context.Paths.LogFolder}: xm list shows the domains that are running.");
        }

        string text = await File.ReadAllTextAsync(log.FullName).ConfigureAwait(false);
        if (clear)
            await File.WriteAllTextAsync(log.FullName, "").ConfigureAwait(false);
        return text;
    }

    private FileInfo? LastLog(string? name)
    {
        DirectoryInfo folder = new(context.Paths.LogFolder);
        if (!folder.Exists)
            return null;
        FileInfo[] logs = folder.GetFiles("hypervisor-*.log");
        return name is not null
            ? logs.FirstOrDefault(f => f.FullName == context.Paths.HypervisorLogOf(name))
            : logs.MaxBy(f => f.LastWriteTimeUtc);
    }
}

/// <summary>The lines of <c>xm info</c>. People parse them: the names are Xen's and stay.</summary>
internal static class HostInfo
{
    /// <param name="usedMiB">Memory of the domains that are running.</param>
    public static IEnumerable<(string Key, string Value)> Read(int usedMiB)
    {
        int cpus = Environment.ProcessorCount;
        long totalMiB = MemoryMiB("MemTotal:"), freeMiB = Math.Max(0, Math.Min(MemoryMiB("MemAvailable:"), totalMiB - usedMiB));
        int cores = int.TryParse(CpuInfo("cpu cores"), CultureInfo.InvariantCulture, out int c) && c > 0 ? c : cpus;
        int siblings = int.TryParse(CpuInfo("siblings"), CultureInfo.InvariantCulture, out int s) && s > 0 ? s : cores;
        yield return ("host", Kernel("hostname"));
        yield return ("release", Kernel("osrelease"));
        yield return ("version", Kernel("version"));
        yield return ("machine", RuntimeInformation.OSArchitecture == Architecture.X64 ? "x86_64" : RuntimeInformation.OSArchitecture.ToString());
        yield return ("nr_cpus", Text(cpus));
        yield return ("nr_nodes", "1");
        yield return ("cores_per_socket", Text(cores));
        yield return ("threads_per_core", Text(Math.Max(1, siblings / cores)));
        yield return ("cpu_mhz", CpuInfo("cpu MHz").Split('.')[0]);
        yield return ("total_memory", Text(totalMiB));
        yield return ("free_memory", Text(freeMiB));
        yield return ("free_cpus", "0");
        yield return ("xen_major", "4");
        yield return ("xen_minor", "17");
        yield return ("xen_extra", ".0");
        yield return ("xen_caps", "xen-3.0-x86_64");
        yield return ("xen_scheduler", "credit");
        yield return ("xen_pagesize", "4096");
        yield return ("platform_params", "virt_start=0xffff800000000000");
        yield return ("xend_config_format", "4");
        yield return ("cpu_engine", HostEngine.Describe());
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Kernel(string name) => Lines("/proc/sys/kernel/" + name).FirstOrDefault("").Trim();

    private static string CpuInfo(string key) =>
        Lines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal))?.Split(':')[^1].Trim() ?? "";

    private static long MemoryMiB(string key)
    {
        string? line = Lines("/proc/meminfo").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal));
        string? kib = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(1);
        return long.TryParse(kib, CultureInfo.InvariantCulture, out long value) ? value / 1024 : 0;
    }

    private static IEnumerable<string> Lines(string path)
    {
        try
        {
            return File.ReadLines(path);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
