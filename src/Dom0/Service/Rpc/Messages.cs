using Xen.Toolstack;
using V1 = Xen.Contract.V1;

namespace Xen.Service;

/// <summary>The toolstack's records as messages of the contract.</summary>
internal static class Messages
{
    public static V1.Domain Of(ManagedDomain managed)
    {
        IRunningDomain domain = managed.Domain;
        DomainStatus status = domain.Status;
        DomainShare share = domain.Share;
        return new V1.Domain
        {
            Id = domain.Id,
            Name = managed.Name,
            Uuid = domain.Config.Uuid.ToString(),
            MemoryMib = status.MemoryMiB,
            MaxMemoryMib = domain.Config.MaxMemoryMiB,
            OnlineVcpus = status.OnlineVcpus,
            MaxVcpus = domain.Config.MaxVcpus,
            State = status.Letters,
            CpuSeconds = status.CpuTime.TotalSeconds,
            Handle = managed.Handle,
            ConsoleCount = managed.ConsoleCount,
            StartedUnixMs = domain.StartTime.ToUnixTimeMilliseconds(),
            StateText = status.StateText,
            Weight = share.Weight,
            Cap = share.Cap,
            Managed = managed.Definition is not null,
        };
    }

    /// <summary>A managed domain that does not run.</summary>
    public static V1.Domain Of(DomainDefinition definition) => new()
    {
        Id = -1,
        Name = definition.Name,
        Uuid = definition.Uuid.ToString(),
        MemoryMib = definition.MemoryMiB,
        MaxMemoryMib = definition.MaxMemoryMiB,
        OnlineVcpus = definition.Vcpus,
        MaxVcpus = definition.MaxVcpus,
        StateText = "shutoff",
        Weight = definition.CpuWeight,
        Cap = definition.CpuCap,
        Managed = true,
    };

    public static V1.DomainOutcome Of(DomainOutcome outcome) => new()
    {
        Reason = (V1.DomainOutcome.Types.Reason)outcome.Reason,
        Destroyed = outcome.Destroyed,
        Report = outcome.Report,
    };

    public static V1.DomainEvent Of(DomainHappening happening, long lost) => new()
    {
        Kind = happening.Kind switch
        {
            DomainEventKind.Created => V1.DomainEvent.Types.Kind.Created,
            DomainEventKind.Ended => V1.DomainEvent.Types.Kind.Ended,
            DomainEventKind.Paused => V1.DomainEvent.Types.Kind.Paused,
            DomainEventKind.Restarted => V1.DomainEvent.Types.Kind.Restarted,
            DomainEventKind.Unpaused => V1.DomainEvent.Types.Kind.Unpaused,
            _ => V1.DomainEvent.Types.Kind.Unknown,
        },
        Handle = happening.Handle,
        Name = happening.Name,
        Id = happening.Id,
        TimeUnixMs = happening.Time.ToUnixTimeMilliseconds(),
        Outcome = happening.Outcome is { } outcome ? Of(outcome) : null,
        Lost = lost,
    };

    public static V1.BlockDevice Of(BlockDeviceStatus device) => new()
    {
        Number = device.Disk.Disk.Number,
        Name = device.Disk.Disk.Name,
        State = device.State,
        Text = device.Text,
        EventChannel = device.EventChannel,
        RingRef = device.RingRef,
        BackendPath = device.BackendPath,
        Mode = device.Disk.Access == DiskAccess.ReadOnly ? "r" : "w",
        Format = device.Disk.Format.ToString().ToLowerInvariant(),
        Target = device.Disk.Target,
    };

    public static V1.NetworkInterface Of(NetworkDeviceStatus device) => new()
    {
        Index = device.Index,
        Mac = device.Vif.Mac ?? "",
        State = device.State,
        Text = device.Text,
        EventChannel = device.EventChannel,
        TxRingRef = device.TxRingRef,
        RxRingRef = device.RxRingRef,
        BackendPath = device.BackendPath,
        Bridge = device.Vif.Bridge ?? "",
    };

    public static V1.DomainVcpus VcpusOf(ManagedDomain managed)
    {
        var all = new V1.DomainVcpus { Name = managed.Name, Id = managed.Domain.Id };
        foreach (VcpuStatus vcpu in managed.Domain.Vcpus)
        {
            var one = new V1.Vcpu { Number = vcpu.Number, Cpu = vcpu.Cpu ?? -1, State = vcpu.Letters, CpuSeconds = vcpu.CpuTime.TotalSeconds };
            one.Affinity.AddRange(vcpu.Affinity ?? []);
            all.Vcpus.Add(one);
        }

        return all;
    }
}
