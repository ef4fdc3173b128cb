using Xen.Abi;

namespace Xen.Rings;

// Read this first: what a driver half needs from where it runs. In Dom0, a driver domain, a C# guest or a test, something else stands
// behind these interfaces; the drivers do not know what. IStorePort.cs has the third of them.

/// <summary>A page that another domain can read and write at any time. Copy once, decide on the copy.</summary>
public interface ISharedPage : IDisposable
{
    /// <summary>The page's bytes; 4096 of them, valid until <see cref="IDisposable.Dispose"/>.</summary>
    Span<byte> Bytes { get; }
}

/// <summary>A granted page that is mapped: a number that only the port that gave it understands. The default value is no mapping.</summary>
/// <param name="Handle">What the port knows it by; 0 is none.</param>
/// <param name="Frame">Where the page is, for the port's own use.</param>
public readonly record struct GrantMapping(ulong Handle, ulong Frame)
{
    public bool IsMapped => Handle != 0;
}

/// <summary>Uses pages that other domains have granted. <b>Source</b>: grant_table.h.</summary>
/// <remarks>Any thread. Nothing here allocates memory. References and offsets are claims of a peer: the hypervisor checks them.</remarks>
public interface IGrantPort
{
    /// <summary>Maps a granted page (GNTTABOP_map_grant_ref).</summary>
    /// <param name="granter">The domain that granted it.</param>
    /// <param name="reference">Its number for the grant.</param>
    /// <param name="readOnly">The page is only read; a grant for reading suffices.</param>
    /// <param name="mapping">The mapping, to be given back by <see cref="Unmap"/>.</param>
    /// <returns><see cref="GrantStatus.Okay"/>, or why not; then there is no mapping.</returns>
    GrantStatus Map(DomId granter, GrantRef reference, bool readOnly, out GrantMapping mapping);

    /// <summary>The page's bytes, 4096, valid until <see cref="Unmap"/>; not to be written when it was mapped to be read. Their address does not change.</summary>
    Span<byte> Bytes(in GrantMapping mapping);

    /// <summary>To be called after writing to a page and before its owner is told: what was decoded or cached of it is looked at again.</summary>
    void MarkWritten(in GrantMapping mapping);

    /// <summary>Gives a mapping back (GNTTABOP_unmap_grant_ref). It is not valid afterwards.</summary>
    void Unmap(in GrantMapping mapping);

    /// <summary>Copies out of a granted page (GNTTABOP_copy).</summary>
    GrantStatus CopyFrom(DomId granter, GrantRef reference, int offset, Span<byte> destination);

    /// <summary>Copies into a granted page (GNTTABOP_copy).</summary>
    GrantStatus CopyTo(DomId granter, GrantRef reference, int offset, ReadOnlySpan<byte> source);
}

/// <summary>Makes event channels. <b>Source</b>: event_channel.h.</summary>
public interface IEventPorts
{
    /// <summary>Connects to a port that the remote domain has allocated for this one (EVTCHNOP_bind_interdomain).</summary>
    /// <returns><see cref="XenErrno.OK"/>, or why not; then there is no port.</returns>
    XenErrno BindInterdomain(DomId remote, EvtchnPort remotePort, out IEventPort? port);
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
