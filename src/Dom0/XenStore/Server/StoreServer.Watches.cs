using Xen.Abi;

namespace Xen.XenStore;

// Watches: who hears of which change.
public sealed partial class StoreServer
{
    /// <summary>Sets a watch. Its first event is sent by <see cref="FireFirst"/>, so that a reply can go before it.</summary>
    /// <returns>OK; EINVAL for a wrong path or depth; EEXIST for a path and token that are set already; E2BIG for too many.</returns>
    internal XenErrno AddWatch(StoreClient client, string given, string token, int? depth, Action<string>? handler, out StoreWatch? watch)
    {
        watch = null;
        string path = given;
        if (StorePath.IsSpecial(given))
        {
            if (given.Length > XenStoreLimits.RelPathMax || depth is not (null or 1))
                return XenErrno.EINVAL;
        }
        else if (!StorePath.TryResolve(given, client.Domain.Id, client.Quotas, out path))
        {
            return XenErrno.EINVAL;
        }

        lock (_lock)
        {
            if (client.IsClosed)
                return XenErrno.EIO;
            if (_watches.Find(client, path, token) is not null)
                return XenErrno.EEXIST;
            if (StoreQuotas.IsOver(client.Quotas?.Watches ?? 0, client.Domain.Watches + 1))
            {
                client.Exceed("watches");
                return XenErrno.E2BIG;
            }

            watch = new StoreWatch(client, path, given, token, depth) { Handler = handler };
            _watches.Add(watch);
            client.Watches.Add(watch);
            client.Domain.Watches++;
            return XenErrno.OK;
        }
    }

    /// <summary>The event that each watch gets when it is set.</summary>
    internal void FireFirst(StoreWatch watch)
    {
        lock (_lock)
        {
            if (watch.IsSet)
                watch.Client.Notify(watch, watch.Given);
        }
    }

    /// <summary>Ends a watch.</summary>
    /// <returns>OK, or ENOENT if the client has none such.</returns>
    internal XenErrno RemoveWatch(StoreClient client, string given, string token)
    {
        string path = StorePath.IsRelative(given) ? StorePath.HomeOf(client.Domain.Id) + "/" + given : given;
        lock (_lock)
        {
            StoreWatch? watch = _watches.Find(client, path, token);
            if (watch is null)
                return XenErrno.ENOENT;
            client.Watches.Remove(watch);
            Drop(watch);
            return XenErrno.OK;
        }
    }

    /// <summary>Tells the watchers of a change that has become true.</summary>
    private void Announce(in StoreChange change, StoreTree before, StoreTree after)
    {
        if (_watches.Count == 0)
            return;
        string path = change.Path;
        StoreNode? old = before.Find(path);
        ReadOnlySpan<char> up = StorePath.ParentOf(path);
        StoreNode? parent = after.Find(up) ?? before.Find(up);
        if (change.Removed && old is not null && old.Names.Length > 0)
        {
            // The longest path there can be; names are put behind one another while the walk goes down.
            char[] name = new char[XenStoreLimits.AbsPathMax + 1];
            path.CopyTo(name);
            FireBelow(old, name, path.Length);
        }

        StoreNode? node = after.Find(path) ?? old;
        for (ReadOnlySpan<char> at = path; ; at = StorePath.ParentOf(at))
        {
            foreach (StoreWatch watch in _watches.On(at))
            {
                if (watch.Reaches(path) && MaySee(watch.Client.Identity, node, old, parent))
                    watch.Client.Notify(watch, watch.NameOf(path));
            }

            if (at.Length <= 1)
                return;
        }
    }

    /// <summary>A removed node's children went with it: their own watches, and those only, are told, the deepest first.</summary>
    private void FireBelow(StoreNode removed, char[] name, int length)
    {
        name[length] = '/';
        for (int i = 0; i < removed.Names.Length; i++)
        {
            StoreNode child = removed.Children[i];
            int end = length + 1 + removed.Names[i].Length;
            removed.Names[i].CopyTo(name.AsSpan(length + 1));
            FireBelow(child, name, end);
            foreach (StoreWatch watch in _watches.On(name.AsSpan(0, end)))
            {
                if (MaySee(watch.Client.Identity, child, null, removed))
                    watch.Client.Notify(watch, watch.Given);
            }
        }
    }

    /// <summary>Whether somebody may know that a node changed: who may read it, or could before, or may read its parent.</summary>
    private static bool MaySee(in StoreIdentity who, StoreNode? node, StoreNode? old, StoreNode? parent) =>
        who.IsPrivileged || MayRead(who, node) || MayRead(who, old) || MayRead(who, parent);

    private static bool MayRead(in StoreIdentity who, StoreNode? node) =>
        node is not null && node.Permissions.RightsOf(who).HasFlag(NodeRights.Read);
}
