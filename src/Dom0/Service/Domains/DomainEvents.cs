using System.Threading.Channels;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>What can happen to a domain that clients are told of.</summary>
internal enum DomainEventKind
{
    Created,
    Ended,
    Paused,
    Unpaused,
    Restarted,
}

/// <summary>Something that has happened to a domain.</summary>
/// <param name="Kind">What.</param>
/// <param name="Handle">To whom: <see cref="ManagedDomain.Handle"/>.</param>
/// <param name="Name">Its name then.</param>
/// <param name="Id">Its number then.</param>
/// <param name="Time">When.</param>
/// <param name="Outcome">With <see cref="DomainEventKind.Ended"/>.</param>
internal sealed record DomainHappening(DomainEventKind Kind, long Handle, string Name, int Id, DateTimeOffset Time, DomainOutcome? Outcome);

/// <summary>Tells clients what happens to domains. Who is slow loses the oldest, and is told how many.</summary>
internal sealed class DomainEvents
{
    /// <summary>Events that wait for one client.</summary>
    private const int MostWaiting = 1024;

    private readonly Lock _lock = new();
    private readonly List<Subscription> _subscriptions = [];

    public void Publish(DomainEventKind kind, ManagedDomain domain, DomainOutcome? outcome = null)
    {
        var happening = new DomainHappening(kind, domain.Handle, domain.Name, domain.Domain.Id, DateTimeOffset.UtcNow, outcome);
        lock (_lock)
        {
            foreach (Subscription subscription in _subscriptions)
                subscription.Add(happening);
        }
    }

    /// <summary>Begins to collect events for a client, until it disposes of that.</summary>
    public Subscription Subscribe()
    {
        var subscription = new Subscription(this);
        lock (_lock)
            _subscriptions.Add(subscription);
        return subscription;
    }

    /// <summary>One client's events.</summary>
    internal sealed class Subscription : IDisposable
    {
        private readonly DomainEvents _owner;
        private readonly Channel<DomainHappening> _waiting;
        private long _lost;

        public Subscription(DomainEvents owner)
        {
            _owner = owner;
            _waiting = Channel.CreateBounded<DomainHappening>(
                new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true }, _ => Interlocked.Increment(ref _lost));
        }

        /// <summary>The events, as they come.</summary>
        public IAsyncEnumerable<DomainHappening> ReadAllAsync(CancellationToken cancellation) => _waiting.Reader.ReadAllAsync(cancellation);

        /// <summary>How many were lost since it was asked last.</summary>
        public long TakeLost() => Interlocked.Exchange(ref _lost, 0);

        public void Add(DomainHappening happening) => _waiting.Writer.TryWrite(happening);

        public void Dispose()
        {
            lock (_owner._lock)
                _owner._subscriptions.Remove(this);
        }
    }
}
