using System.Diagnostics;
using Xen.Toolstack;
using V1 = Xen.Contract.V1;

namespace Xen.Service;

/// <summary>Takes samples of what the machine and its domains have used, for clients and for the metrics.</summary>
internal sealed class StatisticsSampler(XendState state)
{
    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>Takes one. Waits where something is being done to a domain, so not for threads that others wait for.</summary>
    public V1.StatisticsSample Sample()
    {
        MachineInfo machine = state.Toolstack.Info;
        long total = (long)machine.TotalMemoryMiB << 10, free = (long)machine.FreeMemoryMiB << 10;
        var sample = new V1.StatisticsSample
        {
            TotalMemoryKib = total,
            UsedMemoryKib = total - free,
            FreeMemoryKib = free,
            PhysicalCpus = machine.PhysicalCpus,
            CpuKhz = machine.CpuKhz,
            Version = XendState.Version,
            Domains = { OfDom0(machine) },
        };
        foreach (ManagedDomain managed in state.Domains.Domains)
        {
            // One that has ended is there until it is put away; another may have its name.
            if (!managed.Domain.Completion.IsCompleted)
                sample.Domains.Add(StatisticsMessages.Of(managed));
        }

        sample.TimeUnixMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        sample.ElapsedNs = (long)Stopwatch.GetElapsedTime(_began).TotalNanoseconds;
        return sample;
    }

    /// <summary>This process; that guests run in it is in its figures.</summary>
    private V1.DomainStatistics OfDom0(MachineInfo machine)
    {
        V1.Domain dom0 = state.DescribeDom0();
        return new V1.DomainStatistics
        {
            Id = dom0.Id,
            Name = dom0.Name,
            State = dom0.State,
            StateText = dom0.StateText,
            CpuNs = (long)Environment.CpuUsage.TotalTime.TotalNanoseconds,
            MemoryKib = Environment.WorkingSet >> 10,
            OnlineVcpus = machine.PhysicalCpus,
        };
    }
}
