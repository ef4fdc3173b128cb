using System.Text;
using Xen.Abi;
using Xen.Rings;

namespace Xen.XenStore;

/// <summary>
/// The store: Xen's tree of configuration nodes with transactions, permissions, watches and quotas, for guests on their rings
/// (<see cref="IntroduceDomain"/>), Debian's tools on a socket (<see cref="StoreSocketServer"/>) and services of this process (<see cref="OpenPort"/>).
/// </summary>
/// <remarks>
/// Thread-safe. One lock guards the current tree, transactions, watches and domains; each operation holds it once and calls nobody meanwhile,
/// but for a transaction of this process that others kept from committing (<see cref="RunAlone"/>).
/// Reads outside of transactions take the current tree, which is immutable, without it. Events go into each client's outbox under the lock and out of it
/// on pool threads. Lock order: a connection's own lock, then the server's, then an outbox's.
/// <b>Source</b>: io/xs_wire.h, docs/misc/xenstore.txt.
/// </remarks>
public sealed partial class StoreServer : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<DomId, StoreDomain> _domains = [];
    private readonly WatchIndex _watches = new();
    private readonly Dictionary<string, NodePermissions> _special = new()
    {
        [StorePath.IntroduceDomain] = NodePermissions.Dom0Only,
        [StorePath.ReleaseDomain] = NodePermissions.Dom0Only,
    };

    private volatile StoreTree _tree = StoreTree.Initial;
    private StoreQuotas _defaultQuotas;

    /// <param name="quotas">Limits of domains that have none of their own; null for <see cref="StoreQuotas.Default"/>.</param>
    /// <param name="host">Does what INTRODUCE and RELEASE messages ask for; null refuses them with ENOSYS.</param>
    public StoreServer(StoreQuotas? quotas = null, IStoreHost? host = null)
    {
        _defaultQuotas = quotas ?? StoreQuotas.Default;
        Host = host;
        Requests = new RequestDispatcher(this);
    }

    /// <summary>A domain ran into one of its limits: which domain, and the quota's name. It can do that at any rate: limit what is logged. Any thread, no lock held.</summary>
    public event Action<DomId, string>? QuotaExceeded;

    /// <summary>A domain broke its ring, and the connection ended until it reconnects: which domain, and how. Any thread, no lock held.</summary>
    public event Action<DomId, string>? ConnectionBroken;

    /// <summary>A privileged client asked for a line in the log (CONTROL print).</summary>
    public event Action<string>? Printed;

    /// <summary>Limits of domains that have none of their own, present and future.</summary>
    public StoreQuotas DefaultQuotas
    {
        get
        {
            lock (_lock)
                return _defaultQuotas;
        }

        set
        {
            lock (_lock)
            {
                _defaultQuotas = value;
                foreach (StoreDomain domain in _domains.Values)
                {
                    if (!domain.HasOwnQuotas)
                        domain.Quotas = value;
                }
            }
        }
    }

    internal IStoreHost? Host { get; }

    internal RequestDispatcher Requests { get; }

    /// <summary>The current tree.</summary>
    internal StoreTree Tree => _tree;

    /// <summary>Opens a connection for code in this process.</summary>
    /// <param name="domain">Whose rights it has; <see cref="DomId.Dom0"/> may everything.</param>
    public LocalStorePort OpenPort(DomId domain)
    {
        lock (_lock)
        {
            var port = new LocalStorePort(this, DomainOf(domain));
            port.Client.Domain.Clients.Add(port.Client);
            return port;
        }
    }

    /// <summary>Gives a domain limits of its own, until it is released.</summary>
    public void SetQuotas(DomId domain, StoreQuotas quotas)
    {
        ArgumentNullException.ThrowIfNull(quotas);
        lock (_lock)
        {
            StoreDomain known = DomainOf(domain);
            known.Quotas = quotas;
            known.HasOwnQuotas = true;
        }
    }

    /// <summary>The limits that a domain has.</summary>
    public StoreQuotas QuotasOf(DomId domain)
    {
        lock (_lock)
            return _domains.TryGetValue(domain, out StoreDomain? known) ? known.Quotas : _defaultQuotas;
    }

    /// <summary>Ends all connections. Sockets are <see cref="StoreSocketServer"/>'s to close.</summary>
    public void Dispose()
    {
        List<StoreRingConnection> rings = [];
        lock (_lock)
        {
            foreach (StoreDomain domain in _domains.Values)
            {
                if (domain.Ring is { } ring)
                    rings.Add(ring);
                CloseAll(domain);
            }

            _domains.Clear();
        }

        rings.ForEach(ring => ring.Dispose());
    }

    /// <summary>Adds a client of a domain.</summary>
    internal T Connect<T>(DomId domain, Func<StoreDomain, T> create)
        where T : StoreClient
    {
        lock (_lock)
        {
            T client = create(DomainOf(domain));
            client.Domain.Clients.Add(client);
            return client;
        }
    }

    /// <summary>Ends a client: its watches and transactions go.</summary>
    internal void Disconnect(StoreClient client)
    {
        lock (_lock)
        {
            Close(client);
            client.Domain.Clients.Remove(client);
        }
    }

    /// <summary>Takes a client's watches and transactions.</summary>
    internal void Reset(StoreClient client)
    {
        lock (_lock)
            Clear(client);
    }

    /// <summary>Tells who asked to know of a client's exceeded limit. No lock may be held.</summary>
    internal void Report(StoreClient client)
    {
        // In RunAlone it waits.
        if (!_lock.IsHeldByCurrentThread && client.TryTakeExceeded(out string? quota))
            QuotaExceeded?.Invoke(client.Domain.Id, quota);
    }

    /// <summary>
    /// Runs something that may use the store, while nobody else can change it. It must not wait for another thread, nor take a lock that somebody
    /// holds who uses the store.
    /// </summary>
    internal XenErrno RunAlone(Func<XenErrno> action)
    {
        lock (_lock)
            return action();
    }

    internal void ReportBroken(DomId domain, string reason) => ConnectionBroken?.Invoke(domain, reason);

    internal void Print(string text) => Printed?.Invoke(text);

    /// <summary>What the store holds, in lines of text; and whether its counts agree with what is counted afresh.</summary>
    internal string Describe(out bool isSound)
    {
        lock (_lock)
        {
            Dictionary<DomId, int> counted = [];
            Count(_tree.Root, counted);
            isSound = counted.Count == _tree.Owned.Count && counted.All(c => _tree.OwnedBy(c.Key) == c.Value)
                && _watches.Count == _domains.Values.Sum(d => d.Watches)
                && _domains.Values.All(d => d.Watches == d.Clients.Sum(c => c.Watches.Count) && d.Transactions == d.Clients.Sum(c => c.Transactions.Count));
            var text = new StringBuilder();
            text.Append("nodes: ").Append(counted.Values.Sum()).Append("\nwatches: ").Append(_watches.Count).Append('\n');
            foreach (StoreDomain domain in _domains.Values.OrderBy(d => d.Id.Value).Take(50))
            {
                text.Append(domain.Id).Append(": nodes ").Append(_tree.OwnedBy(domain.Id)).Append(", watches ").Append(domain.Watches)
                    .Append(", transactions ").Append(domain.Transactions).Append(", clients ").Append(domain.Clients.Count).Append('\n');
            }

            return text.ToString();
        }
    }

    private static void Count(StoreNode node, Dictionary<DomId, int> counted)
    {
        counted[node.Permissions.Owner] = counted.GetValueOrDefault(node.Permissions.Owner) + 1;
        foreach (StoreNode child in node.Children)
            Count(child, counted);
    }

    private StoreDomain DomainOf(DomId id)
    {
        if (!_domains.TryGetValue(id, out StoreDomain? domain))
            _domains.Add(id, domain = new StoreDomain(id, _defaultQuotas));
        return domain;
    }

    private void CloseAll(StoreDomain domain)
    {
        foreach (StoreClient client in domain.Clients)
            Close(client);
        domain.Clients.Clear();
        domain.Ring = null;
        domain.IsIntroduced = false;
    }

    private void Close(StoreClient client)
    {
        client.IsClosed = true;
        Clear(client);
        client.Outbox.Clear();
    }

    private void Clear(StoreClient client)
    {
        foreach (StoreWatch watch in client.Watches)
            Drop(watch);
        client.Watches.Clear();
        client.Domain.Transactions -= client.Transactions.Count;
        client.Transactions.Clear();
    }

    private void Drop(StoreWatch watch)
    {
        watch.IsSet = false;
        _watches.Remove(watch);
        watch.Client.Domain.Watches--;
        watch.Client.Outbox.Forget(watch);
    }
}
