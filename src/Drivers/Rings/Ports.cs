using Xen.Abi;

namespace Xen.Rings;

// Read this first: the three things that a driver half needs from where it runs. In Dom0, a driver domain, a C# guest or a test,
// something else stands behind them; the drivers do not know what.

/// <summary>A page that another domain can read and write at any time. Copy once, decide on the copy.</summary>
public interface ISharedPage : IDisposable
{
    /// <summary>The page's bytes; 4096 of them, valid until <see cref="IDisposable.Dispose"/>.</summary>
    Span<byte> Bytes { get; }
}

/// <summary>Maps pages that other domains have granted. <b>Source</b>: grant_table.h, GNTTABOP_map_grant_ref.</summary>
public interface IGrantPort
{
    /// <summary>Maps a granted page for reading and writing.</summary>
    /// <param name="granter">The domain that granted it.</param>
    /// <param name="reference">Its number for the grant: a claim, checked by the hypervisor.</param>
    /// <param name="page">The mapping; disposing of it unmaps.</param>
    /// <returns><see cref="XenErrno.OK"/>, or why not; then there is no page.</returns>
    XenErrno Map(DomId granter, GrantRef reference, out ISharedPage? page);
}

/// <summary>One end of an event channel. <b>Source</b>: event_channel.h.</summary>
public interface IEventPort : IDisposable
{
    /// <summary>Tells the peer. Orders all earlier memory accesses before the peer's handler (a full barrier). Never blocks.</summary>
    void Notify();

    /// <summary>
    /// Sets what is called when the peer notifies; null stops it. Every notification is followed by a call that begins after it;
    /// several may share one call, and a call without cause is legal. Calls come on any thread, with no lock of the hypervisor held.
    /// </summary>
    void SetHandler(Action? handler);
}
