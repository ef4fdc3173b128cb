namespace Xen.Core;

/// <summary>A timer: calls back once at its deadline, on the machine's timer thread, without locks; it must be quick. Any thread sets and cancels it.</summary>
internal sealed class MachineTimer
{
    private readonly TimerQueue _queue;

    public MachineTimer(TimerQueue queue, Action elapsed)
    {
        _queue = queue;
        Elapsed = elapsed;
    }

    /// <summary>What to do.</summary>
    public Action Elapsed { get; }

    /// <summary>When. Guarded by the queue's lock. <b>Units</b>: ns of the machine's clock.</summary>
    public ulong Deadline { get; set; }

    /// <summary>Place in the queue's heap, or -1. Guarded by the queue's lock.</summary>
    public int Position { get; set; } = -1;

    /// <summary>Whether it is set; another thread may change that at any time.</summary>
    public bool IsSet => Position >= 0;

    /// <summary>Sets or moves the deadline; one that has passed elapses at once, still on the timer thread.</summary>
    public void Set(ulong deadline) => _queue.Set(this, deadline);

    /// <summary>Takes the deadline away. A call that is under way is not waited for.</summary>
    public void Cancel()
    {
        if (IsSet)
            _queue.Cancel(this);
    }
}
