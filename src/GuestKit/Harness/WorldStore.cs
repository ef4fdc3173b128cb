using System.Collections.Immutable;
using System.Diagnostics;
using Xen.Abi;
using Xen.Rings;

namespace Xen.GuestKit.Harness;

/// <summary>
/// The store of a world: an immutable map of paths, so that a snapshot is a reference and a conflict another one. Permissions are kept and
/// not enforced, there are no quotas; errors for a driver to meet are made with <see cref="Fail"/>.
/// </summary>
public sealed class WorldStore
{
    private readonly Lock _lock = new();
    private readonly List<WorldWatch> _watches = [];
    private readonly object _waiting = new();
    private ImmutableSortedDictionary<string, StoreNode> _nodes = StoreTree.Empty;

    internal WorldStore()
    {
    }

    /// <summary>Decides before every operation of a domain, by its name (read, list, write, mkdir, rm, get-perms, set-perms, watch, commit) and path.</summary>
    public Func<string, string, XenErrno>? Fail { get; set; }

    internal ImmutableSortedDictionary<string, StoreNode> Snapshot
    {
        get
        {
            lock (_lock)
                return _nodes;
        }
    }

    /// <summary>The value of a node, or null if it is not there.</summary>
    public string? Read(string path) => Snapshot.TryGetValue(path, out StoreNode? node) ? node.Value : null;

    /// <summary>Writes a node and its parents.</summary>
    public void Write(string path, string value) => Change(nodes => StoreTree.Write(nodes, path, value, DomId.Dom0), new StoreChange(path, IsRemoval: false));

    /// <summary>Removes a node and all below it.</summary>
    public void Remove(string path) => Change(nodes => StoreTree.Remove(nodes, path), new StoreChange(path, IsRemoval: true));

    /// <summary>Waits until a node has a value; null waits until it is not there.</summary>
    /// <returns>False if that did not happen in time.</returns>
    public bool WaitFor(string path, string? value, TimeSpan patience) => WaitFor(path, v => v == value, patience);

    /// <summary>Waits until a node has a value that a condition accepts; null stands for a node that is not there.</summary>
    /// <returns>False if that did not happen in time.</returns>
    public bool WaitFor(string path, Func<string?, bool> accepts, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(accepts);
        long start = Stopwatch.GetTimestamp();
        lock (_waiting)
        {
            while (!accepts(Read(path)))
            {
                TimeSpan left = patience - Stopwatch.GetElapsedTime(start);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_waiting, left))
                    return accepts(Read(path));
            }
        }

        return true;
    }

    internal bool Commit(ImmutableSortedDictionary<string, StoreNode> from, ImmutableSortedDictionary<string, StoreNode> to, IReadOnlyList<StoreChange> changes)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(_nodes, from))
                return false;
            _nodes = to;
            foreach (StoreChange change in changes)
                Touch(change);
        }

        Announce();
        return true;
    }

    internal void Change(Func<ImmutableSortedDictionary<string, StoreNode>, ImmutableSortedDictionary<string, StoreNode>> apply, StoreChange change)
    {
        lock (_lock)
        {
            _nodes = apply(_nodes);
            Touch(change);
        }

        Announce();
    }

    /// <summary>Fires a special watch.</summary>
    internal void Fire(string special)
    {
        lock (_lock)
            Touch(new StoreChange(special, IsRemoval: false));
    }

    internal void Add(WorldWatch watch)
    {
        lock (_lock)
        {
            _watches.Add(watch);
            watch.Queue(watch.Path);
        }
    }

    internal void RemoveWatch(WorldWatch watch)
    {
        lock (_lock)
            _watches.Remove(watch);
    }

    internal void RemoveAllWatches(WorldStoreConnection? of = null)
    {
        lock (_lock)
            _watches.RemoveAll(w => of is null || w.Owner == of);
    }

    internal IReadOnlyList<string> WatchedBy(WorldStoreConnection owner)
    {
        lock (_lock)
            return [.. _watches.Where(w => w.Owner == owner).Select(w => w.Path)];
    }

    /// <summary>Tells the watches at or above the path, and of a removal those below it, too: what they watch has gone.</summary>
    private void Touch(StoreChange change)
    {
        foreach (WorldWatch watch in _watches)
        {
            if (StoreTree.IsAtOrBelow(change.Path, watch.Path))
                watch.Queue(change.Path);
            else if (change.IsRemoval && StoreTree.IsAtOrBelow(watch.Path, change.Path))
                watch.Queue(watch.Path);
        }
    }

    private void Announce()
    {
        lock (_waiting)
            Monitor.PulseAll(_waiting);
    }
}
