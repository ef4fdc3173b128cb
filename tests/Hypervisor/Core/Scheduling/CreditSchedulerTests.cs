namespace Xen.Core.Tests.Scheduling;

/// <summary>The credit scheduler in simulated time.</summary>
public sealed class CreditSchedulerTests
{
    private const ulong Millisecond = 1_000_000;
    private const ulong Second = 1000 * Millisecond;

    [Fact]
    public void BusyDomains_ShareByWeight()
    {
        var world = new Simulation(1);
        CreditEntry heavy = world.AddBusy(weight: 512);
        CreditEntry light = world.AddBusy(weight: 256);

        world.Run(20 * Second);

        Assert.InRange(world.TimeOf(heavy) / (double)world.TimeOf(light), 1.85, 2.15);
        Assert.Equal(20 * Second, world.TimeOf(heavy) + world.TimeOf(light));
    }

    [Fact]
    public void WeightIsTheDomains_NotTheVcpus()
    {
        var world = new Simulation(2);
        var wide = new CreditAccount();
        CreditEntry[] many = [world.AddBusy(wide), world.AddBusy(wide), world.AddBusy(wide), world.AddBusy(wide)];
        var narrow = new CreditAccount();
        CreditEntry[] few = [world.AddBusy(narrow), world.AddBusy(narrow)];

        world.Run(30 * Second);

        double ratio = many.Sum(entry => (double)world.TimeOf(entry)) / few.Sum(entry => (double)world.TimeOf(entry));
        Assert.InRange(ratio, 0.85, 1.18);
    }

    [Fact]
    public void ShareThatADomainCannotUse_GoesToTheOthers()
    {
        var world = new Simulation(2);
        CreditEntry heavy = world.AddBusy(weight: 10000);
        CreditEntry one = world.AddBusy(weight: 256);
        CreditEntry other = world.AddBusy(weight: 256);

        world.Run(20 * Second);

        Assert.InRange(world.TimeOf(heavy) / (double)(20 * Second), 0.95, 1.0);
        Assert.InRange(world.TimeOf(one) / (double)world.TimeOf(other), 0.9, 1.1);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(50)]
    public void Cap_HoldsEvenIfNobodyElseWantsToRun(int cap)
    {
        var world = new Simulation(1);
        var account = new CreditAccount { Cap = cap };
        CreditEntry entry = world.AddBusy(account);

        world.Run(20 * Second);

        Assert.InRange(world.TimeOf(entry) * 100.0 / (20 * Second), cap * 0.9, cap * 1.1);
    }

    [Fact]
    public void Cap_OfMoreThanOneProcessor_IsSharedByTheVcpus()
    {
        var world = new Simulation(2);
        var account = new CreditAccount { Cap = 100 };
        CreditEntry[] entries = [world.AddBusy(account), world.AddBusy(account)];

        world.Run(20 * Second);

        Assert.InRange(entries.Sum(entry => (double)world.TimeOf(entry)) / (20 * Second), 0.9, 1.1);
    }

    [Fact]
    public void PinnedToOneProcessor_ShareItByWeight_WhateverIsIdle()
    {
        var world = new Simulation(4);
        CreditEntry heavy = world.AddBusy(new CreditAccount { Weight = 512 }, CpuSet.Of(2)), light = world.AddBusy(new CreditAccount(), CpuSet.Of(2));
        CreditEntry elsewhere = world.AddBusy(weight: 1);

        world.Run(20 * Second);

        Assert.InRange(world.TimeOf(heavy) / (double)world.TimeOf(light), 1.85, 2.15);
        Assert.InRange(world.TimeOf(elsewhere) / (double)(20 * Second), 0.95, 1.0);
    }

    [Fact]
    public void PinnedBesideOneThatIsNot_GivesWay_WhereThereIsRoom()
    {
        // The one that may run anywhere takes the other processor, and nobody gets less than it could have.
        var world = new Simulation(2);
        CreditEntry heavy = world.AddBusy(new CreditAccount { Weight = 512 }, CpuSet.Of(0)), light = world.AddBusy(new CreditAccount(), CpuSet.Of(0));
        CreditEntry free = world.AddBusy(weight: 256);

        world.Run(20 * Second);

        Assert.InRange(world.TimeOf(heavy) / (double)world.TimeOf(light), 1.8, 2.2);
        Assert.InRange(world.TimeOf(free) / (double)(20 * Second), 0.9, 1.0);
    }

    [Fact]
    public void Pinned_RunsOnlyThere()
    {
        var world = new Simulation(2);
        CreditEntry pinned = world.AddBusy(new CreditAccount(), CpuSet.Of(1));
        world.AddBusy(weight: 256);
        world.AddBusy(weight: 256);

        world.Run(5 * Second);

        Assert.Equal(0ul, world.TimeOf(pinned, cpu: 0));
        Assert.True(world.TimeOf(pinned, cpu: 1) > 2 * Second);
    }

    [Fact]
    public void IdleProcessor_TakesWorkFromABusyQueue()
    {
        var credit = new CreditScheduler(2);
        CreditEntry[] entries = [New(credit), New(credit), New(credit)];
        foreach (CreditEntry entry in entries)
        {
            entry.Affinity = CpuSet.Of(0);
            credit.Enqueue(entry, boost: false);
            entry.Affinity = CpuSet.All;
        }

        Assert.NotNull(credit.PickNext(0, 0));
        Assert.NotNull(credit.PickNext(1, 0));
    }

    [Fact]
    public void WokenWithCredit_GoesBeforeWhoIsBusy()
    {
        var credit = new CreditScheduler(1);
        CreditEntry busy = New(credit), waiting = New(credit), woken = New(credit);
        credit.Enqueue(busy, boost: false);
        Assert.Same(busy, credit.PickNext(0, 0));
        credit.Enqueue(waiting, boost: false);

        Assert.Equal(0, credit.Enqueue(woken, boost: true));

        credit.Stop(0, Millisecond);
        credit.Requeue(busy, 0);
        Assert.Same(woken, credit.PickNext(0, Millisecond));
    }

    [Fact]
    public void Boost_EndsAfterATick()
    {
        var credit = new CreditScheduler(1);
        CreditEntry woken = New(credit);
        credit.Enqueue(woken, boost: true);
        Assert.Same(woken, credit.PickNext(0, 0));

        credit.Stop(0, CreditScheduler.Tick);

        Assert.Equal(CreditPriority.Under, woken.Priority);
    }

    [Fact]
    public void Yield_LetsTheOthersGoFirst_ButNotForEver()
    {
        var credit = new CreditScheduler(1);
        CreditEntry yielding = New(credit), other = New(credit);
        credit.Enqueue(yielding, boost: false);
        Assert.Same(yielding, credit.PickNext(0, 0));
        credit.Enqueue(other, boost: false);
        other.Priority = CreditPriority.Over;
        yielding.HasYielded = true;
        credit.Stop(0, 1);
        credit.Requeue(yielding, 0);

        Assert.Same(other, credit.PickNext(0, 1));
        credit.Dequeue(other);
        credit.Stop(0, 2);
        Assert.Same(yielding, credit.PickNext(0, 2));
    }

    private static CreditEntry New(CreditScheduler credit)
    {
        var account = new CreditAccount();
        credit.Add(account);
        return new CreditEntry(account, account);
    }

    /// <summary>Processors that run who is always busy, a millisecond at a time.</summary>
    private sealed class Simulation(int cpus)
    {
        private readonly CreditScheduler _credit = new(cpus);
        private readonly List<CreditAccount> _accounts = [];
        private readonly Dictionary<(CreditEntry Entry, int Cpu), ulong> _times = [];
        private readonly ulong[] _until = new ulong[cpus];
        private ulong _now;

        public CreditEntry AddBusy(int weight) => AddBusy(new CreditAccount { Weight = weight });

        public CreditEntry AddBusy(CreditAccount account) => AddBusy(account, CpuSet.All);

        public CreditEntry AddBusy(CreditAccount account, CpuSet affinity)
        {
            if (!_accounts.Contains(account))
            {
                _accounts.Add(account);
                _credit.Add(account);
            }

            var entry = new CreditEntry(account, account) { Affinity = affinity };
            _credit.Enqueue(entry, boost: false);
            return entry;
        }

        public ulong TimeOf(CreditEntry entry) => _times.Where(pair => pair.Key.Entry == entry).Aggregate(0ul, (sum, pair) => sum + pair.Value);

        public ulong TimeOf(CreditEntry entry, int cpu) => _times.GetValueOrDefault((entry, cpu));

        public void Run(ulong duration)
        {
            for (ulong end = _now + duration; _now < end; _now += Millisecond)
            {
                for (int cpu = 0; cpu < cpus; cpu++)
                    Step(cpu);
            }
        }

        private void Step(int cpu)
        {
            CreditEntry? current = _credit.Running(cpu);
            if (current is null || _now >= _until[cpu])
            {
                if (current is not null)
                {
                    _credit.Stop(cpu, _now);
                    _credit.Requeue(current, cpu);
                }

                current = _credit.PickNext(cpu, _now);
                if (current is null)
                    return;
                _until[cpu] = _now + CreditScheduler.SliceOf(current);
            }

            _times[(current, cpu)] = _times.GetValueOrDefault((current, cpu)) + Millisecond;
        }
    }
}
