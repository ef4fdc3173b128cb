namespace Xen.Core.Tests.Scheduling;

/// <summary>The rule of <see cref="CreditShares"/> as it is written: everything is summed anew whenever the level is looked for.</summary>
internal static class PlainShares
{
    public static Dictionary<CreditEntry, int> Compute(List<CreditAccount> accounts, int cpus)
    {
        CpuSet machine = CpuSet.First(cpus);
        List<CreditEntry> all = [.. accounts.SelectMany(static account => account.Entries).Where(static entry => entry.IsActive)];
        CpuSet[] sets = [.. all.Select(SetOf).Append(machine).Distinct()];
        Dictionary<CreditEntry, int> grants = [];
        while (grants.Count < all.Count)
        {
            CreditEntry[] rising = [.. all.Where(entry => !grants.ContainsKey(entry))];
            double level = Math.Max(0, rising.Min(LevelOf));
            CreditEntry[] stopping = [.. rising.Where(entry => LevelOf(entry) <= level * (1 + 1e-9))];
            foreach (CreditEntry entry in stopping)
                grants[entry] = Math.Max(1, (int)Math.Round(Math.Round(level * WeightOf(entry), 6)));
        }

        return grants;

        CpuSet SetOf(CreditEntry entry) => entry.Affinity.Intersect(machine);

        double LevelOf(CreditEntry entry)
        {
            double level = CreditScheduler.CreditsPerSlice / WeightOf(entry);
            if (entry.Account.Cap != 0)
                level = Math.Min(level, LevelAt(entry.Account.CapCredits, all.Where(other => other.Account == entry.Account)));
            foreach (CpuSet set in sets.Where(set => IsWithin(SetOf(entry), set)))
                level = Math.Min(level, LevelAt(set.Count * CreditScheduler.CreditsPerSlice, all.Where(other => IsWithin(SetOf(other), set))));
            return level;
        }

        double LevelAt(int room, IEnumerable<CreditEntry> bound) =>
            (room - bound.Sum(entry => grants.GetValueOrDefault(entry))) / bound.Where(entry => !grants.ContainsKey(entry)).Sum(WeightOf);
    }

    private static bool IsWithin(CpuSet set, CpuSet other) => set.Intersect(other) == set;

    private static double WeightOf(CreditEntry entry) => (double)entry.Account.Weight / entry.Account.Entries.Count(static other => other.IsActive);
}
