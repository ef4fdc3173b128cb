using Xen.Abi;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>Writes many nodes; the first error stops it and is the result of all.</summary>
internal sealed class NodeWriter(IStoreView view)
{
    public XenErrno Result { get; private set; } = XenErrno.OK;

    /// <summary>Writes a node, and its permissions where they are given; else they are its folder's.</summary>
    public void Write(string path, string value, IReadOnlyList<StorePermission>? permissions = null)
    {
        if (Result == XenErrno.OK)
            Result = view.Write(path, value);
        if (Result == XenErrno.OK && permissions is not null)
            Result = view.SetPermissions(path, permissions);
    }
}
