using Xen.Abi;
using Xen.Rings;

namespace Xen.XenStore;

/// <summary>The store as code in this process uses it, in a transaction or outside of one.</summary>
internal sealed class StoreView(StoreServer server, StoreClient client, uint transaction) : IStoreView
{
    public XenErrno Read(string path, out string value)
    {
        XenErrno error = Look(path, NodeFacets.Value, out StoreNode? node);
        value = node is null ? string.Empty : WireText.ToText(node.Value);
        return error;
    }

    public XenErrno List(string path, out IReadOnlyList<string> names)
    {
        XenErrno error = Look(path, NodeFacets.Names, out StoreNode? node);
        names = node?.Names ?? [];
        return error;
    }

    public XenErrno Write(string path, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (value.Length > XenStoreLimits.PayloadMax)
            return XenErrno.E2BIG;
        return Reported(TryResolve(path, out string full) ? server.Write(client, transaction, full, WireText.ToBytes(value)) : XenErrno.EINVAL);
    }

    public XenErrno MakeDirectory(string path) =>
        Reported(TryResolve(path, out string full) ? server.MakeDirectory(client, transaction, full) : XenErrno.EINVAL);

    public XenErrno Remove(string path) =>
        Reported(TryResolve(path, out string full) ? server.Remove(client, transaction, full) : XenErrno.EINVAL);

    public XenErrno GetPermissions(string path, out IReadOnlyList<StorePermission> permissions)
    {
        permissions = [];
        if (!TryResolveAny(path, out string full))
            return XenErrno.EINVAL;
        XenErrno error = server.GetPermissions(client, transaction, full, out NodePermissions? found);
        permissions = found?.Entries ?? permissions;
        return Reported(error);
    }

    public XenErrno SetPermissions(string path, IReadOnlyList<StorePermission> permissions)
    {
        ArgumentNullException.ThrowIfNull(permissions);
        return permissions.Count > 0 && TryResolveAny(path, out string full)
            ? Reported(server.SetPermissions(client, transaction, full, new NodePermissions([.. permissions])))
            : XenErrno.EINVAL;
    }

    private XenErrno Look(string path, NodeFacets facets, out StoreNode? node)
    {
        node = null;
        return Reported(TryResolve(path, out string full) ? server.Read(client, transaction, full, facets, out node) : XenErrno.EINVAL);
    }

    private bool TryResolve(string path, out string full)
    {
        ArgumentNullException.ThrowIfNull(path);
        return StorePath.TryResolve(path, client.Domain.Id, client.Quotas, out full);
    }

    private bool TryResolveAny(string path, out string full)
    {
        ArgumentNullException.ThrowIfNull(path);
        full = path;
        return StorePath.IsSpecial(path) || TryResolve(path, out full);
    }

    private XenErrno Reported(XenErrno error)
    {
        server.Report(client);
        return error;
    }
}
