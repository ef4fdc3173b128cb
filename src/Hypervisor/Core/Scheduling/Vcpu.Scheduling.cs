using Xen.Abi;

namespace Xen.Core;

/// <summary>The vCPU as the scheduler sees it.</summary>
public sealed partial class Vcpu
{
    /// <summary>Value of <see cref="PollPort"/>: no poll.</summary>
    internal const int NotPolling = -1;

    /// <summary>Value of <see cref="PollPort"/>: polls several ports, or only the time.</summary>
    internal const int PollsSeveral = 0;

    private bool _isBlocked;
    private bool _mustLeave;
    private int _pollPort = NotPolling;

    /// <summary>Whether it is up, so that it runs when it has something to do.</summary>
    public bool IsUp => !IsDown;

    /// <summary>Whether it has been given its first registers.</summary>
    public bool IsInitialised { get; internal set; }

    /// <summary>Its credits, and where it is.</summary>
    internal CreditEntry Credit { get; }

    /// <summary>How it has spent its time. Guarded by the scheduler's lock.</summary>
    internal RunstateClock Runstate { get; }

    /// <summary>Waits for an event. Written under the scheduler's lock.</summary>
    internal bool IsBlocked
    {
        get => Volatile.Read(ref _isBlocked);
        set => Volatile.Write(ref _isBlocked, value);
    }

    /// <summary>Has not been brought up, or has been brought down. Written under the scheduler's lock.</summary>
    internal bool IsDown { get; set; } = true;

    /// <summary>Has to make room for somebody more urgent. Guarded by the scheduler's lock.</summary>
    internal bool IsPreempted { get; set; }

    /// <summary>Has to leave its processor. Written under the scheduler's lock, before a kick.</summary>
    internal bool MustLeave
    {
        get => Volatile.Read(ref _mustLeave);
        set => Volatile.Write(ref _mustLeave, value);
    }

    /// <summary>The port that it polls while blocked, or one of the constants above.</summary>
    internal int PollPort
    {
        get => Volatile.Read(ref _pollPort);
        set => Volatile.Write(ref _pollPort, value);
    }

    /// <summary>Whether nothing stands against its running. Under the scheduler's lock.</summary>
    internal bool IsRunnable => !IsBlocked && !IsDown && !Domain.IsHeld;

    private Scheduler Scheduler => Domain.Machine.Scheduler;

    /// <summary>
    /// Wakes the vCPU if it has blocked, with a boost; makes it look at its events soon if it runs. Any thread, the event lock may be held;
    /// call it after the pending bits are set.
    /// </summary>
    public void Wake()
    {
        State.Kick();
        if (IsBlocked)
            Scheduler.Unblock(this, boost: true);
    }

    /// <summary>Waits for an event from now on (SCHEDOP_block, hlt): unmasks events, and blocks unless one is due. On its own thread, which comes back soon.</summary>
    internal void Block()
    {
        PollTimer.Cancel();
        Info.UpcallMask = false;
        Scheduler.Block(this);
        if (HasPendingUpcall || IsNmiPending)
            Scheduler.Unblock(this, boost: false);
    }

    /// <summary>Lets other vCPUs go first (SCHEDOP_yield).</summary>
    internal void Yield() => Scheduler.Yield(this);

    /// <summary>Waits from now on until one of the ports is pending, or a time has come (SCHEDOP_poll).</summary>
    /// <param name="ports">The ports, already known to be valid.</param>
    /// <param name="deadline">When to stop; 0 is never. <b>Units</b>: ns of the machine's clock.</param>
    internal void Poll(ReadOnlySpan<EvtchnPort> ports, ulong deadline)
    {
        PollTimer.Cancel();
        PollPort = ports.Length == 1 ? (int)ports[0].Value : PollsSeveral;
        Scheduler.Block(this);
        bool ready = HasPendingUpcall || IsNmiPending;
        foreach (EvtchnPort port in ports)
            ready |= Domain.Events.IsPending(port);
        if (ready)
            Scheduler.Unblock(this, boost: false);
        else if (deadline != 0)
            PollTimer.Set(deadline);
    }

    /// <summary>Brings it up. False when it was never initialised.</summary>
    internal bool BringUp()
    {
        if (!IsInitialised)
            return false;
        Scheduler.Change(this, static vcpu => vcpu.IsDown = false);
        return true;
    }

    /// <summary>Takes it down; it may run a little longer when another thread runs it.</summary>
    internal void TakeDown() => Scheduler.Change(this, static vcpu => vcpu.IsDown = true);

    /// <summary>Allows it only some physical CPUs (hard affinity).</summary>
    /// <returns>False when the machine has none of them.</returns>
    internal bool SetAffinity(CpuSet cpus)
    {
        if (cpus.Intersect(CpuSet.First(Scheduler.CpuCount)).IsEmpty)
            return false;
        Scheduler.Move(this, cpus);
        return true;
    }
}
