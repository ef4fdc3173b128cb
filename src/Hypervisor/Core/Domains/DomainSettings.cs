using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>What a new domain is to be.</summary>
/// <param name="Name">For people and logs.</param>
/// <param name="VcpuCount">vCPUs, all offline at first. 1 to <see cref="MaxVcpus"/>.</param>
/// <param name="MaxPages">Memory it may have. <b>Units</b>: frames.</param>
public sealed record DomainSettings(string Name, int VcpuCount, ulong MaxPages)
{
    /// <summary>The most vCPUs of a domain: as many as shared_info has room for (XEN_LEGACY_MAX_VCPUS).</summary>
    public const int MaxVcpus = 32;

    /// <summary>The most that <see cref="MaxGrantFrames"/> can be.</summary>
    public const int HighestGrantFrames = 4096;

    /// <summary>The most that <see cref="MaxMaptrackFrames"/> can be.</summary>
    public const int HighestMaptrackFrames = 65536;

    /// <summary>Frames that the domain's grant table may have (max_grant_frames). 1 to <see cref="HighestGrantFrames"/>; each holds 512 grants, of version 2 256.</summary>
    public int MaxGrantFrames { get; init; } = 64;

    /// <summary>Mappings of other domains' grants that the domain may have (max_maptrack_frames), 0 to <see cref="HighestMaptrackFrames"/>. <b>Units</b>: 256 mappings.</summary>
    public int MaxMaptrackFrames { get; init; } = 1024;

    /// <summary>Processor features that CPUID does not show to the domain; those that make no sense without them are not shown either.</summary>
    public CpuFeatures HiddenFeatures { get; init; } = CpuFeatures.None;

    /// <summary>Makes the engine of each of its vCPUs; null: the machine's (<see cref="MachineConfig.CreateEngine"/>).</summary>
    public Func<VcpuState, ICpuEngine>? CreateEngine { get; init; }

    /// <summary>UUID.</summary>
    public Guid Handle { get; init; } = Guid.NewGuid();

    /// <summary>
    /// Event channels it may have (xl's max_event_channels, max_evtchn_port): the highest port. 1 to <see cref="MaxMaxEventChannels"/>; with the two-level ABI
    /// there are no more than 4095 all the same.
    /// </summary>
    public int MaxEventChannels { get; init; } = EventChannelTable.DefaultMaxPort;

    /// <summary>The largest <see cref="MaxEventChannels"/>: what the FIFO ABI has room for.</summary>
    public const int MaxMaxEventChannels = FifoEventLimits.NrChannels - 1;
}

/// <summary>How a vCPU stands (XEN_DOMCTL_getvcpuinfo).</summary>
/// <param name="IsOnline">It is up.</param>
/// <param name="IsRunning">It is on a physical CPU at this moment.</param>
/// <param name="IsBlocked">It waits for an event.</param>
/// <param name="Cpu">The physical CPU that it runs on, waits for or was on last.</param>
/// <param name="CpuTime">Time that it has run. <b>Units</b>: ns.</param>
/// <param name="Affinity">Where it may run.</param>
public readonly record struct VcpuInfo(bool IsOnline, bool IsRunning, bool IsBlocked, int Cpu, ulong CpuTime, CpuSet Affinity);

/// <summary>How a domain stands (XEN_DOMCTL_getdomaininfo).</summary>
/// <param name="Pages">Memory it has. <b>Units</b>: frames.</param>
/// <param name="OnlineVcpus">vCPUs that are up.</param>
/// <param name="IsRunning">One of them runs at this moment, or waits for a processor.</param>
/// <param name="IsBlocked">All of them wait for events.</param>
/// <param name="IsPaused">It is paused.</param>
/// <param name="IsShutDown">It has shut down.</param>
/// <param name="Reason">Why, if it has.</param>
/// <param name="IsDying">It is being destroyed.</param>
/// <param name="CpuTime">Time they have run, summed. <b>Units</b>: ns.</param>
public sealed record DomainInfo(
    ulong Pages,
    int OnlineVcpus,
    bool IsRunning,
    bool IsBlocked,
    bool IsPaused,
    bool IsShutDown,
    ShutdownReason Reason,
    bool IsDying,
    ulong CpuTime);
