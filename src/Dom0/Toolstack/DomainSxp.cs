using System.Globalization;
using System.Text;

namespace Xen.Toolstack;

/// <summary>A domain as xm's S-expression, which <c>xm list -l</c> prints: its configuration, and how it stands.</summary>
public static class DomainSxp
{
    /// <summary>Of a domain that runs.</summary>
    public static string Write(IRunningDomain domain)
    {
        ArgumentNullException.ThrowIfNull(domain);
        DomainStatus status = domain.Status;
        DomainShare share = domain.Share;
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"(domain\n    (domid {domain.Id})\n");
        DomainConfigSxp.WriteInner(text, domain.Config with { CpuWeight = share.Weight, CpuCap = share.Cap });
        text.Append(CultureInfo.InvariantCulture, $"    (current_memory {status.MemoryMiB})\n    (online_vcpus {status.OnlineVcpus})\n");
        text.Append(CultureInfo.InvariantCulture, $"    (state {status.Letters})\n    (cpu_time {status.CpuTime.TotalSeconds:F9})\n");
        text.Append(CultureInfo.InvariantCulture, $"    (start_time {domain.StartTime.ToUnixTimeMilliseconds() / 1000.0:F3})\n    (status 2)\n)\n");
        return text.ToString();
    }

    /// <summary>Of Domain-0: the process that runs the machine.</summary>
    public static string WriteDom0(MachineInfo machine, long memoryMiB, TimeSpan cpuTime, DateTimeOffset start)
    {
        ArgumentNullException.ThrowIfNull(machine);
        return string.Create(CultureInfo.InvariantCulture, $"""
            (domain
                (domid 0)
                (name Domain-0)
                (memory {memoryMiB})
                (maxmem {machine.TotalMemoryMiB})
                (vcpus {machine.PhysicalCpus})
                (uuid {Guid.Empty})
                (cpu_weight 256)
                (cpu_cap 0)
                (current_memory {memoryMiB})
                (online_vcpus {machine.PhysicalCpus})
                (state r-----)
                (cpu_time {cpuTime.TotalSeconds:F9})
                (start_time {start.ToUnixTimeMilliseconds() / 1000.0:F3})
                (status 2)
            )

            """);
    }

    /// <summary>Of a managed domain whose configuration cannot be used as things stand.</summary>
    public static string WriteUnusable(string name, Guid uuid, int memoryMiB, int maxMemoryMiB, int vcpus, string fault) => string.Create(CultureInfo.InvariantCulture, $"""
        (domain
            (name {name})
            (memory {memoryMiB})
            (maxmem {maxMemoryMiB})
            (vcpus {vcpus})
            (uuid {uuid})
            (fault {new StringValue(fault)})
            (status 0)
        )

        """);

    /// <summary>Of a managed domain that does not run.</summary>
    public static string Write(DomainConfig config)
    {
        StringBuilder text = new();
        text.Append("(domain\n");
        DomainConfigSxp.WriteInner(text, config);
        return text.Append("    (status 0)\n)\n").ToString();
    }
}
