namespace Xen.Core;

/// <summary>For the accounting: a set of processors that vCPUs are bound to, and what of it is left. Guarded by the scheduler's lock.</summary>
internal sealed class CreditShareSet
{
    /// <summary>The processors, all of them the machine's.</summary>
    public CpuSet Cpus { get; private set; }

    /// <summary>The active vCPUs whose affinity is this very set.</summary>
    public List<CreditEntry> Entries { get; } = [];

    /// <summary>Those of the sets within this one, itself among them, that vCPUs have as their affinity; known of contended sets only.</summary>
    public List<CreditShareSet> Within { get; } = [];

    /// <summary>The contended sets that this one is within, itself perhaps among them: what its vCPUs get is taken from all of them.</summary>
    public List<CreditShareSet> Around { get; } = [];

    /// <summary>The most that <see cref="Entries"/> can use. <b>Units</b>: credits.</summary>
    public long Demand { get; set; }

    /// <summary>What nobody has been given yet. <b>Units</b>: credits.</summary>
    public int Room { get; set; }

    /// <summary>How many vCPUs rise that are bound to it, and their weight.</summary>
    public int RisingCount { get; set; }

    /// <inheritdoc cref="RisingCount"/>
    public double RisingWeight { get; set; }

    /// <summary>Where the level stands when it is used up. Somebody's rises who is bound to it.</summary>
    public double Level => Room / RisingWeight;

    /// <summary>Begins anew.</summary>
    public void Reset(CpuSet cpus)
    {
        Cpus = cpus;
        Entries.Clear();
        Within.Clear();
        Around.Clear();
        Demand = 0;
        Room = cpus.Count * CreditScheduler.CreditsPerSlice;
        RisingCount = 0;
        RisingWeight = 0;
    }
}
