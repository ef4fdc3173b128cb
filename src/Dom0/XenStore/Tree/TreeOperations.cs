using Xen.Abi;

namespace Xen.XenStore;

/// <summary>Who does what in which view of the store.</summary>
/// <param name="Who">The caller.</param>
/// <param name="Quotas">Its limits; null for the privileged.</param>
/// <param name="Log">The transaction that has to know, or null outside of one.</param>
internal readonly record struct TreeCaller(StoreIdentity Who, StoreQuotas? Quotas, StoreTransaction? Log);

/// <summary>
/// Reads and changes of a tree with the rights, limits and errors of Xen's xenstored. All are functions of the tree; a transaction notes what they
/// relied on.
/// </summary>
internal static class TreeOperations
{
    /// <summary>Finds a node that the caller may use so.</summary>
    /// <remarks>
    /// Whether a node is missing is told to those only who have the right for its nearest ancestor; all others get EACCES, be it there or not.
    /// </remarks>
    /// <returns>OK, ENOENT or EACCES.</returns>
    public static XenErrno Find(StoreTree tree, in TreeCaller caller, string path, NodeRights need, out StoreNode? node)
    {
        node = tree.Walk(path, out StoreNode nearest, out int missing);
        NodeRights rights = nearest.Permissions.RightsOf(caller.Who) & need;
        if (node is null)
        {
            caller.Log?.NoteMissing(path, missing);
            return rights != 0 ? XenErrno.ENOENT : XenErrno.EACCES;
        }

        caller.Log?.Note(path, NodeFacets.Permissions);
        if (rights == need)
            return XenErrno.OK;
        node = null;
        return XenErrno.EACCES;
    }

    /// <summary>Reads a node; the facets are what of it the caller looks at.</summary>
    public static XenErrno Read(StoreTree tree, in TreeCaller caller, string path, NodeFacets facets, out StoreNode? node)
    {
        XenErrno error = Find(tree, caller, path, NodeRights.Read, out node);
        if (error == XenErrno.OK)
            caller.Log?.Note(path, facets);
        return error;
    }

    /// <summary>Writes a value, making the node and its parents if they are not there.</summary>
    /// <param name="tree">Before and after.</param>
    /// <param name="caller">Who.</param>
    /// <param name="path">Where.</param>
    /// <param name="value">What; belongs to the tree from now on.</param>
    /// <param name="exceeded">The limit that was in the way, or null.</param>
    public static XenErrno Write(ref StoreTree tree, in TreeCaller caller, string path, byte[] value, out string? exceeded)
    {
        exceeded = null;
        XenErrno error = Find(tree, caller, path, NodeRights.Write, out StoreNode? node);
        if (error == XenErrno.ENOENT)
            return Create(ref tree, caller, path, value, out exceeded);
        if (error != XenErrno.OK)
            return error;
        if (IsTooLarge(caller, StoreNode.SizeOf(value.Length, node!.Permissions) + node.NamesSize))
            return Exceeded("node-size", out exceeded);
        tree = tree.WithValue(path, value);
        caller.Log?.Change(path, NodeFacets.Value);
        return XenErrno.OK;
    }

    /// <summary>Makes an empty node and its parents; one that is there stays as it is.</summary>
    public static XenErrno MakeDirectory(ref StoreTree tree, in TreeCaller caller, string path, out string? exceeded)
    {
        exceeded = null;
        XenErrno error = Find(tree, caller, path, NodeRights.Write, out _);
        return error == XenErrno.ENOENT ? Create(ref tree, caller, path, [], out exceeded) : error;
    }

    /// <summary>Removes a node and all below it. None there is no error if its parent is.</summary>
    public static XenErrno Remove(ref StoreTree tree, in TreeCaller caller, string path)
    {
        XenErrno error = Find(tree, caller, path, NodeRights.Write, out _);
        if (error == XenErrno.ENOENT)
            return tree.Find(StorePath.ParentOf(path)) is null ? XenErrno.ENOENT : XenErrno.OK;
        if (error != XenErrno.OK)
            return error;
        if (path == StorePath.Root)
            return XenErrno.EINVAL;
        tree = tree.Graft(path, null);
        caller.Log?.Change(path, NodeFacets.Subtree);
        return XenErrno.OK;
    }

    /// <summary>Replaces a node's permissions. Only its owner may; only the privileged give it to another owner.</summary>
    public static XenErrno SetPermissions(ref StoreTree tree, in TreeCaller caller, string path, NodePermissions permissions, out string? exceeded)
    {
        exceeded = null;
        XenErrno error = Find(tree, caller, path, NodeRights.Write | NodeRights.Owner, out StoreNode? node);
        if (error != XenErrno.OK)
            return error;
        if (!caller.Who.IsPrivileged && permissions.Owner != node!.Permissions.Owner)
            return XenErrno.EPERM;
        if (IsTooLarge(caller, StoreNode.SizeOf(node!.Value.Length, permissions) + node.NamesSize))
            return Exceeded("node-size", out exceeded);
        tree = tree.WithPermissions(path, permissions);
        caller.Log?.Change(path, NodeFacets.Permissions);
        return XenErrno.OK;
    }

    /// <summary>Makes a node that is not there, under the nearest ancestor that is.</summary>
    private static XenErrno Create(ref StoreTree tree, in TreeCaller caller, string path, byte[] value, out string? exceeded)
    {
        exceeded = null;
        _ = tree.Walk(path, out StoreNode parent, out int missing);
        NodePermissions permissions = parent.Permissions.ForChildOf(caller.Who);
        int nameEnd = path.IndexOf('/', missing);
        string top = nameEnd < 0 ? path : path[..nameEnd];
        int count = path.AsSpan(missing).Count('/') + 1;
        if (caller.Quotas is { } quotas && StoreQuotas.IsOver(quotas.Nodes, tree.OwnedBy(caller.Who.Domain) + (long)count))
            return Exceeded("nodes", out exceeded);
        if (IsTooLarge(caller, parent.Size + top.Length - missing + 1) || IsTooLarge(caller, StoreNode.SizeOf(value.Length, permissions)))
            return Exceeded("node-size", out exceeded);

        ulong generation = tree.Generation + 1;
        StoreNode node = StoreNode.Leaf(value, permissions, generation);
        for (int end = path.Length, slash = path.LastIndexOf('/'); slash >= missing; end = slash, slash = path.LastIndexOf('/', slash - 1))
            node = StoreNode.Leaf([], permissions, generation).WithChild(path.AsSpan((slash + 1)..end), node, generation);
        tree = tree.Graft(top, node);
        caller.Log?.Change(top, NodeFacets.Subtree);
        return XenErrno.OK;
    }

    private static bool IsTooLarge(in TreeCaller caller, int size) => caller.Quotas is { } quotas && StoreQuotas.IsOver(quotas.NodeSize, size);

    private static XenErrno Exceeded(string limit, out string? exceeded)
    {
        exceeded = limit;
        return XenErrno.ENOSPC;
    }
}
