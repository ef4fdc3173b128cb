namespace Xen.Core;

/// <summary>
/// Xen's credit scheduler as pure bookkeeping: run queues, priorities, credits. No threads and no clock: whoever calls says what time it is.
/// </summary>
/// <remarks>
/// Each domain gets credits by its weight every 30 ms; running costs 10 credits per ms. Who has credits left (UNDER) goes before who
/// has not (OVER); who is woken with credits left goes before both (BOOST), for at most a tick. Each processor has a run queue; one
/// that would run somebody OVER, or nobody, looks first for somebody better in the queues of the others. Guarded by the scheduler's lock.
/// </remarks>
internal sealed class CreditScheduler
{
    /// <summary>How long one runs before the next gets its turn. <b>Units</b>: ns.</summary>
    public const ulong Slice = 30_000_000;

    /// <summary>How long a boost lasts. <b>Units</b>: ns.</summary>
    public const ulong Tick = 10_000_000;

    /// <summary>Time that one credit buys. <b>Units</b>: ns.</summary>
    public const ulong CreditTime = 100_000;

    /// <summary>Credits that one processor hands out per accounting period, which is a <see cref="Slice"/>.</summary>
    public const int CreditsPerSlice = (int)(Slice / CreditTime);

    /// <summary>Periods that are handed out at once at most: a machine that was idle begins anew.</summary>
    private const double MostPeriods = 10;

    private readonly List<CreditEntry>[] _queues;
    private readonly CreditEntry?[] _running;
    private readonly List<CreditAccount> _accounts = [];
    private readonly CreditShares _shares;
    private ulong _nextAccounting, _lastAccounting;

    public CreditScheduler(int cpuCount)
    {
        _queues = new List<CreditEntry>[cpuCount];
        for (int i = 0; i < cpuCount; i++)
            _queues[i] = [];
        _running = new CreditEntry?[cpuCount];
        _shares = new CreditShares(cpuCount);
    }

    public int CpuCount => _queues.Length;

    /// <summary>When the next accounting is due. <b>Units</b>: ns.</summary>
    public ulong NextAccounting => _nextAccounting;

    /// <summary>Whether somebody waits for the accounting to be allowed to run again.</summary>
    public bool HasParked
    {
        get
        {
            foreach (List<CreditEntry> queue in _queues)
            {
                foreach (CreditEntry entry in queue)
                {
                    if (entry.IsParked)
                        return true;
                }
            }

            return false;
        }
    }

    public void Add(CreditAccount account) => _accounts.Add(account);

    public void Remove(CreditAccount account) => _accounts.Remove(account);

    /// <summary>What runs on a CPU.</summary>
    public CreditEntry? Running(int cpu) => _running[cpu];

    /// <summary>Puts somebody who has become runnable into a run queue.</summary>
    /// <param name="entry">Neither queued nor running.</param>
    /// <param name="boost">It was woken by an event, so that it is to run soon.</param>
    /// <returns>The CPU that has to think again, or -1: it is idle or runs somebody less urgent.</returns>
    public int Enqueue(CreditEntry entry, bool boost)
    {
        if (boost && entry is { Priority: CreditPriority.Under, IsParked: false })
            entry.Priority = CreditPriority.Boost;
        int cpu = ChooseCpu(entry);
        Insert(entry, cpu);
        if (entry.IsParked)
            return -1;
        if (_running[cpu] is not { } current)
            return cpu;
        return entry.Priority > current.Priority ? cpu : -1;
    }

    /// <summary>Takes somebody out of its run queue who is no longer runnable.</summary>
    public void Dequeue(CreditEntry entry)
    {
        if (!entry.IsQueued)
            return;
        _queues[entry.Cpu].Remove(entry);
        entry.IsQueued = false;
    }

    /// <summary>Takes the CPU from who runs there and charges its time. It is queued again only by <see cref="Requeue"/>.</summary>
    public void Stop(int cpu, ulong now)
    {
        if (_running[cpu] is not { } entry)
            return;
        Charge(entry, now);
        entry.IsRunning = false;
        _running[cpu] = null;
    }

    /// <summary>Queues who has just been stopped and can go on. Returns the CPU whose queue it is.</summary>
    public int Requeue(CreditEntry entry, int cpu)
    {
        Insert(entry, entry.Affinity.Contains(cpu) ? cpu : ChooseCpu(entry));
        return entry.Cpu;
    }

    /// <summary>Chooses who runs on a CPU, whose previous one was stopped. Null: nobody.</summary>
    public CreditEntry? PickNext(int cpu, ulong now)
    {
        AccountIfDue(now);
        CreditEntry? best = FirstRunnable(cpu, cpu);
        if (best is null || RankOf(best) <= (int)CreditPriority.Over)
            best = Steal(cpu, best) ?? best;
        if (best is null)
            return null;
        Dequeue(best);
        best.Cpu = cpu;
        best.IsRunning = true;
        best.HasYielded = false;
        best.ChargedUntil = now;
        _running[cpu] = best;
        return best;
    }

    /// <summary>How long who runs on a CPU may go on before <see cref="PickNext"/> is asked again. <b>Units</b>: ns.</summary>
    public static ulong SliceOf(CreditEntry entry) =>
        entry.Priority == CreditPriority.Boost || entry.Account.Cap != 0 ? Tick : Slice;

    /// <summary>Charges the time of who runs, so that its figures are up to date.</summary>
    public static void Charge(CreditEntry entry, ulong now)
    {
        ulong used = entry.Unburnt + (now > entry.ChargedUntil ? now - entry.ChargedUntil : 0);
        entry.ChargedUntil = now;
        int credits = (int)Math.Min(used / CreditTime, CreditsPerSlice * 100ul);
        entry.Unburnt = used % CreditTime;
        entry.Credits -= credits;
        if (used == 0)
            return;
        entry.IsActive = true;
        if (entry.Priority == CreditPriority.Boost && credits >= (int)(Tick / CreditTime))
            entry.Priority = CreditPriority.Under;
    }

    /// <summary>Hands out the credits of a period when it has ended.</summary>
    public void AccountIfDue(ulong now)
    {
        if (now < _nextAccounting)
            return;

        // A busy host is late; what is handed out is for the time that has passed, or everybody would be in debt, and equal in that.
        double periods = Math.Clamp((now - _lastAccounting) / (double)Slice, 1, MostPeriods);
        _lastAccounting = now;
        _nextAccounting = now + Slice;
        foreach (CreditEntry? entry in _running)
        {
            if (entry is not null)
                Charge(entry, now);
        }

        _shares.Compute(_accounts);
        foreach (CreditAccount account in _accounts)
            Apply(account, periods);
    }

    /// <param name="account">Who is given its grants.</param>
    /// <param name="periods">How many periods they are for.</param>
    private static void Apply(CreditAccount account, double periods)
    {
        if (account.ActiveCount == 0)
            return;
        int debt = (int)((account.Cap != 0 ? account.CapCredits / account.ActiveCount : CreditsPerSlice) * periods);
        foreach (CreditEntry entry in account.Entries)
        {
            if (!entry.IsActive)
                continue;
            entry.Credits += (int)Math.Ceiling(entry.Grant * periods);
            if (entry.Credits < 0)
            {
                entry.Priority = CreditPriority.Over;
                if (account.Cap == 0)
                    entry.Credits = Math.Max(entry.Credits, -debt);
                else if (entry.Credits < -debt)
                    entry.IsParked = true;
            }
            else
            {
                if (entry.Priority == CreditPriority.Over)
                    entry.Priority = CreditPriority.Under;
                entry.IsParked = false;
                if (entry.Credits > CreditsPerSlice * periods)
                {
                    // It does not use what it gets: the others can have it.
                    entry.Credits = CreditsPerSlice / 2;
                    entry.IsActive = false;
                }
            }
        }
    }

    private void Insert(CreditEntry entry, int cpu)
    {
        _queues[cpu].Add(entry);
        entry.Cpu = cpu;
        entry.IsQueued = true;
    }

    /// <summary>The first of the highest rank in a queue that may run on a CPU, or null.</summary>
    private CreditEntry? FirstRunnable(int queue, int cpu)
    {
        CreditEntry? best = null;
        foreach (CreditEntry entry in _queues[queue])
        {
            if (!entry.IsParked && entry.Affinity.Contains(cpu) && (best is null || RankOf(entry) > RankOf(best)))
                best = entry;
        }

        return best;
    }

    /// <summary>Priority, but behind everybody for who has yielded.</summary>
    private static int RankOf(CreditEntry entry) => entry.HasYielded ? -1 : (int)entry.Priority;

    /// <summary>Somebody better than <paramref name="own"/> in the queues of other CPUs, or null.</summary>
    private CreditEntry? Steal(int cpu, CreditEntry? own)
    {
        CreditEntry? best = null;
        int least = own is null ? int.MinValue : RankOf(own);
        for (int i = 1; i < CpuCount; i++)
        {
            int other = (cpu + i) % CpuCount;
            if (FirstRunnable(other, cpu) is { } entry && RankOf(entry) > least)
            {
                best = entry;
                least = RankOf(entry);
            }
        }

        return best;
    }

    /// <summary>The CPU it was on if that is idle, else any idle one, else the one with the shortest queue.</summary>
    private int ChooseCpu(CreditEntry entry)
    {
        int best = 0;
        int shortest = int.MaxValue;
        for (int i = 0; i < CpuCount; i++)
        {
            int cpu = (entry.Cpu + i) % CpuCount;
            if (!entry.Affinity.Contains(cpu))
                continue;
            int length = _queues[cpu].Count + (_running[cpu] is null ? 0 : 1);
            if (length < shortest)
            {
                shortest = length;
                best = cpu;
            }
        }

        return best;
    }
}
