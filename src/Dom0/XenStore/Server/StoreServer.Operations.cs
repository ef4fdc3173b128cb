using Xen.Abi;

namespace Xen.XenStore;

// What clients do with nodes, in a transaction or outside of one. Paths are absolute and valid.
public sealed partial class StoreServer
{
    /// <summary>Reads a node; the facets are what of it the client looks at.</summary>
    internal XenErrno Read(StoreClient client, uint transaction, string path, NodeFacets facets, out StoreNode? node)
    {
        if (transaction == 0)
            return TreeOperations.Read(_tree, new TreeCaller(client.Identity, client.Quotas, null), path, facets, out node);
        lock (_lock)
        {
            node = null;
            XenErrno error = Enter(client, transaction, path, out StoreTransaction? log);
            return error == XenErrno.OK ? TreeOperations.Read(log!.Tree, CallerOf(client, log), path, facets, out node) : error;
        }
    }

    /// <summary>Writes a value, which belongs to the store from now on.</summary>
    internal XenErrno Write(StoreClient client, uint transaction, string path, byte[] value)
    {
        lock (_lock)
        {
            XenErrno error = Enter(client, transaction, path, out StoreTransaction? log);
            if (error != XenErrno.OK)
                return error;
            StoreTree tree = log?.Tree ?? _tree;
            error = TreeOperations.Write(ref tree, CallerOf(client, log), path, value, out string? exceeded);
            return Finish(client, log, tree, error, exceeded, new StoreChange(path, Removed: false));
        }
    }

    internal XenErrno MakeDirectory(StoreClient client, uint transaction, string path)
    {
        lock (_lock)
        {
            XenErrno error = Enter(client, transaction, path, out StoreTransaction? log);
            if (error != XenErrno.OK)
                return error;
            StoreTree tree = log?.Tree ?? _tree;
            error = TreeOperations.MakeDirectory(ref tree, CallerOf(client, log), path, out string? exceeded);
            return Finish(client, log, tree, error, exceeded, new StoreChange(path, Removed: false));
        }
    }

    internal XenErrno Remove(StoreClient client, uint transaction, string path)
    {
        lock (_lock)
        {
            XenErrno error = Enter(client, transaction, path, out StoreTransaction? log);
            if (error != XenErrno.OK)
                return error;
            StoreTree tree = log?.Tree ?? _tree;
            error = TreeOperations.Remove(ref tree, CallerOf(client, log), path);
            return Finish(client, log, tree, error, null, new StoreChange(path, Removed: true));
        }
    }

    /// <summary>The permissions of a node, or of a special watch.</summary>
    internal XenErrno GetPermissions(StoreClient client, uint transaction, string path, out NodePermissions? permissions)
    {
        permissions = null;
        if (StorePath.IsSpecial(path))
        {
            lock (_lock)
            {
                if (!_special.TryGetValue(path, out permissions))
                    return client.Identity.IsPrivileged ? XenErrno.ENOENT : XenErrno.EACCES;
                if (permissions.RightsOf(client.Identity).HasFlag(NodeRights.Read))
                    return XenErrno.OK;
                permissions = null;
                return XenErrno.EACCES;
            }
        }

        XenErrno error = Read(client, transaction, path, NodeFacets.Permissions, out StoreNode? node);
        permissions = node?.Permissions;
        return error;
    }

    internal XenErrno SetPermissions(StoreClient client, uint transaction, string path, NodePermissions permissions)
    {
        lock (_lock)
        {
            if (StoreQuotas.IsOver(client.Quotas?.Permissions ?? 0, permissions.Count))
            {
                client.Exceed("permissions");
                return XenErrno.ENOSPC;
            }

            if (StorePath.IsSpecial(path))
            {
                if (!client.Identity.IsPrivileged)
                    return XenErrno.EACCES;
                if (!_special.ContainsKey(path))
                    return XenErrno.ENOENT;
                _special[path] = permissions;
                return XenErrno.OK;
            }

            XenErrno error = Enter(client, transaction, path, out StoreTransaction? log);
            if (error != XenErrno.OK)
                return error;
            StoreTree tree = log?.Tree ?? _tree;
            error = TreeOperations.SetPermissions(ref tree, CallerOf(client, log), path, permissions, out string? exceeded);
            return Finish(client, log, tree, error, exceeded, new StoreChange(path, Removed: false));
        }
    }

    /// <summary>Whether a client has such a transaction; 0 is always right.</summary>
    internal bool HasTransaction(StoreClient client, uint transaction)
    {
        if (transaction == 0)
            return true;
        lock (_lock)
            return client.Transactions.ContainsKey(transaction);
    }

    internal XenErrno StartTransaction(StoreClient client, out uint id)
    {
        lock (_lock)
        {
            id = 0;
            if (client.IsClosed)
                return XenErrno.EIO;
            if (StoreQuotas.IsOver(client.Quotas?.Transactions ?? 0, client.Domain.Transactions + 1))
            {
                client.Exceed("transactions");
                return XenErrno.ENOSPC;
            }

            id = client.NextTransactionId();
            client.Transactions.Add(id, new StoreTransaction(id, _tree));
            client.Domain.Transactions++;
            return XenErrno.OK;
        }
    }

    /// <summary>Ends a transaction, whatever comes of it.</summary>
    /// <returns>OK; EAGAIN if somebody else's change is in the way; ENOSPC if the client would own too much; ENOENT if there is none.</returns>
    internal XenErrno EndTransaction(StoreClient client, uint id, bool commit)
    {
        lock (_lock)
        {
            if (!client.Transactions.Remove(id, out StoreTransaction? ended))
                return XenErrno.ENOENT;
            client.Domain.Transactions--;
            if (!commit)
                return XenErrno.OK;
            StoreTree before = _tree;
            if (!ended.TryMerge(before, out StoreTree after))
                return XenErrno.EAGAIN;
            DomId self = client.Domain.Id;
            if (after.OwnedBy(self) > before.OwnedBy(self) && StoreQuotas.IsOver(client.Quotas?.Nodes ?? 0, after.OwnedBy(self)))
            {
                client.Exceed("nodes");
                return XenErrno.ENOSPC;
            }

            _tree = after;
            foreach (StoreChange change in ended.Events)
                Announce(change, before, after);
            return XenErrno.OK;
        }
    }

    private static TreeCaller CallerOf(StoreClient client, StoreTransaction? log) => new(client.Identity, client.Quotas, log);

    /// <summary>Before an operation: finds its transaction and checks that it may use one path more.</summary>
    private static XenErrno Enter(StoreClient client, uint transaction, string path, out StoreTransaction? log)
    {
        log = null;
        if (client.IsClosed)
            return XenErrno.EIO;
        if (transaction == 0)
            return XenErrno.OK;
        if (!client.Transactions.TryGetValue(transaction, out log))
            return XenErrno.ENOENT;
        if (!StoreQuotas.IsOver(client.Quotas?.TransactionNodes ?? 0, log.PathCount + 1) || log.HasUsed(path))
            return XenErrno.OK;
        client.Exceed("transaction-nodes");
        return XenErrno.ENOSPC;
    }

    /// <summary>After a change: makes the new tree the current one, the transaction's or everybody's.</summary>
    private XenErrno Finish(StoreClient client, StoreTransaction? log, StoreTree tree, XenErrno error, string? exceeded, in StoreChange change)
    {
        if (exceeded is not null)
            client.Exceed(exceeded);
        StoreTree before = log?.Tree ?? _tree;
        if (error != XenErrno.OK || ReferenceEquals(before, tree))
            return error;
        if (log is not null)
        {
            log.Tree = tree;
            log.Announce(change);
            return error;
        }

        _tree = tree;
        Announce(change, before, tree);
        return error;
    }
}
