using Xen.Abi;

namespace Xen.XenStore;

/// <summary>Where the store runs: does what privileged clients ask for that the store cannot do alone. Called with no lock held, on any thread.</summary>
public interface IStoreHost
{
    /// <summary>Maps a domain's store page, binds its event channel and calls <see cref="StoreServer.IntroduceDomain"/> (INTRODUCE).</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="page">Its ring page, as the client names it.</param>
    /// <param name="port">The port that the domain has allocated for the store.</param>
    /// <returns>OK, or what the client gets for an answer.</returns>
    XenErrno Introduce(DomId domain, Gfn page, EvtchnPort port);

    /// <summary>Ends a domain's connection by <see cref="StoreServer.ReleaseDomain"/> (RELEASE).</summary>
    XenErrno Release(DomId domain);
}
