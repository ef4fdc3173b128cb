namespace Xen.Toolstack;

/// <summary>A domain's share of the processors, one line of <c>xm sched-credit</c>. <b>Source</b>: the credit scheduler's parameters.</summary>
/// <param name="Weight">Relative to the other domains'; 1 to 65535.</param>
/// <param name="Cap">The most it gets. <b>Units</b>: percent of one processor; 0 is no limit.</param>
public sealed record DomainShare(int Weight, int Cap);

/// <summary>How a vCPU stands, one line of <c>xm vcpu-list</c>.</summary>
/// <param name="Number">Its number.</param>
/// <param name="IsOnline">It is up.</param>
/// <param name="IsRunning">It is on a physical CPU at this moment.</param>
/// <param name="IsBlocked">It waits for an event.</param>
/// <param name="IsPaused">Its domain is paused.</param>
/// <param name="Cpu">The physical CPU that it is on, or was on last; null if it is not up.</param>
/// <param name="CpuTime">Time that it has run.</param>
/// <param name="Affinity">The physical CPUs of this machine that it may run on, by number; null for any.</param>
public sealed record VcpuStatus(
    int Number, bool IsOnline, bool IsRunning, bool IsBlocked, bool IsPaused, int? Cpu, TimeSpan CpuTime, IReadOnlyList<int>? Affinity)
{
    /// <summary>The three letters of <c>xm vcpu-list</c>: r runs, b waits for an event, p is down or paused.</summary>
    public string Letters => !IsOnline ? "--p" : (IsRunning ? "r" : "-") + (IsBlocked ? "b" : "-") + (IsPaused ? "p" : "-");
}
