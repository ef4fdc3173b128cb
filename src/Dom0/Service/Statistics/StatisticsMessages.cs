using Xen.Toolstack;
using V1 = Xen.Contract.V1;

namespace Xen.Service;

/// <summary>The toolstack's statistics as messages of the contract.</summary>
internal static class StatisticsMessages
{
    public static V1.DomainStatistics Of(ManagedDomain managed)
    {
        DomainStatistics used = managed.Domain.Statistics;
        DomainStatus status = managed.Domain.Status;
        return new V1.DomainStatistics
        {
            Id = managed.Domain.Id,
            Name = managed.Name,
            Handle = managed.Handle,
            State = status.Letters,
            StateText = status.StateText,
            CpuNs = (long)used.CpuTime.TotalNanoseconds,
            MemoryKib = used.MemoryKiB,
            MaxMemoryKib = used.MaxMemoryKiB,
            OnlineVcpus = used.OnlineVcpus,
            Vcpus = { managed.Domain.Vcpus.Select(Of) },
            Vifs = { used.Vifs.Select(Of) },
            Vbds = { used.Vbds.Select(Of) },
        };
    }

    private static V1.VcpuStatistics Of(VcpuStatus vcpu) => new() { Number = vcpu.Number, Online = vcpu.IsOnline, CpuNs = (long)vcpu.CpuTime.TotalNanoseconds };

    private static V1.VifStatistics Of(VifStatistics vif) => new()
    {
        Index = vif.Index,
        TxBytes = vif.TxBytes,
        TxPackets = vif.TxPackets,
        TxErrors = vif.TxErrors,
        RxBytes = vif.RxBytes,
        RxPackets = vif.RxPackets,
        RxErrors = vif.RxErrors,
        RxDropped = vif.RxDropped,
        TxLatency = Of(vif.TxLatency),
        RxLatency = Of(vif.RxLatency),
    };

    private static V1.VbdStatistics Of(VbdStatistics vbd) => new()
    {
        Number = vbd.Number,
        Name = vbd.Name,
        Reads = vbd.Reads,
        Writes = vbd.Writes,
        Flushes = vbd.Flushes,
        Discards = vbd.Discards,
        ReadSectors = vbd.ReadSectors,
        WrittenSectors = vbd.WrittenSectors,
        OutOfRequests = vbd.OutOfRequests,
        Errors = vbd.Errors,
        ReadLatency = Of(vbd.ReadLatency),
        WriteLatency = Of(vbd.WriteLatency),
        FlushLatency = Of(vbd.FlushLatency),
    };

    private static V1.LatencyHistogram Of(LatencyHistogram latency)
    {
        int used = latency.Counts.Count;
        while (used > 0 && latency.Counts[used - 1] == 0)
            used--;
        return new V1.LatencyHistogram { Counts = { latency.Counts.Take(used) }, SumNs = (long)latency.Sum.TotalNanoseconds };
    }
}
