using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The managed domains: kept, started, forgotten.</summary>
internal sealed partial class DomainRegistry
{
    /// <summary>The managed domains that are just being built; written under <see cref="_naming"/>.</summary>
    private readonly HashSet<Guid> _starting = [];

    /// <summary>Those that are kept, whether they run or not.</summary>
    public DefinitionStore Definitions { get; }

    /// <summary>Those that are kept and do not run, by name.</summary>
    public IReadOnlyList<DomainDefinition> Inactive
    {
        get
        {
            HashSet<Guid> running;
            lock (_lock)
                running = [.. _domains.Values.Select(static domain => domain.Definition).OfType<Guid>()];
            return [.. Definitions.All.Where(definition => !running.Contains(definition.Uuid))];
        }
    }

    /// <summary>Keeps a domain.</summary>
    /// <exception cref="ToolstackException">A domain of its name is there, or it cannot be written.</exception>
    public void Define(DomainDefinition definition)
    {
        lock (_naming)
        {
            if (TryFind(definition.Name) is not null || _building.Contains(definition.Name))
                throw new ToolstackException($"a domain named '{definition.Name}' is running: choose another name=.");
            Definitions.Add(definition);
        }
    }

    /// <summary>Builds a managed domain, paused.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="warnings">What a person should be told about its configuration.</param>
    /// <exception cref="NotFoundException">No managed domain has this name.</exception>
    /// <exception cref="ToolstackException">It is running, or cannot be built.</exception>
    public ManagedDomain Start(string name, out IReadOnlyList<string> warnings)
    {
        DomainDefinition definition;
        lock (_naming)
        {
            definition = Managed(name);
            CheckInactive(definition, "is running already.");
            _starting.Add(definition.Uuid);
        }

        try
        {
            return Create(definition.Read(out warnings) with { KeepsDisks = true }, definition.Uuid);
        }
        finally
        {
            lock (_naming)
                _starting.Remove(definition.Uuid);
        }
    }

    /// <summary>Forgets a managed domain, and what it has written to disks that are copied on write.</summary>
    /// <exception cref="NotFoundException">No managed domain has this name.</exception>
    /// <exception cref="ToolstackException">It is running, or its file cannot be removed.</exception>
    public void Delete(string name)
    {
        lock (_naming)
        {
            DomainDefinition definition = Managed(name);
            CheckInactive(definition, $"is running: xm shutdown {name} or xm destroy {name} before.");
            Definitions.Remove(definition.Uuid);
        }

        ForgetDisks();
    }

    /// <summary>Gives a domain another name, and its kept configuration too.</summary>
    /// <exception cref="NotFoundException">There is no such domain.</exception>
    /// <exception cref="ToolstackException">The name is taken, or the configuration cannot be written.</exception>
    public void Rename(string nameOrId, string name)
    {
        if (!DomainNameSyntax.IsLawful(name))
            throw new ToolstackException($"a domain cannot be named '{name}': a name is {DomainNameSyntax.Rule}.");
        lock (_naming)
        {
            ManagedDomain? running = TryFind(nameOrId);
            Guid? uuid = running is null ? Inactivate(nameOrId) : running.Definition;
            if (Definitions.Find(name) is { } other && other.Uuid != uuid)
                throw new ToolstackException($"a managed domain is named '{name}' already: choose another name.");
            if (_building.Contains(name) || (TryFind(name) is { } one && one != running))
                throw new ToolstackException($"a domain named '{name}' is running: choose another name.");
            if (uuid is { } definition)
                Definitions.Rename(definition, name);
            try
            {
                running?.Domain.Rename(name);
            }
            catch
            {
                if (uuid is { } renamed)
                    Definitions.Rename(renamed, running!.Name);
                throw;
            }
        }
    }

    /// <summary>Removes what was written by domains that are there no more. What belongs to a configuration that could not be read stays, too.</summary>
    public void ForgetDisks() => _toolstack.ForgetDisks(Definitions.Uuids);

    /// <summary>The managed domain of this name, which does not run.</summary>
    private Guid Inactivate(string name)
    {
        if (Definitions.Find(name) is not { } definition)
            throw new NotFoundException(NoSuch(name));
        CheckInactive(definition, "is just being started.");
        return definition.Uuid;
    }

    private void CheckInactive(DomainDefinition definition, string complaint)
    {
        bool isRunning;
        lock (_lock)
            isRunning = _domains.Values.Any(domain => domain.Definition == definition.Uuid);
        if (isRunning || _starting.Contains(definition.Uuid))
            throw new ToolstackException($"the managed domain '{definition.Name}' {complaint}");
    }

    private DomainDefinition Managed(string name)
    {
        if (Definitions.Find(name) is { } definition)
            return definition;
        throw TryFind(name) is null
            ? new NotFoundException($"there is no managed domain '{name}': xm new makes one, xm list shows them.")
            : new ToolstackException($"domain '{name}' is not managed, but was made by xm create: it ends for good when it ends.");
    }
}
