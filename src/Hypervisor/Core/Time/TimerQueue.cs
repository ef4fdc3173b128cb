namespace Xen.Core;

/// <summary>All timers of a machine, by deadline: a binary heap. Has no thread of its own: see <see cref="TimerThread"/>.</summary>
/// <remarks>The lock is innermost. Order among equal deadlines is not defined.</remarks>
internal sealed class TimerQueue
{
    private readonly Lock _lock = new();
    private readonly List<MachineTimer> _heap = [];

    /// <summary>
    /// When who calls <see cref="RunDue"/> will do so again at the latest. Timers that are set and cancelled all the time, as a vCPU's are whenever it gets
    /// and leaves its processor, do not wake it: only a deadline before this one does. Guarded by the lock. <b>Units</b>: ns.
    /// </summary>
    private ulong _awaited = ulong.MaxValue;

    /// <summary>Called without the lock when there is a deadline earlier than what <see cref="RunDue"/> has returned, or was told of by an earlier call.</summary>
    public Action? Advanced { get; set; }

    /// <summary>The earliest deadline; <see cref="ulong.MaxValue"/> when there is none. <b>Units</b>: ns.</summary>
    public ulong NextDeadline
    {
        get
        {
            lock (_lock)
                return _heap.Count == 0 ? ulong.MaxValue : _heap[0].Deadline;
        }
    }

    public void Set(MachineTimer timer, ulong deadline)
    {
        bool first;
        lock (_lock)
        {
            timer.Deadline = deadline;
            if (timer.Position < 0)
            {
                timer.Position = _heap.Count;
                _heap.Add(timer);
            }

            Down(Up(timer.Position));
            first = deadline < _awaited;
            if (first)
                _awaited = deadline;
        }

        if (first)
            Advanced?.Invoke();
    }

    public void Cancel(MachineTimer timer)
    {
        lock (_lock)
            Remove(timer);
    }

    /// <summary>Calls all timers whose deadline has come, the earliest first.</summary>
    /// <param name="now">The time.</param>
    /// <returns>The next deadline, or <see cref="ulong.MaxValue"/>: when to call again.</returns>
    public ulong RunDue(ulong now)
    {
        while (true)
        {
            MachineTimer timer;
            lock (_lock)
            {
                _awaited = _heap.Count == 0 ? ulong.MaxValue : _heap[0].Deadline;
                if (_awaited > now)
                    return _awaited;
                timer = _heap[0];
                Remove(timer);
            }

            timer.Elapsed();
        }
    }

    private void Remove(MachineTimer timer)
    {
        int hole = timer.Position;
        if (hole < 0)
            return;
        timer.Position = -1;
        MachineTimer last = _heap[^1];
        _heap.RemoveAt(_heap.Count - 1);
        if (last == timer)
            return;
        Place(last, hole);
        Down(Up(hole));
    }

    private int Up(int position)
    {
        MachineTimer timer = _heap[position];
        while (position > 0)
        {
            int parent = (position - 1) / 2;
            if (_heap[parent].Deadline <= timer.Deadline)
                break;
            Place(_heap[parent], position);
            position = parent;
        }

        Place(timer, position);
        return position;
    }

    private void Down(int position)
    {
        MachineTimer timer = _heap[position];
        while (true)
        {
            int child = (position * 2) + 1;
            if (child >= _heap.Count)
                break;
            if (child + 1 < _heap.Count && _heap[child + 1].Deadline < _heap[child].Deadline)
                child++;
            if (_heap[child].Deadline >= timer.Deadline)
                break;
            Place(_heap[child], position);
            position = child;
        }

        Place(timer, position);
    }

    private void Place(MachineTimer timer, int position)
    {
        _heap[position] = timer;
        timer.Position = position;
    }
}
