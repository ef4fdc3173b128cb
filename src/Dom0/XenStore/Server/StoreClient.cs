using System.Diagnostics.CodeAnalysis;

namespace Xen.XenStore;

/// <summary>One connection to the store, as the server sees it; transports derive from it.</summary>
/// <remarks>Watches and transactions are guarded by the server's lock. One request of a client is handled at a time.</remarks>
internal abstract class StoreClient(StoreDomain domain)
{
    private string? _exceeded;
    private uint _lastTransaction;

    public StoreDomain Domain { get; } = domain;

    public StoreIdentity Identity => new(Domain.Id, Domain.Target);

    /// <summary>The limits, or null for a privileged client.</summary>
    public StoreQuotas? Quotas => Identity.IsPrivileged ? null : Domain.Quotas;

    public Outbox Outbox { get; } = new();

    public List<StoreWatch> Watches { get; } = [];

    public Dictionary<uint, StoreTransaction> Transactions { get; } = [];

    /// <summary>Set for good when the client is gone, or its domain.</summary>
    public bool IsClosed { get; set; }

    /// <summary>How many bytes of events may wait; 0 for no limit.</summary>
    protected virtual int EventLimit => Domain.Quotas.EventBytes;

    /// <summary>Says that the outbox has something. Called with the server's lock held: it may not block nor call anybody.</summary>
    public abstract void Wake();

    /// <summary>Queues an event for the client.</summary>
    /// <param name="watch">One of its watches.</param>
    /// <param name="name">The path as the client is to see it.</param>
    public void Notify(StoreWatch watch, string name)
    {
        if (!Outbox.TryAddEvent(watch, name, EventLimit))
            OnEventsFull(watch);
        Wake();
    }

    /// <summary>Notes a limit that stopped the client, to be reported when no lock is held.</summary>
    public void Exceed(string quota) => Volatile.Write(ref _exceeded, quota);

    /// <summary>Takes what is to be reported.</summary>
    public bool TryTakeExceeded([NotNullWhen(true)] out string? quota)
    {
        quota = Volatile.Read(ref _exceeded) is null ? null : Interlocked.Exchange(ref _exceeded, null);
        return quota is not null;
    }

    /// <summary>A number for a new transaction; not 0 nor one in use.</summary>
    public uint NextTransactionId()
    {
        do
            _lastTransaction++;
        while (_lastTransaction == 0 || Transactions.ContainsKey(_lastTransaction));
        return _lastTransaction;
    }

    /// <summary>
    /// More events than may wait. The watch gets one event for its own path, which stands for all that did not fit: the client looks again at what it
    /// watches. So no more waits than one event per watch beyond the limit.
    /// </summary>
    protected virtual void OnEventsFull(StoreWatch watch)
    {
        if (Outbox.TryAddEvent(watch, watch.Given, 0))
            Exceed("event-bytes");
    }
}
