namespace Xen.Core;

/// <summary>
/// Who gets how much of a period: by the domains' weights, as far as each can use it. A level rises, and with it every vCPU's grant, in proportion to its
/// share of its domain's weight; where something is used up (a processor by one vCPU, a set of processors by those that may run nowhere else, a
/// domain's cap) those concerned stay, and the others go on (weighted max-min fairness).
/// </summary>
/// <remarks>
/// So vCPUs that are pinned to one processor share that one by their weights, whatever the others do; Xen's own shares the machine, and they would
/// share equally. Exact where sets of processors are equal, apart, or within one another; where they overlap otherwise the grants may be
/// more than can be used, and the run queues decide. Guarded by the scheduler's lock, so it is quick: what is left of each set and of each cap is kept up to
/// date and never summed anew, and only sets that can be used up, and domains bound to them, take part.
/// </remarks>
internal sealed class CreditShares
{
    /// <summary>Two levels that are that close are the same.</summary>
    private const double Same = 1 + 1e-9;

    private readonly CpuSet _machine;

    /// <summary>The sets of this period by their bits, the machine first, and those to use in it again.</summary>
    private readonly Dictionary<ulong, CreditShareSet> _byBits = [];
    private readonly List<CreditShareSet> _pool = [], _sets = [];

    /// <summary>Sets that can be used up, and domains bound to one, while somebody of theirs rises.</summary>
    private readonly List<CreditShareSet> _contended = [];
    private readonly List<CreditAccount> _rising = [];

    /// <summary>Those who stop at this level.</summary>
    private readonly List<CreditEntry> _stopping = [];

    public CreditShares(int cpuCount) => _machine = CpuSet.First(cpuCount);

    /// <summary>Sets <see cref="CreditEntry.Grant"/> of every vCPU that is active.</summary>
    public void Compute(List<CreditAccount> accounts)
    {
        Collect(accounts);
        FindContended();
        SettleFree(accounts);
        while (_rising.Count > 0)
        {
            double level = double.MaxValue;
            foreach (CreditAccount account in _rising)
                level = Math.Min(level, account.Level);
            foreach (CreditShareSet set in _contended)
                level = Math.Min(level, set.Level);
            Stop(Math.Max(level, 0));
            _rising.RemoveAll(static account => account.RisingCount == 0);
            _contended.RemoveAll(static set => set.RisingCount == 0);
        }
    }

    private void Collect(List<CreditAccount> accounts)
    {
        _byBits.Clear();
        _sets.Clear();
        SetOf(_machine);
        foreach (CreditAccount account in accounts)
        {
            int active = 0;
            foreach (CreditEntry entry in account.Entries)
                active += entry.IsActive ? 1 : 0;
            account.ActiveCount = account.RisingCount = active;
            account.Room = account.CapCredits;
            account.EntryWeight = (double)account.Weight / active;
            long most = account.Cap == 0 ? CreditScheduler.CreditsPerSlice : Math.Min(CreditScheduler.CreditsPerSlice, account.CapCredits + 1L);
            foreach (CreditEntry entry in account.Entries)
            {
                entry.Grant = 0;
                entry.IsStopped = !entry.IsActive;
                if (!entry.IsActive)
                    continue;
                CreditShareSet set = SetOf(entry.Affinity.Intersect(_machine));
                entry.Set = set;
                set.Entries.Add(entry);
                set.Demand += most;
            }
        }
    }

    private CreditShareSet SetOf(CpuSet cpus)
    {
        if (_byBits.TryGetValue(cpus.Bits, out CreditShareSet? set))
            return set;
        if (_sets.Count == _pool.Count)
            _pool.Add(new CreditShareSet());
        set = _pool[_sets.Count];
        set.Reset(cpus);
        _sets.Add(set);
        _byBits.Add(cpus.Bits, set);
        return set;
    }

    /// <summary>Finds the sets whose vCPUs can use more than there is; all others always have room.</summary>
    private void FindContended()
    {
        _contended.Clear();
        foreach (CreditShareSet set in _sets)
        {
            long demand = 0;
            foreach (CreditShareSet other in _sets)
                demand += other.Cpus.Intersect(set.Cpus) == other.Cpus ? other.Demand : 0;
            if (demand <= set.Room)
                continue;
            _contended.Add(set);
            foreach (CreditShareSet other in _sets)
            {
                if (other.Entries.Count == 0 || other.Cpus.Intersect(set.Cpus) != other.Cpus)
                    continue;
                set.Within.Add(other);
                other.Around.Add(set);
            }
        }
    }

    /// <summary>Domains that are bound to no set that can be used up get what they can use at once; the others rise.</summary>
    private void SettleFree(List<CreditAccount> accounts)
    {
        _rising.Clear();
        foreach (CreditAccount account in accounts)
        {
            if (account.RisingCount == 0)
                continue;
            if (IsFree(account))
            {
                int grant = GrantAt(account.Level, account);
                foreach (CreditEntry entry in account.Entries)
                    entry.Grant = entry.IsActive ? grant : 0;
                continue;
            }

            _rising.Add(account);
            foreach (CreditEntry entry in account.Entries)
            {
                if (!entry.IsActive)
                    continue;
                foreach (CreditShareSet set in entry.Set!.Around)
                {
                    set.RisingCount++;
                    set.RisingWeight += account.EntryWeight;
                }
            }
        }
    }

    private static bool IsFree(CreditAccount account)
    {
        foreach (CreditEntry entry in account.Entries)
        {
            if (entry.IsActive && entry.Set!.Around.Count > 0)
                return false;
        }

        return true;
    }

    /// <summary>Ends the rise of those for whom it ends at this level: at least one.</summary>
    private void Stop(double level)
    {
        // Judged before any of them is changed.
        double most = level * Same;
        _stopping.Clear();
        foreach (CreditAccount account in _rising)
        {
            if (account.Level <= most)
                StopAll(account.Entries);
        }

        foreach (CreditShareSet set in _contended)
        {
            if (set.Level > most)
                continue;
            foreach (CreditShareSet within in set.Within)
                StopAll(within.Entries);
        }

        foreach (CreditEntry entry in _stopping)
            Settle(entry, GrantAt(level, entry.Account));
    }

    private void StopAll(List<CreditEntry> entries)
    {
        foreach (CreditEntry entry in entries)
        {
            if (entry.IsStopped)
                continue;
            entry.IsStopped = true;
            _stopping.Add(entry);
        }
    }

    /// <summary>A whole number of credits. What is a half but for an error of arithmetic is a half: the order of sums does not count.</summary>
    private static int GrantAt(double level, CreditAccount account) => Math.Max(1, (int)Math.Round(Math.Round(level * account.EntryWeight, 6)));

    /// <summary>Takes what somebody gets from what it is bound by.</summary>
    private static void Settle(CreditEntry entry, int grant)
    {
        CreditAccount account = entry.Account;
        entry.Grant = grant;
        account.Room -= grant;
        account.RisingCount--;
        foreach (CreditShareSet set in entry.Set!.Around)
        {
            set.Room -= grant;
            set.RisingCount--;
            set.RisingWeight -= account.EntryWeight;
        }
    }
}
