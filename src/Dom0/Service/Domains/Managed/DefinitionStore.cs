using System.Text.Json;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>The managed domains, each in a file of its own that is there whole or not at all.</summary>
/// <remarks>Threads: any.</remarks>
internal sealed class DefinitionStore
{
    private readonly Lock _lock = new();
    private readonly string _folder;
    private readonly Dictionary<Guid, DomainDefinition> _definitions = [];

    /// <summary>Those that are there and could not be used: what belongs to them is not to be touched.</summary>
    private readonly HashSet<Guid> _leftOut = [];

    /// <summary>Reads what is there. What cannot be read is said, and left as it is.</summary>
    /// <param name="folder">The files.</param>
    /// <param name="log">Where to say so.</param>
    /// <exception cref="ToolstackException">The folder cannot be read.</exception>
    public DefinitionStore(string folder, XendLog log)
    {
        _folder = folder;
        try
        {
            PrivateFolder.Make(folder, "XEN_STATE_DIR");
            foreach (string path in Directory.EnumerateFiles(folder, "*" + DurableFile.Unfinished))
                File.Delete(path);
            foreach (string path in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
                Load(path, log);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"the managed domains in {folder} cannot be read: {fault.Message} Set XEN_STATE_DIR to a folder of your own.", fault);
        }
    }

    /// <summary>UUIDs of all that are there, usable or not: what domains have written belongs to them.</summary>
    public IReadOnlySet<Guid> Uuids
    {
        get
        {
            lock (_lock)
                return _definitions.Keys.Concat(_leftOut).ToHashSet();
        }
    }

    /// <summary>All, by name.</summary>
    public IReadOnlyList<DomainDefinition> All
    {
        get
        {
            lock (_lock)
                return [.. _definitions.Values.OrderBy(static definition => definition.Name, StringComparer.Ordinal)];
        }
    }

    /// <summary>The one of this name, or null.</summary>
    public DomainDefinition? Find(string name)
    {
        lock (_lock)
            return _definitions.Values.FirstOrDefault(definition => definition.Name == name);
    }

    /// <summary>The one of this UUID, or null.</summary>
    public DomainDefinition? Find(Guid uuid)
    {
        lock (_lock)
            return _definitions.GetValueOrDefault(uuid);
    }

    /// <summary>Adds one; when this returns it is on the disk.</summary>
    /// <exception cref="ToolstackException">Another has its name or UUID, or it cannot be written.</exception>
    public void Add(DomainDefinition definition)
    {
        lock (_lock)
        {
            CheckName(definition.Name);
            if (_definitions.TryGetValue(definition.Uuid, out DomainDefinition? other))
                throw new ToolstackException($"the managed domain '{other.Name}' has the UUID {definition.Uuid}, too: leave uuid= out, or give each its own.");
            Save(definition);
        }
    }

    /// <summary>Gives one another name; does nothing if it has just been forgotten.</summary>
    /// <exception cref="ToolstackException">As for <see cref="Add"/>.</exception>
    public void Rename(Guid uuid, string name)
    {
        lock (_lock)
        {
            if (!_definitions.TryGetValue(uuid, out DomainDefinition? definition))
                return;
            if (definition.Name == name)
                return;
            CheckName(name);
            Save(definition with { Name = name });
        }
    }

    /// <summary>Forgets one.</summary>
    /// <exception cref="ToolstackException">Its file cannot be removed.</exception>
    public void Remove(Guid uuid)
    {
        lock (_lock)
        {
            Do(() => DurableFile.Delete(PathOf(uuid)));
            _definitions.Remove(uuid);
        }
    }

    private void Load(string path, XendLog log)
    {
        string reason;
        try
        {
            DomainDefinition? definition = JsonSerializer.Deserialize(File.ReadAllBytes(path), DefinitionJson.Default.DomainDefinition);
            if (definition is not { Version: DomainDefinition.CurrentVersion })
                reason = "it was written by another version";
            else if (PathOf(definition.Uuid) != path)
                reason = $"its name should be {definition.Uuid}.json";
            else if (_definitions.Values.FirstOrDefault(other => other.Name == definition.Name) is { } other)
                reason = $"{PathOf(other.Uuid)} has the name '{other.Name}', too";
            else if (_definitions.TryAdd(definition.Uuid, definition))
                return;
            else
                reason = "it is there twice";
        }
        catch (Exception fault) when (fault is JsonException or IOException or UnauthorizedAccessException)
        {
            reason = fault.Message;
        }

        log.Write($"the managed domain in {path} is left out: {reason}");
        if (Guid.TryParseExact(Path.GetFileNameWithoutExtension(path), "D", out Guid uuid))
            _leftOut.Add(uuid);
    }

    private void CheckName(string name)
    {
        if (_definitions.Values.Any(other => other.Name == name))
            throw new ToolstackException($"a managed domain is named '{name}' already: choose another name=, or xm delete {name} forgets it.");
    }

    private void Save(DomainDefinition definition)
    {
        Do(() => DurableFile.Write(PathOf(definition.Uuid), JsonSerializer.SerializeToUtf8Bytes(definition, DefinitionJson.Default.DomainDefinition)));
        _definitions[definition.Uuid] = definition;
    }

    private static void Do(Action work)
    {
        try
        {
            work();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"the managed domain cannot be kept: {fault.Message}", fault);
        }
    }

    private string PathOf(Guid uuid) => Path.Combine(_folder, $"{uuid:D}.json");
}
