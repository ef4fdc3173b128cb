namespace Xen.XenStore;

/// <summary>What of a node a transaction relied on. That it is there, or is not, is always part of it.</summary>
[Flags]
internal enum NodeFacets
{
    None = 0,
    Value = 1,
    Permissions = 2,

    /// <summary>Which children there are.</summary>
    Names = 4,

    /// <summary>Everything down to the leaves.</summary>
    Subtree = 8,
}

/// <summary>
/// A transaction: the tree as it was, the tree as it would be, and a log of what was read and changed. Committing merges the changes into
/// the current tree unless something in the log was changed meanwhile: a facet of a node that is not the same object any more.
/// </summary>
/// <remarks>
/// Two transactions that make different children of one node do not conflict, unless one of them listed it. Guarded by the server's lock.
/// </remarks>
internal sealed class StoreTransaction(uint id, StoreTree origin)
{
    private readonly Dictionary<string, NodeFacets> _log = [];
    private readonly Dictionary<string, NodeFacets> _changes = [];
    private readonly HashSet<StoreChange> _seen = [];
    private readonly List<StoreChange> _events = [];

    public uint Id { get; } = id;

    /// <summary>The store when the transaction began.</summary>
    public StoreTree Origin { get; } = origin;

    /// <summary>The store as the transaction sees it.</summary>
    public StoreTree Tree { get; set; } = origin;

    /// <summary>How many paths it used.</summary>
    public int PathCount => _log.Count;

    /// <summary>What watches hear of when it is committed, in order.</summary>
    public IReadOnlyList<StoreChange> Events => _events;

    public bool HasUsed(string path) => _log.ContainsKey(path);

    /// <summary>Notes that the transaction relies on something.</summary>
    public void Note(string path, NodeFacets facets) => _log[path] = _log.GetValueOrDefault(path) | facets;

    /// <summary>Notes that nothing is at the path, from a place in it on.</summary>
    public void NoteMissing(string path, int from)
    {
        for (int end = from; end < path.Length; end++)
        {
            end = path.IndexOf('/', end);
            if (end < 0)
                break;
            Note(path[..end], NodeFacets.None);
        }

        Note(path, NodeFacets.None);
        Note(from <= 1 ? StorePath.Root : path[..(from - 1)], NodeFacets.Permissions);
    }

    /// <summary>Notes a change of a node, or with <see cref="NodeFacets.Subtree"/> of all from there down: made, replaced or removed.</summary>
    public void Change(string path, NodeFacets facets)
    {
        Note(path, facets);
        _changes[path] = _changes.GetValueOrDefault(path) | facets;
    }

    /// <summary>Notes what watches are to hear.</summary>
    public void Announce(in StoreChange change)
    {
        if (_seen.Add(change))
            _events.Add(change);
    }

    /// <summary>Merges the changes into the current tree.</summary>
    /// <returns>False if it conflicts with what happened meanwhile.</returns>
    public bool TryMerge(StoreTree current, out StoreTree merged)
    {
        merged = Tree;
        if (ReferenceEquals(current, Origin))
            return true;
        merged = current;
        foreach ((string path, NodeFacets facets) in _log)
        {
            if (!IsSame(Origin.Find(path), current.Find(path), facets))
                return false;
        }

        foreach ((string path, NodeFacets facets) in _changes)
        {
            if (!IsInsideChange(path))
                merged = Carry(merged, path, facets);
        }

        return true;
    }

    private static bool IsSame(StoreNode? before, StoreNode? now, NodeFacets facets) =>
        ReferenceEquals(before, now)
        || (before is not null && now is not null
            && !facets.HasFlag(NodeFacets.Subtree)
            && (!facets.HasFlag(NodeFacets.Value) || ReferenceEquals(before.Value, now.Value))
            && (!facets.HasFlag(NodeFacets.Permissions) || ReferenceEquals(before.Permissions, now.Permissions))
            && (!facets.HasFlag(NodeFacets.Names) || ReferenceEquals(before.Names, now.Names)));

    private StoreTree Carry(StoreTree to, string path, NodeFacets facets)
    {
        StoreNode? node = Tree.Find(path);
        if (facets.HasFlag(NodeFacets.Subtree) || node is null)
            return to.Graft(path, node);
        if (facets.HasFlag(NodeFacets.Value))
            to = to.WithValue(path, node.Value);
        return facets.HasFlag(NodeFacets.Permissions) ? to.WithPermissions(path, node.Permissions) : to;
    }

    /// <summary>Whether an ancestor's subtree is carried over whole, this with it.</summary>
    private bool IsInsideChange(string path)
    {
        var changes = _changes.GetAlternateLookup<ReadOnlySpan<char>>();
        for (ReadOnlySpan<char> at = path; at.Length > 1;)
        {
            at = StorePath.ParentOf(at);
            if (changes.TryGetValue(at, out NodeFacets facets) && facets.HasFlag(NodeFacets.Subtree))
                return true;
        }

        return false;
    }
}

/// <summary>A change as watches hear of it.</summary>
/// <param name="Path">Where.</param>
/// <param name="Removed">All that was there went, so watches below hear of it too.</param>
internal readonly record struct StoreChange(string Path, bool Removed);
