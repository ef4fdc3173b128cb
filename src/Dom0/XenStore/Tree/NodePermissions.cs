using System.Globalization;
using Xen.Abi;
using Xen.Rings;

namespace Xen.XenStore;

/// <summary>
/// The permissions of a node; immutable. The first entry names the owner, who may everything, and says what domains may that have no entry of
/// their own. <b>Source</b>: docs/misc/xenstore.txt, SET_PERMS.
/// </summary>
internal sealed class NodePermissions
{
    /// <summary>Dom0's, and nothing for others: what nodes have whose parents say nothing else.</summary>
    public static readonly NodePermissions Dom0Only = new([new StorePermission(DomId.Dom0, StoreAccess.None)]);

    private readonly StorePermission[] _entries;

    public NodePermissions(StorePermission[] entries)
    {
        ArgumentOutOfRangeException.ThrowIfZero(entries.Length);
        _entries = entries;
    }

    public IReadOnlyList<StorePermission> Entries => _entries;

    public int Count => _entries.Length;

    public DomId Owner => _entries[0].Domain;

    public NodeRights RightsOf(in StoreIdentity who)
    {
        if (who.IsPrivileged || who.Is(Owner))
            return NodeRights.All;
        for (int i = 1; i < _entries.Length; i++)
        {
            if (who.Is(_entries[i].Domain))
                return (NodeRights)_entries[i].Access;
        }

        return (NodeRights)_entries[0].Access;
    }

    /// <summary>What a new node below gets: the same, but that an unprivileged creator owns it.</summary>
    public NodePermissions ForChildOf(in StoreIdentity creator)
    {
        if (creator.IsPrivileged || Owner == creator.Domain)
            return this;
        StorePermission[] entries = [.. _entries];
        entries[0] = new StorePermission(creator.Domain, entries[0].Access);
        return new NodePermissions(entries);
    }

    /// <summary>The same without a domain that is gone: Dom0 owns what it owned. The same object if it has no part in it.</summary>
    public NodePermissions Without(DomId domain)
    {
        if (!_entries.Any(e => e.Domain == domain))
            return this;
        IEnumerable<StorePermission> others = _entries.Skip(1).Where(e => e.Domain != domain);
        StorePermission first = Owner == domain ? new StorePermission(DomId.Dom0, _entries[0].Access) : _entries[0];
        return new NodePermissions([first, .. others]);
    }

    /// <summary>One entry as it is written: "r5".</summary>
    public static string Format(StorePermission entry) =>
        (entry.Access & StoreAccess.Both) switch { StoreAccess.Both => "b", StoreAccess.Read => "r", StoreAccess.Write => "w", _ => "n" }
        + entry.Domain.Value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Reads one entry.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out StorePermission entry)
    {
        entry = default;
        if (text.Length < 2 || !WireText.TryDomain(text[1..], out DomId domain))
            return false;
        StoreAccess? access = text[0] switch
        {
            (byte)'n' => StoreAccess.None,
            (byte)'r' => StoreAccess.Read,
            (byte)'w' => StoreAccess.Write,
            (byte)'b' => StoreAccess.Both,
            _ => null,
        };
        entry = new StorePermission(domain, access.GetValueOrDefault());
        return access is not null;
    }
}
