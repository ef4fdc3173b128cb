using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Service;

/// <summary>A sample as Prometheus metrics: what <c>xm top</c> shows, the latencies, and what xend itself uses.</summary>
internal static class XendMetrics
{
    private const long KiB = 1024;
    private const double NanosecondsPerSecond = 1e9;

    /// <summary>xm's six states, in the order of its columns.</summary>
    private static readonly string[] States = ["running", "blocked", "paused", "shutdown", "crashed", "dying"];

    /// <summary>Writes all of them.</summary>
    public static string Write(StatisticsSample sample, ProcessFigures process)
    {
        var text = new MetricsText();

        // A name twice would make a scraper refuse the lot.
        DomainStatistics[] domains = [.. sample.Domains.DistinctBy(static domain => domain.Name)];
        WriteMachine(text, sample, domains);
        WriteDomains(text, domains);
        DeviceMetrics.WriteNetwork(text, domains);
        DeviceMetrics.WriteBlock(text, domains);
        WriteProcess(text, process);
        return text.ToString();
    }

    private static void WriteMachine(MetricsText text, StatisticsSample sample, DomainStatistics[] domains)
    {
        text.Begin("xen_xend_info", "gauge", "What this xend is; the value is 1.");
        text.Add(1, ("version", sample.Version));
        Gauge(text, "xen_machine_cpus", "Host threads that run vCPUs.", sample.PhysicalCpus);
        Gauge(text, "xen_machine_memory_bytes", "Memory for guests, all of it.", sample.TotalMemoryKib * KiB);
        Gauge(text, "xen_machine_memory_used_bytes", "Memory that domains have or were promised.", sample.UsedMemoryKib * KiB);
        Gauge(text, "xen_machine_memory_free_bytes", "Memory that new domains can have.", sample.FreeMemoryKib * KiB);
        text.Begin("xen_domains", "gauge", "Domains by state, Domain-0 included; one may be in several, or in none of these.");
        for (int i = 0; i < States.Length; i++)
            text.Add(domains.Count(domain => IsIn(domain, i)), ("state", States[i]));
    }

    private static void WriteDomains(MetricsText text, DomainStatistics[] domains)
    {
        text.Begin("xen_domain_info", "gauge", "A domain's number, which changes when it restarts; the value is 1.");
        foreach (DomainStatistics domain in domains)
            text.Add(1, ("domain", domain.Name), ("id", domain.Id.ToString(CultureInfo.InvariantCulture)));
        text.Begin("xen_domain_state", "gauge", "Whether a domain is in a state: 1 or 0.");
        foreach (DomainStatistics domain in domains)
        {
            for (int i = 0; i < States.Length; i++)
                text.Add(IsIn(domain, i) ? 1 : 0, ("domain", domain.Name), ("state", States[i]));
        }

        Each(text, "xen_domain_cpu_seconds_total", "counter", "Time that a domain's vCPUs have run; of Domain-0 all CPU time of xend, guests included.", domains, static d => d.CpuNs / NanosecondsPerSecond);
        Each(text, "xen_domain_vcpus", "gauge", "vCPUs that are up.", domains, static d => d.OnlineVcpus);
        Each(text, "xen_domain_memory_bytes", "gauge", "Memory that a domain has; of Domain-0 all resident memory of xend, guests' included.", domains, static d => d.MemoryKib * KiB);
        Each(text, "xen_domain_memory_max_bytes", "gauge", "Memory that a domain may have.", domains.Where(static d => d.MaxMemoryKib > 0), static d => d.MaxMemoryKib * KiB);
        text.Begin("xen_domain_vcpu_seconds_total", "counter", "Time that a vCPU has run.");
        foreach (DomainStatistics domain in domains)
        {
            foreach (VcpuStatistics vcpu in domain.Vcpus)
                text.Add(vcpu.CpuNs / NanosecondsPerSecond, ("domain", domain.Name), ("vcpu", vcpu.Number.ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static void WriteProcess(MetricsText text, ProcessFigures process)
    {
        text.Begin("process_cpu_seconds_total", "counter", "User and system CPU time of xend in seconds.");
        text.Add(process.CpuSeconds);
        Gauge(text, "process_resident_memory_bytes", "Resident memory of xend in bytes.", process.ResidentBytes);
        if (process.OpenDescriptors is { } open)
            Gauge(text, "process_open_fds", "Open file descriptors of xend.", open);
        if (process.MostDescriptors is { } most)
            Gauge(text, "process_max_fds", "File descriptors that xend may open.", most);
        Gauge(text, "process_start_time_seconds", "When xend started, in seconds since 1970.", process.StartSeconds);
    }

    private static bool IsIn(DomainStatistics domain, int state) => state < domain.State.Length && domain.State[state] != '-';

    private static void Gauge(MetricsText text, string name, string help, double value)
    {
        text.Begin(name, "gauge", help);
        text.Add(value);
    }

    private static void Each(
        MetricsText text, string name, string type, string help, IEnumerable<DomainStatistics> domains, Func<DomainStatistics, double> value)
    {
        text.Begin(name, type, help);
        foreach (DomainStatistics domain in domains)
            text.Add(value(domain), ("domain", domain.Name));
    }
}
