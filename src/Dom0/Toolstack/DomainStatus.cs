namespace Xen.Toolstack;

/// <summary>Why a guest stopped. <b>Source</b>: sched.h, SHUTDOWN_.</summary>
public enum ShutdownReason
{
    Poweroff = 0,
    Reboot = 1,
    Suspend = 2,
    Crash = 3,
    Watchdog = 4,
    SoftReset = 5,
}

/// <summary>How a domain's life ended.</summary>
/// <param name="Reason">The reason of its last shutdown; <see cref="ShutdownReason.Poweroff"/> if it was destroyed.</param>
/// <param name="Destroyed">It was ended from outside.</param>
/// <param name="Report">For a crash: reason, registers and the last trace events, lines for a person; else empty.</param>
public sealed record DomainOutcome(ShutdownReason Reason, bool Destroyed, string Report);

/// <summary>One line of <c>xm list</c>.</summary>
/// <param name="MemoryMiB">Memory that the domain owns. <b>Units</b>: MiB.</param>
/// <param name="OnlineVcpus">vCPUs that are up.</param>
/// <param name="State">What it is doing.</param>
/// <param name="CpuTime">Time its vCPUs have run, summed.</param>
public sealed record DomainStatus(int MemoryMiB, int OnlineVcpus, DomainState State, TimeSpan CpuTime)
{
    /// <summary>xm's six columns: running, blocked, paused, shut down, crashed, dying; '-' where not.</summary>
    public string Letters => string.Concat("rbpscd".Select((letter, bit) => ((int)State & (1 << bit)) != 0 ? letter : '-'));

    /// <summary>The state in a word, for <c>xm domstate</c>: dying, crashed, shutdown, paused, idle (all its vCPUs wait for events), running, or no state.</summary>
    public string StateText => State switch
    {
        _ when State.HasFlag(DomainState.Dying) => "dying",
        _ when State.HasFlag(DomainState.Crashed) => "crashed",
        _ when State.HasFlag(DomainState.Shutdown) => "shutdown",
        _ when State.HasFlag(DomainState.Paused) => "paused",
        _ when State.HasFlag(DomainState.Blocked) => "idle",
        _ when State.HasFlag(DomainState.Running) => "running",
        _ => "no state",
    };
}

/// <summary>The state columns of <c>xm list</c>: r b p s c d, several may be set.</summary>
[Flags]
public enum DomainState
{
    None = 0,
    Running = 1,
    Blocked = 2,
    Paused = 4,
    Shutdown = 8,
    Crashed = 16,
    Dying = 32,
}
