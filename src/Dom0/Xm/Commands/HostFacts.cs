using System.Globalization;
using System.Runtime.InteropServices;

namespace Xen.Xm;

/// <summary>The lines of <c>xm info</c>. People parse them: the names are Xen's and stay.</summary>
internal static class HostFacts
{
    /// <param name="xend">What xend says of itself and its machine.</param>
    /// <param name="remote">The host that it runs on, of which we see no more than xend tells; null: this one.</param>
    public static IEnumerable<(string Key, string Value)> Read(Contract.V1.HostInfo xend, string? remote) =>
        (remote is null ? ReadHost() : [("host", remote), ("nr_cpus", Text(xend.PhysicalCpus)), ("cpu_mhz", Text(xend.CpuKhz / 1000))]).Concat(ReadXend(xend));

    private static IEnumerable<(string Key, string Value)> ReadHost()
    {
        int cpus = Environment.ProcessorCount;
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
    }

    private static IEnumerable<(string Key, string Value)> ReadXend(Contract.V1.HostInfo xend)
    {
        yield return ("total_memory", Text(xend.TotalMemoryMib));
        yield return ("free_memory", Text(xend.FreeMemoryMib));
        yield return ("free_cpus", "0");
        yield return ("xen_major", "4");
        yield return ("xen_minor", "17");
        yield return ("xen_extra", ".0");
        yield return ("xen_caps", "xen-3.0-x86_64");
        yield return ("xen_scheduler", xend.Scheduler);
        yield return ("xen_pagesize", "4096");
        yield return ("platform_params", "virt_start=0xffff800000000000");
        yield return ("xend_config_format", "4");
        yield return ("cpu_engine", xend.CpuEngine);
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Kernel(string name) => Lines("/proc/sys/kernel/" + name).FirstOrDefault("").Trim();

    private static string CpuInfo(string key) =>
        Lines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal))?.Split(':')[^1].Trim() ?? "";

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
