using System.Globalization;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The domains of this xend, and for a while those that have ended.</summary>
/// <remarks>Threads: any. No lock is held while a domain is built or ended.</remarks>
internal sealed partial class DomainRegistry : IAsyncDisposable
{
    /// <summary>Outcomes of ended domains that are remembered, for clients that ask late.</summary>
    private const int MostOutcomes = 1000;

    private readonly Lock _lock = new();

    /// <summary>The managed domains that are just being built.</summary>
    private readonly HashSet<Guid> _starting = [];
    private readonly IToolstack _toolstack;
    private readonly DomainEvents _events;
    private readonly Dictionary<long, ManagedDomain> _domains = [];
    private readonly Dictionary<long, DomainOutcome> _outcomes = [];
    private readonly Queue<long> _outcomeOrder = [];

    /// <summary>For each domain what waits for its end, and puts it away then.</summary>
    private readonly List<Task> _retiring = [];

    private long _lastHandle;
    private int _building;
    private bool _closed;

    public DomainRegistry(IToolstack toolstack, DomainEvents events, DefinitionStore definitions) =>
        (_toolstack, _events, Definitions) = (toolstack, events, definitions);

    /// <summary>Told when the last domain has ended or the first is being built.</summary>
    public event Action? BusyChanged;

    /// <summary>Whether there are domains, or one is being built.</summary>
    public bool IsBusy
    {
        get
        {
            lock (_lock)
                return _domains.Count + _building > 0;
        }
    }

    /// <summary>The domains, by rising number.</summary>
    public IReadOnlyList<ManagedDomain> Domains
    {
        get
        {
            lock (_lock)
                return [.. _domains.Values.OrderBy(static domain => domain.Domain.Id)];
        }
    }

    /// <summary>Builds a domain, paused.</summary>
    /// <param name="config">What it is built from.</param>
    /// <param name="definition">The managed domain that it is; null: none, it is there once.</param>
    /// <exception cref="ToolstackException">It cannot be built, or xend is stopping.</exception>
    public ManagedDomain Create(DomainConfig config, Guid? definition = null)
    {
        if (Definitions.Find(config.Name) is { } kept && kept.Uuid != definition)
            throw new ToolstackException($"a managed domain is named '{config.Name}': xm start {config.Name} starts it; choose another name= for this one.");
        lock (_lock)
        {
            if (_closed)
                throw new ToolstackException($"domain '{config.Name}' is not created: xend is stopping.");
            _building++;
        }

        BusyChanged?.Invoke();
        ManagedDomain? managed = null;
        try
        {
            return managed = Add(_toolstack.CreateDomain(config), definition);
        }
        finally
        {
            bool closed;
            lock (_lock)
            {
                _building--;
                closed = _closed;
            }

            BusyChanged?.Invoke();
            if (closed)
                managed?.Domain.Destroy();
        }
    }

    /// <summary>The domain of this name or number.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public ManagedDomain Find(string nameOrId) => TryFind(nameOrId) ?? throw new NotFoundException(
        nameOrId is "0" or "Domain-0" ? "Domain-0 is xend itself and has no such thing: name another domain."
        : Definitions.Find(nameOrId) is null ? $"no domain '{nameOrId}' is running: xm list shows those that are."
        : $"domain '{nameOrId}' is not running: xm start {nameOrId} starts it.");

    /// <summary>The domain of this name or number, or null.</summary>
    public ManagedDomain? TryFind(string nameOrId)
    {
        bool isNumber = int.TryParse(nameOrId, NumberStyles.None, CultureInfo.InvariantCulture, out int id);
        lock (_lock)
        {
            foreach (ManagedDomain domain in _domains.Values)
            {
                if (isNumber ? domain.Domain.Id == id : domain.Name == nameOrId)
                    return domain;
            }
        }

        return null;
    }

    /// <summary>Waits until a domain has ended and will not be restarted.</summary>
    /// <exception cref="NotFoundException">There was none of this handle, or so long ago that it is forgotten.</exception>
    public Task<DomainOutcome> WaitAsync(long handle)
    {
        lock (_lock)
        {
            if (_domains.TryGetValue(handle, out ManagedDomain? domain))
                return domain.Domain.Completion;
            return _outcomes.TryGetValue(handle, out DomainOutcome? outcome)
                ? Task.FromResult(outcome)
                : throw new NotFoundException($"there is no domain of handle {handle}, or it ended long ago.");
        }
    }

    /// <summary>No more domains are created from now on.</summary>
    public void Close()
    {
        lock (_lock)
            _closed = true;
    }

    /// <summary>Ends all domains at once.</summary>
    public async ValueTask DisposeAsync()
    {
        Close();
        Task[] retiring;
        lock (_lock)
            retiring = [.. _retiring];
        foreach (ManagedDomain domain in Domains)
            domain.Domain.Destroy();
        await Task.WhenAll(retiring).ConfigureAwait(false);
    }

    private ManagedDomain Add(IRunningDomain domain, Guid? definition)
    {
        ManagedDomain managed;
        lock (_lock)
        {
            managed = new ManagedDomain(++_lastHandle, domain) { Definition = definition };
            _domains.Add(managed.Handle, managed);
        }

        _events.Publish(DomainEventKind.Created, managed);
        domain.Restarted += () => _events.Publish(DomainEventKind.Restarted, managed);
        domain.Kept += kept => AddKept(kept);
        Retire(managed);
        return managed;
    }

    /// <summary>What is left of a domain that was restarted under its name.</summary>
    private void AddKept(IRunningDomain kept)
    {
        ManagedDomain managed = Add(kept, definition: null);
        bool closed;
        lock (_lock)
            closed = _closed;
        if (closed)
            managed.Domain.Destroy();
    }

    private void Retire(ManagedDomain managed)
    {
        lock (_lock)
        {
            _retiring.RemoveAll(static task => task.IsCompleted);
            _retiring.Add(RetireAsync(managed));
        }
    }

    private async Task RetireAsync(ManagedDomain managed)
    {
        DomainOutcome outcome = await managed.Domain.Completion.ConfigureAwait(false);
        lock (_lock)
        {
            _domains.Remove(managed.Handle);
            _outcomes.Add(managed.Handle, outcome);
            _outcomeOrder.Enqueue(managed.Handle);
            if (_outcomeOrder.Count > MostOutcomes)
                _outcomes.Remove(_outcomeOrder.Dequeue());
        }

        await managed.DisposeAsync().ConfigureAwait(false);
        _events.Publish(DomainEventKind.Ended, managed, outcome);
        BusyChanged?.Invoke();
    }
}
