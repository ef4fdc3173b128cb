using System.Globalization;

namespace Xen.Toolstack;

/// <summary>The names and UUIDs of a machine's domains: each belongs to one at a time.</summary>
/// <remarks>Any thread; the lock is a leaf.</remarks>
internal sealed class DomainNames
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, string> _uuids = [];

    /// <summary>Takes a new domain's name and UUID.</summary>
    /// <exception cref="ToolstackException">Another domain has one of them.</exception>
    public void Take(string name, Guid uuid)
    {
        lock (_lock)
        {
            if (_taken.Contains(name))
                throw new ToolstackException($"a domain named '{name}' exists already: choose another name=.");
            if (!_uuids.TryAdd(uuid, name))
                throw new ToolstackException($"domain '{_uuids[uuid]}' has the UUID {uuid} of '{name}': leave uuid= out, or give each its own.");
            _taken.Add(name);
        }
    }

    /// <summary>Whether a domain has this UUID.</summary>
    public bool Has(Guid uuid)
    {
        lock (_lock)
            return _uuids.ContainsKey(uuid);
    }

    /// <summary>Takes a name for what is left of a domain: its name with the first number behind it that is free; and a UUID.</summary>
    public string TakeNumbered(string name, out Guid uuid)
    {
        lock (_lock)
        {
            for (int number = 1; ; number++)
            {
                string behind = string.Create(CultureInfo.InvariantCulture, $"-{number}");
                string numbered = name[..Math.Min(name.Length, DomainNameSyntax.Most - behind.Length)] + behind;
                if (!_taken.Add(numbered))
                    continue;
                uuid = Guid.NewGuid();
                _uuids.Add(uuid, numbered);
                return numbered;
            }
        }
    }

    /// <summary>Takes another name for a domain; it keeps the one that it has, too, until that is released.</summary>
    /// <exception cref="ToolstackException">It is no name, or another domain has it.</exception>
    public void TakeAnother(string name, string other)
    {
        if (!DomainNameSyntax.IsLawful(other))
            throw new ToolstackException($"a domain cannot be named '{other}': a name is {DomainNameSyntax.Rule}.");
        lock (_lock)
        {
            if (!_taken.Add(other))
                throw new ToolstackException($"'{name}' cannot be renamed, because a domain named '{other}' exists already: choose another name.");
        }
    }

    /// <summary>A name is free: its domain has another.</summary>
    public void Release(string name)
    {
        lock (_lock)
            _taken.Remove(name);
    }

    /// <summary>A domain has ended: its name and UUID are free.</summary>
    public void Release(string name, Guid uuid)
    {
        lock (_lock)
        {
            _taken.Remove(name);
            _uuids.Remove(uuid);
        }
    }
}
