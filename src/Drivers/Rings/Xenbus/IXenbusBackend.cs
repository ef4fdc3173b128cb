using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>
/// What a backend driver does for one device: the part that differs between block, net and others. The handshake around it, states and
/// watches, is the same for all (<see cref="XenbusBackendDevice"/>), which calls these one at a time.
/// </summary>
public interface IXenbusBackend : IDisposable
{
    /// <summary>Writes what the device offers into the backend's folder (feature nodes, sizes), before its state becomes InitWait.</summary>
    /// <returns>Null, or one sentence that says why the device cannot be offered.</returns>
    string? Advertise(XenbusBackendContext context);

    /// <summary>
    /// Reads what the frontend published, maps its rings, binds its channels and starts to serve; writes what has to be there before the
    /// state becomes Connected. When it fails nothing is held.
    /// </summary>
    /// <returns>Null, or one sentence that says what was wrong, with the node's name ("frontend never wrote ring-ref").</returns>
    string? Connect(XenbusBackendContext context);

    /// <summary>Stops serving and gives back every page and channel. May be called when not connected; the device may be connected again.</summary>
    void Disconnect();
}

/// <summary>Where a backend device stands: its folders in xenstore, its peer and the ports it works with.</summary>
/// <param name="Store">The store.</param>
/// <param name="Grants">Grants of the frontend's domain.</param>
/// <param name="Events">Event channels.</param>
/// <param name="BackendPath">The device's own folder, such as /local/domain/0/backend/vbd/3/51712.</param>
/// <param name="FrontendPath">The peer's, such as /local/domain/3/device/vbd/51712.</param>
/// <param name="Frontend">The peer.</param>
/// <param name="DeviceId">The device's number: the last part of both paths.</param>
/// <param name="Fail">
/// Tells the handshake that the device broke while connected (a ring fault, the reason in one sentence): it disconnects and closes the
/// device. Any thread; returns at once.
/// </param>
public sealed record XenbusBackendContext(
    IStorePort Store,
    IGrantPort Grants,
    IEventPorts Events,
    string BackendPath,
    string FrontendPath,
    DomId Frontend,
    int DeviceId,
    Action<string> Fail);
