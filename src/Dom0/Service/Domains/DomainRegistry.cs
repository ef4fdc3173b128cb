using System.Globalization;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The domains of this xend, and for a while those that have ended.</summary>
/// <remarks>Threads: any. No lock is held while a domain is built or ended. Locks are taken in this order: names, domains, definitions.</remarks>
internal sealed partial class DomainRegistry : IAsyncDisposable
{
    /// <summary>Outcomes of ended domains that are remembered, for clients that ask late.</summary>
    private const int MostOutcomes = 1000;

    /// <summary>Held where it is decided who may have a name or a UUID; a file may be written meanwhile.</summary>
    private readonly Lock _naming = new();

    /// <summary>Guards what is here.</summary>
    private readonly Lock _lock = new();
    private readonly IToolstack _toolstack;
    private readonly DomainEvents _events;
    private readonly Dictionary<long, ManagedDomain> _domains = [];
    private readonly Dictionary<long, DomainOutcome> _outcomes = [];
    private readonly Queue<long> _outcomeOrder = [];

    /// <summary>Names of domains that are being built; changed under both locks.</summary>
    private readonly HashSet<string> _building = new(StringComparer.Ordinal);

    /// <summary>What is under way for domains: builds, and for each domain what waits for its end and puts it away then.</summary>
    private readonly List<Task> _pending = [];

    private long _lastHandle;
    private int _holds;
    private bool _closed;

    public DomainRegistry(IToolstack toolstack, DomainEvents events, DefinitionStore definitions) =>
        (_toolstack, _events, Definitions) = (toolstack, events, definitions);

    /// <summary>Told when the last domain has ended or the first is being built.</summary>
    public event Action? BusyChanged;

    /// <summary>Whether there are domains, or some are being built or about to be.</summary>
    public bool IsBusy
    {
        get
        {
            lock (_lock)
                return _domains.Count + _building.Count + _holds > 0;
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
    /// <exception cref="ToolstackException">It cannot be built.</exception>
    /// <exception cref="StoppingException">xend is stopping.</exception>
    public ManagedDomain Create(DomainConfig config, Guid? definition = null)
    {
        TaskCompletionSource built = Reserve(config, definition);
        BusyChanged?.Invoke();
        try
        {
            ManagedDomain managed = Add(_toolstack.CreateDomain(config), definition);
            if (!IsClosed)
                return managed;
            managed.Domain.Destroy();
            throw Stopping(config.Name);
        }
        finally
        {
            lock (_naming)
            {
                lock (_lock)
                    _building.Remove(config.Name);
            }

            built.SetResult();
            BusyChanged?.Invoke();
        }
    }

    /// <summary>The domain of this name or number.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public ManagedDomain Find(string nameOrId) => TryFind(nameOrId) ?? throw new NotFoundException(NoSuch(nameOrId));

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

    /// <summary>The same, if there is nothing to do.</summary>
    public bool TryCloseIdle()
    {
        lock (_lock)
            return _closed = _closed || !IsBusy;
    }

    /// <summary>Does work that makes domains, and is busy meanwhile.</summary>
    public void Hold(Action work)
    {
        lock (_lock)
            _holds++;
        try
        {
            work();
        }
        finally
        {
            lock (_lock)
                _holds--;
            BusyChanged?.Invoke();
        }
    }

    /// <summary>Ends all domains at once, and waits for those that are being built.</summary>
    public async ValueTask DisposeAsync()
    {
        Close();
        while (true)
        {
            Task[] pending;
            lock (_lock)
                pending = [.. _pending.Where(static task => !task.IsCompleted)];
            foreach (ManagedDomain domain in Domains)
                domain.Domain.Destroy();
            if (pending.Length == 0)
                return;
            await Task.WhenAny(pending).ConfigureAwait(false);
        }
    }

    private bool IsClosed
    {
        get
        {
            lock (_lock)
                return _closed;
        }
    }

    /// <summary>Takes the name of a domain that is to be built, and says that it is.</summary>
    /// <returns>To be completed when it has been.</returns>
    private TaskCompletionSource Reserve(DomainConfig config, Guid? definition)
    {
        var built = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_naming)
        {
            if (Definitions.Find(config.Name) is { } kept && kept.Uuid != definition)
                throw new ToolstackException($"a managed domain is named '{config.Name}': xm start {config.Name} starts it; choose another name= for this one.");
            if (config.Uuid != definition && Definitions.Uuids.Contains(config.Uuid))
                throw new ToolstackException($"a managed domain has the UUID {config.Uuid} of '{config.Name}': leave uuid= out, or give each its own.");
            lock (_lock)
            {
                if (_closed)
                    throw Stopping(config.Name);
                if (!_building.Add(config.Name))
                    throw new ToolstackException($"a domain named '{config.Name}' is just being built: choose another name=.");
                _pending.Add(built.Task);
            }
        }

        return built;
    }

    private static StoppingException Stopping(string name) => new($"domain '{name}' is not created: xend is stopping.");

    private string NoSuch(string nameOrId) =>
        nameOrId is "0" or "Domain-0" ? "Domain-0 is xend itself and has no such thing: name another domain."
        : Definitions.Find(nameOrId) is null ? $"no domain '{nameOrId}' is running: xm list shows those that are."
        : $"domain '{nameOrId}' is not running: xm start {nameOrId} starts it.";

    private ManagedDomain Add(IRunningDomain domain, Guid? definition)
    {
        ManagedDomain managed;
        lock (_lock)
        {
            managed = new ManagedDomain(++_lastHandle, domain) { Definition = definition };
            _domains.Add(managed.Handle, managed);
            _pending.RemoveAll(static task => task.IsCompleted);

            // On a thread of its own: it may have ended already, and what follows that takes other locks.
            _pending.Add(Task.Run(() => RetireAsync(managed)));
        }

        _events.Publish(DomainEventKind.Created, managed);
        domain.Restarted += () => _events.Publish(DomainEventKind.Restarted, managed);
        domain.Kept += AddKept;
        return managed;
    }

    /// <summary>What is left of a domain that was restarted under its name.</summary>
    private void AddKept(IRunningDomain kept)
    {
        ManagedDomain managed = Add(kept, definition: null);
        if (IsClosed)
            managed.Domain.Destroy();
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
