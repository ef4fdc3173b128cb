using Xen.Abi;

namespace Xen.XenStore;

/// <summary>What the store knows of a domain, from its first client or introduction until its release.</summary>
/// <remarks>Changed under the server's lock. Target and quotas are read without it.</remarks>
internal sealed class StoreDomain(DomId id, StoreQuotas quotas)
{
    private const int NoTarget = -1;

    private volatile int _target = NoTarget;
    private volatile StoreQuotas _quotas = quotas;

    public DomId Id { get; } = id;

    /// <summary>Whose rights the domain has beside its own, or null.</summary>
    public DomId? Target
    {
        get => _target is >= 0 and int target ? new DomId((ushort)target) : null;
        set => _target = value?.Value ?? NoTarget;
    }

    public StoreQuotas Quotas
    {
        get => _quotas;
        set => _quotas = value;
    }

    /// <summary>Whether the quotas are the domain's own, not those of all.</summary>
    public bool HasOwnQuotas { get; set; }

    /// <summary>The features that the domain's ring page shows.</summary>
    public uint Features { get; set; } = StoreFeatures.All;

    public bool IsIntroduced { get; set; }

    /// <summary>Its shutdown was announced, and is not again until it resumes.</summary>
    public bool IsShutDown { get; set; }

    public StoreRingConnection? Ring { get; set; }

    /// <summary>Watches set by all its clients.</summary>
    public int Watches { get; set; }

    /// <summary>Transactions open in all its clients.</summary>
    public int Transactions { get; set; }

    public List<StoreClient> Clients { get; } = [];
}
