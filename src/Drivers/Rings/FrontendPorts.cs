using Xen.Abi;

namespace Xen.Rings;

// The frontend's counterpart of Ports.cs: what a driver half needs that shares its own pages and makes its own channels.

/// <summary>Shares pages with other domains. <b>Source</b>: grant_table.h.</summary>
/// <remarks>Any thread.</remarks>
public interface IGrantSource
{
    /// <summary>A page of this domain's own, zeroed. Disposing gives it back; not before every grant of it has ended.</summary>
    ISharedPage AllocatePage();

    /// <summary>Lets a domain use a page.</summary>
    /// <param name="page">A page that this source allocated.</param>
    /// <param name="peer">Who may use it.</param>
    /// <param name="readOnly">It may only read.</param>
    /// <param name="reference">The number to tell the peer.</param>
    /// <returns><see cref="GrantStatus.Okay"/>, or <see cref="GrantStatus.NoSpace"/>: the grant table is full.</returns>
    GrantStatus Grant(ISharedPage page, DomId peer, bool readOnly, out GrantRef reference);

    /// <summary>Ends a grant.</summary>
    /// <returns>False while the peer has the page mapped: the grant and the page stay; try again later.</returns>
    bool EndAccess(GrantRef reference);

    /// <summary>
    /// Ends a grant and disposes of its page, now or as soon as the peer no longer has it mapped. What a frontend does when it closes: the
    /// backend may serve until it sees that.
    /// </summary>
    void EndAccess(GrantRef reference, ISharedPage page);
}

/// <summary>Makes event channels that a peer binds to. <b>Source</b>: event_channel.h.</summary>
public interface IUnboundPorts
{
    /// <summary>Allocates a port for one peer (EVTCHNOP_alloc_unbound). Notifications before it has bound go nowhere.</summary>
    /// <param name="remote">Who may bind to it.</param>
    /// <param name="port">The number to tell the peer.</param>
    /// <param name="channel">Our end.</param>
    /// <returns><see cref="XenErrno.OK"/>, or why not; then there is no port.</returns>
    XenErrno AllocateUnbound(DomId remote, out EvtchnPort port, out IEventPort? channel);
}
