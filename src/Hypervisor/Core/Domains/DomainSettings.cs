using Xen.Abi;

namespace Xen.Core;

/// <summary>What a new domain is to be.</summary>
/// <param name="Name">For people and logs.</param>
/// <param name="VcpuCount">vCPUs, all offline at first. 1 to <see cref="MaxVcpus"/>.</param>
/// <param name="MaxPages">Memory it may have. <b>Units</b>: frames.</param>
public sealed record DomainSettings(string Name, int VcpuCount, ulong MaxPages)
{
    /// <summary>The most vCPUs of a domain: as many as shared_info has room for (XEN_LEGACY_MAX_VCPUS).</summary>
    public const int MaxVcpus = 32;

    /// <summary>UUID.</summary>
    public Guid Handle { get; init; } = Guid.NewGuid();
}

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
