using System.Collections.Immutable;
using Xen.Abi;

namespace Xen.XenStore;

/// <summary>
/// The whole store at one time; immutable: a snapshot is a reference to it. Start reading here, then StoreTransaction (what changed between two
/// trees), TreeOperations (who may do what with one), StoreServer (the current one, watches, clients).
/// </summary>
/// <remarks>Paths are absolute and valid (<see cref="StorePath"/>). Edits return the changed tree; for a node that is not there they return the same.</remarks>
internal sealed class StoreTree
{
    private readonly ImmutableDictionary<DomId, int> _owned;

    private StoreTree(StoreNode root, ulong generation, ImmutableDictionary<DomId, int> owned)
    {
        Root = root;
        Generation = generation;
        _owned = owned;
    }

    /// <summary>A new store: what Xen's has when it starts.</summary>
    public static StoreTree Initial { get; } = new StoreTree(
            StoreNode.Leaf([], NodePermissions.Dom0Only, 0), 0, ImmutableDictionary<DomId, int>.Empty.Add(DomId.Dom0, 1))
        .Graft("/tool", StoreNode.Leaf([], NodePermissions.Dom0Only, 0))
        .Graft("/tool/xenstored", StoreNode.Leaf([], NodePermissions.Dom0Only, 0));

    public StoreNode Root { get; }

    /// <summary>Goes up with each edit.</summary>
    public ulong Generation { get; }

    /// <summary>Nodes per owner; no entry for those without any.</summary>
    public IReadOnlyDictionary<DomId, int> Owned => _owned;

    public int OwnedBy(DomId domain) => _owned.GetValueOrDefault(domain);

    public StoreNode? Find(ReadOnlySpan<char> path) => Walk(path, out _, out _);

    /// <summary>Finds a node, or how far the way to it goes.</summary>
    /// <param name="path">Where.</param>
    /// <param name="nearest">The node, or its nearest ancestor that is there.</param>
    /// <param name="missing">Where in the path the first missing name begins; the path's length if none is missing.</param>
    public StoreNode? Walk(ReadOnlySpan<char> path, out StoreNode nearest, out int missing)
    {
        nearest = Root;
        int start = 1;
        while (start < path.Length)
        {
            int end = NameEnd(path, start);
            StoreNode? child = nearest.Child(path[start..end]);
            if (child is null)
            {
                missing = start;
                return null;
            }

            nearest = child;
            start = end + 1;
        }

        missing = path.Length;
        return nearest;
    }

    public StoreTree WithValue(string path, byte[] value) =>
        Find(path) is { } node ? Put(path, node.WithValue(value, Generation + 1), _owned) : this;

    public StoreTree WithPermissions(string path, NodePermissions permissions)
    {
        if (Find(path) is not { } node)
            return this;
        ImmutableDictionary<DomId, int> owned = node.Permissions.Owner == permissions.Owner
            ? _owned
            : Count(Count(_owned, node.Permissions.Owner, -1), permissions.Owner, 1);
        return Put(path, node.WithPermissions(permissions, Generation + 1), owned);
    }

    /// <summary>Puts a node and all below it in place of what is there; null removes. The parent must be there. Not for "/".</summary>
    public StoreTree Graft(string path, StoreNode? node)
    {
        StoreNode? old = Find(path);
        if (old is null && node is null)
            return this;
        Dictionary<DomId, int> change = [];
        Tally(old, -1, change);
        Tally(node, 1, change);
        ImmutableDictionary<DomId, int> owned = _owned;
        foreach ((DomId owner, int by) in change)
            owned = Count(owned, owner, by);
        return Put(path, node, owned);
    }

    /// <summary>The tree without any right of a domain that is gone; what it owned is Dom0's. Its number can be given to another.</summary>
    public StoreTree WithoutDomain(DomId domain)
    {
        StoreNode root = Purge(Root, domain, Generation + 1);
        if (ReferenceEquals(root, Root))
            return this;
        int had = OwnedBy(domain);
        return new StoreTree(root, Generation + 1, had == 0 ? _owned : Count(_owned.Remove(domain), DomId.Dom0, had));
    }

    private static int NameEnd(ReadOnlySpan<char> path, int start)
    {
        int length = path[start..].IndexOf('/');
        return length < 0 ? path.Length : start + length;
    }

    private StoreTree Put(string path, StoreNode? node, ImmutableDictionary<DomId, int> owned) =>
        new(path.Length == 1 ? node! : Rebuild(Root, path, 1, node, Generation + 1), Generation + 1, owned);

    private static StoreNode Rebuild(StoreNode node, ReadOnlySpan<char> path, int start, StoreNode? leaf, ulong generation)
    {
        int end = NameEnd(path, start);
        ReadOnlySpan<char> name = path[start..end];
        if (end < path.Length)
            leaf = Rebuild(node.Child(name) ?? throw new InvalidOperationException("a node without its parent"), path, end + 1, leaf, generation);
        return node.WithChild(name, leaf, generation);
    }

    private static StoreNode Purge(StoreNode node, DomId domain, ulong generation)
    {
        StoreNode[]? changed = null;
        for (int i = 0; i < node.Children.Length; i++)
        {
            StoreNode child = Purge(node.Children[i], domain, generation);
            if (!ReferenceEquals(child, node.Children[i]))
                (changed ??= node.Children.ToArray())[i] = child;
        }

        if (changed is not null)
            node = node.WithChildren(changed);
        NodePermissions permissions = node.Permissions.Without(domain);
        return ReferenceEquals(permissions, node.Permissions) ? node : node.WithPermissions(permissions, generation);
    }

    private static void Tally(StoreNode? node, int by, Dictionary<DomId, int> change)
    {
        if (node is null)
            return;
        change[node.Permissions.Owner] = change.GetValueOrDefault(node.Permissions.Owner) + by;
        foreach (StoreNode child in node.Children)
            Tally(child, by, change);
    }

    private static ImmutableDictionary<DomId, int> Count(ImmutableDictionary<DomId, int> owned, DomId owner, int by)
    {
        int count = owned.GetValueOrDefault(owner) + by;
        return count == 0 ? owned.Remove(owner) : owned.SetItem(owner, count);
    }
}
