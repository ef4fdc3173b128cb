namespace Xen.Core;

/// <summary>
/// Who gets how much of a period: by the domains' weights, as far as each can use it. A level rises, and with it every vCPU's grant, in proportion to its
/// share of its domain's weight; where something is used up (a processor by one vCPU, a set of processors by those that may run nowhere else, a
/// domain's cap) those concerned stay, and the others go on (weighted max-min fairness).
/// </summary>
/// <remarks>
/// So vCPUs that are pinned to one processor share that one by their weights, whatever the others do; Xen's own shares the machine, and they would
/// share equally. Exact where sets of processors are equal, apart, or within one another; where they overlap otherwise the grants may be
/// more than can be used, and the run queues decide. Guarded by the scheduler's lock.
/// </remarks>
internal sealed class CreditShares
{
    /// <summary>Two levels that are that close are the same.</summary>
    private const double Same = 1 + 1e-9;

    private readonly CpuSet _machine;

    /// <summary>Those whose grant still rises, and all of a period.</summary>
    private readonly List<CreditEntry> _rising = [], _all = [];
    private readonly List<CpuSet> _sets = [];

    public CreditShares(int cpuCount) => _machine = CpuSet.First(cpuCount);

    /// <summary>Sets <see cref="CreditEntry.Grant"/> of every vCPU that is active.</summary>
    public void Compute(List<CreditAccount> accounts)
    {
        Collect(accounts);
        while (_rising.Count > 0)
        {
            double level = double.MaxValue;
            foreach (CreditEntry entry in _rising)
                level = Math.Min(level, CreditScheduler.CreditsPerSlice / entry.Weight);
            foreach (CpuSet set in _sets)
                level = Math.Min(level, LevelOf(set));
            foreach (CreditAccount account in accounts)
                level = Math.Min(level, LevelOf(account));
            Stop(Math.Max(level, 0));
        }
    }

    private void Collect(List<CreditAccount> accounts)
    {
        _all.Clear();
        _rising.Clear();
        _sets.Clear();
        _sets.Add(_machine);
        foreach (CreditAccount account in accounts)
        {
            account.ActiveCount = account.Entries.Count(static entry => entry.IsActive);
            foreach (CreditEntry entry in account.Entries)
            {
                entry.Grant = 0;
                if (!entry.IsActive)
                    continue;
                entry.Weight = (double)account.Weight / account.ActiveCount;
                _all.Add(entry);
                _rising.Add(entry);
                CpuSet set = entry.Affinity.Intersect(_machine);
                if (!_sets.Contains(set))
                    _sets.Add(set);
            }
        }
    }

    /// <summary>Where the level stands when a set of processors is used up; endless if nobody's rises who is bound to it.</summary>
    private double LevelOf(CpuSet set)
    {
        double room = set.Count * CreditScheduler.CreditsPerSlice, weight = 0;
        foreach (CreditEntry entry in _all)
        {
            if (entry.Affinity.Intersect(_machine).Intersect(set) != entry.Affinity.Intersect(_machine))
                continue;
            if (entry.Grant == 0)
                weight += entry.Weight;
            else
                room -= entry.Grant;
        }

        return weight > 0 ? room / weight : double.MaxValue;
    }

    /// <summary>Where the level stands when a domain has what its cap allows; endless if it has none, or nobody's rises.</summary>
    private static double LevelOf(CreditAccount account)
    {
        if (account.Cap == 0)
            return double.MaxValue;
        double room = account.CapCredits, weight = 0;
        foreach (CreditEntry entry in account.Entries)
        {
            if (!entry.IsActive)
                continue;
            if (entry.Grant == 0)
                weight += entry.Weight;
            else
                room -= entry.Grant;
        }

        return weight > 0 ? room / weight : double.MaxValue;
    }

    /// <summary>Ends the rise of those for whom it ends at this level: at least one.</summary>
    private void Stop(double level)
    {
        // Judged before any of them is changed.
        double most = level * Same;
        foreach (CreditEntry entry in _rising)
            entry.IsStopped = CreditScheduler.CreditsPerSlice / entry.Weight <= most || LevelOf(entry.Account) <= most;
        foreach (CpuSet set in _sets)
        {
            if (LevelOf(set) > most)
                continue;
            foreach (CreditEntry entry in _rising)
                entry.IsStopped |= entry.Affinity.Intersect(_machine).Intersect(set) == entry.Affinity.Intersect(_machine);
        }

        foreach (CreditEntry entry in _rising)
        {
            if (entry.IsStopped)
                entry.Grant = Math.Max(1, (int)Math.Round(level * entry.Weight));
        }

        _rising.RemoveAll(static entry => entry.IsStopped);
    }
}
