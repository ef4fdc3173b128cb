using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The managed domains: kept, started, forgotten.</summary>
internal sealed partial class DomainRegistry
{
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
        if (TryFind(definition.Name) is not null)
            throw new ToolstackException($"a domain named '{definition.Name}' is running: choose another name=.");
        Definitions.Add(definition);
    }

    /// <summary>Builds a managed domain, paused.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="warnings">What a person should be told about its configuration.</param>
    /// <exception cref="NotFoundException">No managed domain has this name.</exception>
    /// <exception cref="ToolstackException">It is running, or cannot be built.</exception>
    public ManagedDomain Start(string name, out IReadOnlyList<string> warnings)
    {
        DomainDefinition definition = Managed(name);
        lock (_lock)
        {
            if (IsRunning(definition.Uuid) || !_starting.Add(definition.Uuid))
                throw new ToolstackException($"the managed domain '{name}' is running already.");
        }

        try
        {
            return Create(definition.Read(out warnings) with { KeepsDisks = true }, definition.Uuid);
        }
        finally
        {
            lock (_lock)
                _starting.Remove(definition.Uuid);
        }
    }

    /// <summary>Forgets a managed domain.</summary>
    /// <exception cref="NotFoundException">No managed domain has this name.</exception>
    /// <exception cref="ToolstackException">It is running, or its file cannot be removed.</exception>
    public void Delete(string name)
    {
        DomainDefinition definition = Managed(name);
        lock (_lock)
        {
            if (IsRunning(definition.Uuid) || _starting.Contains(definition.Uuid))
                throw new ToolstackException($"the managed domain '{name}' is running: xm shutdown {name} or xm destroy {name} before.");
            Definitions.Remove(definition.Uuid);
        }

        ForgetDisks();
    }

    /// <summary>Gives a domain another name, and its kept configuration too.</summary>
    /// <exception cref="NotFoundException">There is no such domain.</exception>
    /// <exception cref="ToolstackException">The name is taken.</exception>
    public void Rename(string nameOrId, string name)
    {
        if (TryFind(nameOrId) is not { } running)
        {
            DomainDefinition definition = Managed(nameOrId);
            if (!DomainNameSyntax.IsLawful(name))
                throw new ToolstackException($"a domain cannot be named '{name}': a name is {DomainNameSyntax.Rule}.");
            if (TryFind(name) is not null)
                throw new ToolstackException($"a domain named '{name}' is running: choose another name.");
            Definitions.Rename(definition.Uuid, name);
            return;
        }

        if (Definitions.Find(name) is { } other && other.Uuid != running.Definition)
            throw new ToolstackException($"a managed domain is named '{name}' already: choose another name.");
        running.Domain.Rename(name);
        if (running.Definition is { } uuid)
            Definitions.Rename(uuid, name);
    }

    /// <summary>Removes what was written by domains that are there no more.</summary>
    public void ForgetDisks() => _toolstack.ForgetDisks(Definitions.All.Select(static definition => definition.Uuid).ToHashSet());

    /// <summary>Under the lock.</summary>
    private bool IsRunning(Guid definition) => _domains.Values.Any(domain => domain.Definition == definition);

    private DomainDefinition Managed(string name)
    {
        if (Definitions.Find(name) is { } definition)
            return definition;
        throw TryFind(name) is null
            ? new NotFoundException($"there is no managed domain '{name}': xm new makes one, xm list shows them.")
            : new ToolstackException($"domain '{name}' is not managed, but was made by xm create: it ends for good when it ends.");
    }
}
