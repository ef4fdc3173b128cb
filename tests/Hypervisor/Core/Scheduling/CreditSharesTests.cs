namespace Xen.Core.Tests.Scheduling;

/// <summary>The shares of a period, against the same rule computed with no care for speed.</summary>
public sealed class CreditSharesTests
{
    [Fact]
    public void Grants_AreThoseOfTheRuleAsItIsWritten()
    {
        var random = new Random(20);
        int contended = 0;
        for (int round = 0; round < 3000; round++)
        {
            int cpus = random.Next(1, 9) switch { 8 => CpuSet.MaxCpus, var few => few };
            List<CreditAccount> accounts = [.. Enumerable.Range(0, random.Next(1, 25)).Select(_ => RandomAccount(random, cpus))];
            var shares = new CreditShares(cpus);

            // What another period left behind must not count.
            if (round % 3 == 0)
                shares.Compute([.. accounts.Append(RandomAccount(random, cpus))]);
            shares.Compute(accounts);

            Dictionary<CreditEntry, int> expected = PlainShares.Compute(accounts, cpus);
            foreach (CreditEntry entry in accounts.SelectMany(static account => account.Entries))
                Assert.True(expected.GetValueOrDefault(entry) == entry.Grant, $"round {round}: {entry.Grant}, and not {expected.GetValueOrDefault(entry)}");
            contended += expected.Values.Sum() >= (cpus * CreditScheduler.CreditsPerSlice) - 100 ? 1 : 0;
        }

        // Both kinds of periods were among them.
        Assert.InRange(contended, 300, 2700);
    }

    [Fact]
    public void ThePeriod_AllocatesNothing_OnceItHasSeenSuchOnes()
    {
        var random = new Random(1);
        List<CreditAccount> accounts = [.. Enumerable.Range(0, 50).Select(_ => RandomAccount(random, 8))];
        var shares = new CreditShares(8);
        shares.Compute(accounts);
        shares.Compute(accounts);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++)
            shares.Compute(accounts);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static CreditAccount RandomAccount(Random random, int cpus)
    {
        var account = new CreditAccount
        {
            Weight = random.Next(4) == 0 ? random.Next(CreditAccount.MinWeight, CreditAccount.MaxWeight + 1) : 128 << random.Next(4),
            Cap = random.Next(2) == 0 ? 0 : random.Next(1, 250),
        };
        CpuSet ofAll = RandomSet(random, cpus);
        for (int i = random.Next(1, 5); i > 0; i--)
            _ = new CreditEntry(account, account) { IsActive = random.Next(5) != 0, Affinity = random.Next(3) == 0 ? RandomSet(random, cpus) : ofAll };
        return account;
    }

    private static CpuSet RandomSet(Random random, int cpus)
    {
        ulong machine = CpuSet.First(cpus).Bits, bits = (ulong)random.NextInt64() & (ulong)random.NextInt64();
        return random.Next(4) switch
        {
            0 => CpuSet.All,
            1 => CpuSet.Of(random.Next(cpus)),
            2 => new CpuSet(CpuSet.First(random.Next(1, cpus + 1)).Bits),
            _ => new CpuSet((bits & machine) == 0 ? 1 : bits),
        };
    }
}
