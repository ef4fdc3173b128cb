using System.Collections.Immutable;
using Xen.Abi;
using Xen.Rings;

namespace Xen.GuestKit.Harness;

/// <summary>A domain's connection to the world's store.</summary>
public sealed class WorldStoreConnection : IStorePort
{
    private readonly WorldStore _store;
    private readonly DomId _domain;
    private readonly string _home;

    internal WorldStoreConnection(WorldStore store, DomId domain, string home) => (_store, _domain, _home) = (store, domain, home);

    /// <inheritdoc/>
    public XenErrno Read(string path, out string value)
    {
        (XenErrno error, value) = Once(view => (view.Read(path, out string v), v));
        return error;
    }

    /// <inheritdoc/>
    public XenErrno List(string path, out IReadOnlyList<string> names)
    {
        (XenErrno error, names) = Once(view => (view.List(path, out IReadOnlyList<string> n), n));
        return error;
    }

    /// <inheritdoc/>
    public XenErrno GetPermissions(string path, out IReadOnlyList<StorePermission> permissions)
    {
        (XenErrno error, permissions) = Once(view => (view.GetPermissions(path, out IReadOnlyList<StorePermission> p), p));
        return error;
    }

    /// <inheritdoc/>
    public XenErrno Write(string path, string value) => Run(view => view.Write(path, value));

    /// <inheritdoc/>
    public XenErrno MakeDirectory(string path) => Run(view => view.MakeDirectory(path));

    /// <inheritdoc/>
    public XenErrno Remove(string path) => Run(view => view.Remove(path));

    /// <inheritdoc/>
    public XenErrno SetPermissions(string path, IReadOnlyList<StorePermission> permissions) => Run(view => view.SetPermissions(path, permissions));

    /// <inheritdoc/>
    public XenErrno Transact(Func<IStoreView, XenErrno> body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return _store.Fail?.Invoke("commit", "") is { } fault and not XenErrno.OK ? fault : Run(body);
    }

    /// <inheritdoc/>
    public XenErrno Watch(string path, Action<string> changed, out IDisposable? watch)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(changed);
        watch = null;
        string absolute = path;
        if (!path.StartsWith('@') && StoreTree.Resolve(path, _home, out absolute) is var error and not XenErrno.OK)
            return error;
        if (_store.Fail?.Invoke("watch", absolute) is { } fault and not XenErrno.OK)
            return fault;

        // Events of a relative watch have relative paths.
        int cut = path.StartsWith('/') || path.StartsWith('@') ? 0 : _home.Length + 1;
        WorldWatch made = new(_store, this, absolute, cut, changed);
        _store.Add(made);
        watch = made;
        return XenErrno.OK;
    }

    internal IEnumerable<string> Held() => _store.WatchedBy(this).Select(path => $"{_domain} watches {path}");

    internal void RemoveWatches() => _store.RemoveAllWatches(this);

    private (XenErrno Error, T Result) Once<T>(Func<WorldStoreView, (XenErrno Error, T Result)> read) =>
        read(new WorldStoreView(_store, _store.Snapshot, _domain, _home));

    private XenErrno Run(Func<WorldStoreView, XenErrno> body)
    {
        for (; ; )
        {
            ImmutableSortedDictionary<string, StoreNode> from = _store.Snapshot;
            WorldStoreView view = new(_store, from, _domain, _home);
            XenErrno error = body(view);
            if (error != XenErrno.OK || view.Changes.Count == 0 || _store.Commit(from, view.Nodes, view.Changes))
                return error;
        }
    }
}

/// <summary>A snapshot of the store with changes of one's own.</summary>
internal sealed class WorldStoreView(WorldStore store, ImmutableSortedDictionary<string, StoreNode> nodes, DomId domain, string home) : IStoreView
{
    private readonly List<StoreChange> _changes = [];

    public ImmutableSortedDictionary<string, StoreNode> Nodes => nodes;

    public IReadOnlyList<StoreChange> Changes => _changes;

    public XenErrno Read(string path, out string value)
    {
        XenErrno error = Find("read", path, out _, out StoreNode? node);
        value = node?.Value ?? "";
        return error;
    }

    public XenErrno List(string path, out IReadOnlyList<string> names)
    {
        XenErrno error = Find("list", path, out string absolute, out _);
        names = error == XenErrno.OK ? StoreTree.Children(nodes, absolute) : [];
        return error;
    }

    public XenErrno GetPermissions(string path, out IReadOnlyList<StorePermission> permissions)
    {
        XenErrno error = Find("get-perms", path, out _, out StoreNode? node);
        permissions = node is null ? [] : node.Permissions;
        return error;
    }

    public XenErrno Write(string path, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        XenErrno error = Begin("write", path, out string absolute);
        if (error == XenErrno.OK)
            Apply(StoreTree.Write(nodes, absolute, value, domain), absolute);
        return error;
    }

    public XenErrno MakeDirectory(string path)
    {
        XenErrno error = Begin("mkdir", path, out string absolute);
        if (error == XenErrno.OK && !nodes.ContainsKey(absolute))
            Apply(StoreTree.Write(nodes, absolute, "", domain), absolute);
        return error;
    }

    public XenErrno Remove(string path)
    {
        XenErrno error = Begin("rm", path, out string absolute);
        if (error != XenErrno.OK)
            return error;
        if (absolute == "/")
            return XenErrno.EINVAL;
        if (!nodes.ContainsKey(absolute))
            return nodes.ContainsKey(StoreTree.Parent(absolute)) ? XenErrno.OK : XenErrno.ENOENT;
        Apply(StoreTree.Remove(nodes, absolute), absolute, isRemoval: true);
        return XenErrno.OK;
    }

    public XenErrno SetPermissions(string path, IReadOnlyList<StorePermission> permissions)
    {
        ArgumentNullException.ThrowIfNull(permissions);
        XenErrno error = Find("set-perms", path, out string absolute, out StoreNode? node);
        if (error != XenErrno.OK || permissions.Count == 0)
            return error == XenErrno.OK ? XenErrno.EINVAL : error;
        Apply(nodes.SetItem(absolute, node! with { Permissions = [.. permissions] }), absolute);
        return XenErrno.OK;
    }

    private XenErrno Find(string operation, string path, out string absolute, out StoreNode? node)
    {
        node = null;
        XenErrno error = Begin(operation, path, out absolute);
        return error == XenErrno.OK && !nodes.TryGetValue(absolute, out node) ? XenErrno.ENOENT : error;
    }

    private XenErrno Begin(string operation, string path, out string absolute)
    {
        ArgumentNullException.ThrowIfNull(path);
        XenErrno error = StoreTree.Resolve(path, home, out absolute);
        return error == XenErrno.OK ? store.Fail?.Invoke(operation, absolute) ?? XenErrno.OK : error;
    }

    private void Apply(ImmutableSortedDictionary<string, StoreNode> changed, string path, bool isRemoval = false)
    {
        nodes = changed;
        _changes.Add(new StoreChange(path, isRemoval));
    }
}
