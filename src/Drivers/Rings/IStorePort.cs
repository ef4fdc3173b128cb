using Xen.Abi;

namespace Xen.Rings;

/// <summary>Reads and changes of xenstore, one by one or together in a transaction. Paths are absolute, or relative to the caller's domain.</summary>
/// <remarks><b>Errors</b>: those of xenstore: ENOENT, EACCES, EINVAL, E2BIG, ENOSPC, EQUOTA as ENOSPC, EEXIST. <b>Source</b>: io/xs_wire.h, docs/misc/xenstore.txt.</remarks>
public interface IStoreView
{
    /// <summary>The value of a node; bytes are taken as Latin-1.</summary>
    XenErrno Read(string path, out string value);

    /// <summary>The names of a node's children, in order.</summary>
    XenErrno List(string path, out IReadOnlyList<string> names);

    /// <summary>Writes a node, making it and its parents if they are not there.</summary>
    XenErrno Write(string path, string value);

    /// <summary>Makes an empty node and its parents; does nothing to one that is there.</summary>
    XenErrno MakeDirectory(string path);

    /// <summary>Removes a node and all below it; it is no error if it is not there but its parent is.</summary>
    XenErrno Remove(string path);

    /// <summary>Who may read and write the node; the first entry names the owner, and what all others may.</summary>
    XenErrno GetPermissions(string path, out IReadOnlyList<StorePermission> permissions);

    /// <inheritdoc cref="GetPermissions"/>
    XenErrno SetPermissions(string path, IReadOnlyList<StorePermission> permissions);
}

/// <summary>A connection to xenstore.</summary>
/// <remarks>Any thread; calls may block for as long as the store takes to answer.</remarks>
public interface IStorePort : IStoreView
{
    /// <summary>Runs a body in a transaction and commits it, again from its start when somebody else's change was in the way.</summary>
    /// <param name="body">
    /// What to do; whatever it returns but OK aborts the transaction and is the result. The store may be closed to all others while it runs: it uses
    /// the view that it is given, takes no lock and waits for nobody.
    /// </param>
    XenErrno Transact(Func<IStoreView, XenErrno> body);

    /// <summary>
    /// Watches a node and all below it. The handler gets the path that changed: once at once, then after each change. Calls come one at a time,
    /// in order, on any thread; several changes of one path may share a call that begins after the last of them. Disposing ends it.
    /// </summary>
    XenErrno Watch(string path, Action<string> changed, out IDisposable? watch);
}

/// <summary>What one domain may do with a node.</summary>
/// <param name="Domain">Whose permission it is.</param>
/// <param name="Access">What it may do.</param>
public readonly record struct StorePermission(DomId Domain, StoreAccess Access);

/// <summary>Access to a node; the letters are n, r, w, b.</summary>
[Flags]
public enum StoreAccess
{
    None = 0,
    Read = 1,
    Write = 2,
    Both = Read | Write,
}
