using Xen.Abi;

namespace Xen.Core;

/// <summary>How a domain is held, stopped and ended.</summary>
public sealed partial class Domain
{
    private int _endReported;

    /// <summary>Whether it has been shut down: none of its vCPUs runs any more, or will soon not run.</summary>
    public bool IsShutDown { get; private set; }

    /// <summary>Why it was shut down.</summary>
    public ShutdownReason ShutdownReason { get; private set; }

    /// <summary>It is being destroyed, or is gone.</summary>
    public bool IsDying { get; private set; }

    /// <summary>How often it was paused and not yet unpaused. A new domain has one. Guarded by the scheduler's lock.</summary>
    public int PauseCount { get; private set; } = 1;

    /// <summary>A reason that a later shutdown reports instead of its own (SCHEDOP_shutdown_code).</summary>
    internal ShutdownReason? LatchedReason { get; set; }

    /// <summary>Guards what happens once to a vCPU: its first state, the place of its vcpu_info. Before <see cref="PagingLock"/> in the lock order.</summary>
    internal Lock LifecycleLock { get; } = new();

    /// <summary>Somebody destroys it. Guarded by the machine's lock of domains.</summary>
    internal bool IsDestroying { get; set; }

    /// <summary>Its share of the processors.</summary>
    internal CreditAccount Credit { get; } = new();

    /// <summary>Its watchdogs.</summary>
    internal DomainWatchdogs Watchdogs { get; }

    /// <summary>Whether something holds all its vCPUs. Under the scheduler's lock.</summary>
    internal bool IsHeld => PauseCount != 0 || IsShutDown || IsDying;

    /// <summary>Stops its vCPUs until <see cref="Unpause"/>, as often as it was paused. When it comes back no vCPU runs; but one that calls is on its way out.</summary>
    public void Pause()
    {
        _ = Machine.Scheduler.Change(this, static domain => domain.PauseCount++);
        Machine.Scheduler.WaitUntilStopped(this);
    }

    /// <summary>Undoes one <see cref="Pause"/>, or starts a new domain.</summary>
    /// <returns>False when it was not paused.</returns>
    public bool Unpause()
    {
        bool paused = false;
        _ = Machine.Scheduler.Change(this, domain =>
        {
            paused = domain.PauseCount > 0;
            domain.PauseCount -= paused ? 1 : 0;
        });
        return paused;
    }

    /// <summary>
    /// Shuts the domain down: its vCPUs stop for good, its memory stays until it is destroyed. The first reason stays. Any thread; returns at once.
    /// <see cref="Machine.DomainShutdown"/> follows when the last vCPU has stopped.
    /// </summary>
    public void Shutdown(ShutdownReason reason)
    {
        bool stopped = Machine.Scheduler.Change(this, domain =>
        {
            if (domain.IsShutDown)
                return;
            domain.IsShutDown = true;
            domain.ShutdownReason = domain.LatchedReason ?? reason;
        });
        if (stopped)
            OnAllStopped();
    }

    /// <summary>Stops everything and gives all resources back. The domain's number is free afterwards.</summary>
    internal void Destroy()
    {
        _ = Machine.Scheduler.Change(this, static domain => domain.IsDying = true);
        Machine.Scheduler.WaitUntilStopped(this);
        foreach (Vcpu vcpu in _vcpus)
            vcpu.CancelTimers();
        Watchdogs.Cancel();
        Events.Shut();
        ReleaseMemory();
        Machine.Scheduler.Remove(this);
        foreach (Vcpu vcpu in _vcpus)
            (vcpu.Engine as IDisposable)?.Dispose();
        Machine.Log.Forget(Id);
    }

    /// <summary>The domain is shut down and its last vCPU has left its processor. No lock is held.</summary>
    internal void OnAllStopped()
    {
        if (Interlocked.Exchange(ref _endReported, 1) == 0)
            Machine.ReportShutdown(this);
    }
}
