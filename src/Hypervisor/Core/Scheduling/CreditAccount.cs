namespace Xen.Core;

/// <summary>A domain's share of the processors, as the credit scheduler sees it. Guarded by the scheduler's lock.</summary>
internal sealed class CreditAccount
{
    /// <summary>The weight of a domain that nobody gave another.</summary>
    public const int DefaultWeight = 256;

    public const int MinWeight = 1;
    public const int MaxWeight = 65535;

    /// <summary>The share, relative to the other domains'.</summary>
    public int Weight { get; set; } = DefaultWeight;

    /// <summary>The most it may get even if nobody else wants more; 0 is no limit. <b>Units</b>: percent of one processor.</summary>
    public int Cap { get; set; }

    /// <summary>Its vCPUs.</summary>
    public List<CreditEntry> Entries { get; } = [];

    /// <summary>For the accounting: vCPUs that want credit this time.</summary>
    public int ActiveCount { get; set; }

    /// <summary>For the accounting: what its cap leaves, how many of its vCPUs' grants rise, and the weight of each of them.</summary>
    public int Room { get; set; }

    /// <inheritdoc cref="Room"/>
    public int RisingCount { get; set; }

    /// <inheritdoc cref="Room"/>
    public double EntryWeight { get; set; }

    /// <summary>For the accounting: where the level stands when a vCPU has a processor of its own, or all have what the cap allows. Somebody rises.</summary>
    public double Level
    {
        get
        {
            double own = CreditScheduler.CreditsPerSlice / EntryWeight;
            return Cap == 0 ? own : Math.Min(own, Room / (EntryWeight * RisingCount));
        }
    }

    /// <summary>What its cap allows in a period. <b>Units</b>: credits.</summary>
    public int CapCredits => ((Cap * CreditScheduler.CreditsPerSlice) + 99) / 100;
}

/// <summary>Who runs first; a higher value goes before a lower one.</summary>
internal enum CreditPriority
{
    /// <summary>Over its share: runs when nobody else wants to.</summary>
    Over,

    /// <summary>Has credit left.</summary>
    Under,

    /// <summary>Has just been woken by an event and has credit: goes first, for a tick.</summary>
    Boost,
}

/// <summary>A vCPU, as the credit scheduler sees it. Guarded by the scheduler's lock.</summary>
internal sealed class CreditEntry
{
    public CreditEntry(CreditAccount account, object owner)
    {
        Account = account;
        Owner = owner;
        account.Entries.Add(this);
    }

    public CreditAccount Account { get; }

    /// <summary>The vCPU.</summary>
    public object Owner { get; }

    public CreditPriority Priority { get; set; } = CreditPriority.Under;

    /// <summary>What it may still use. <b>Units</b>: credits, 10 per ms of one processor.</summary>
    public int Credits { get; set; }

    /// <summary>Processor time that is not yet a whole credit. <b>Units</b>: ns.</summary>
    public ulong Unburnt { get; set; }

    /// <summary>For the accounting: what it gets this time, that this is decided, and the processors that it is bound to.</summary>
    public int Grant { get; set; }

    /// <inheritdoc cref="Grant"/>
    public bool IsStopped { get; set; }

    /// <inheritdoc cref="Grant"/>
    public CreditShareSet? Set { get; set; }

    /// <summary>Takes part in the accounting: it has used processor time not long ago.</summary>
    public bool IsActive { get; set; }

    /// <summary>Over its domain's cap: does not run until it has credit again.</summary>
    public bool IsParked { get; set; }

    /// <summary>Has yielded: others of its priority go first, once.</summary>
    public bool HasYielded { get; set; }

    /// <summary>Where it may run; at least one CPU of the machine.</summary>
    public CpuSet Affinity { get; set; } = CpuSet.All;

    /// <summary>The CPU that it runs on, waits for or was on last.</summary>
    public int Cpu { get; set; }

    /// <summary>Waits in the run queue of <see cref="Cpu"/>.</summary>
    public bool IsQueued { get; set; }

    /// <summary>Runs on <see cref="Cpu"/>.</summary>
    public bool IsRunning { get; set; }

    /// <summary>Since when it runs, or since when its time was last charged. <b>Units</b>: ns.</summary>
    public ulong ChargedUntil { get; set; }
}
