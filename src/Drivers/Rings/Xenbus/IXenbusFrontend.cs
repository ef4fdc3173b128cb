using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>
/// What a frontend driver does for one device; the handshake around it is <see cref="XenbusFrontendDevice"/>, which calls these one at a
/// time.
/// </summary>
public interface IXenbusFrontend : IDisposable
{
    /// <summary>
    /// How this protocol's frontends go on after <see cref="Publish"/>: false waits in Initialised for the backend (block); true goes to
    /// Connected at once (network).
    /// </summary>
    bool IsConnectedOncePublished { get; }

    /// <summary>
    /// Makes rings and channels, grants the pages, and writes their nodes into the frontend's folder, before its state becomes Initialised or
    /// Connected. When it fails nothing is held.
    /// </summary>
    /// <returns>Null, or one sentence that says what was wrong.</returns>
    string? Publish(XenbusFrontendContext context);

    /// <summary>The backend is connected: reads what it wrote, and starts to use the device.</summary>
    /// <returns>Null, or one sentence that says what was wrong, with the node's name; then <see cref="Disconnect"/> follows.</returns>
    string? Connect(XenbusFrontendContext context);

    /// <summary>The backend wrote its state again while connected: what it offers may have changed, such as a disk's size.</summary>
    void BackendChanged(XenbusFrontendContext context)
    {
    }

    /// <summary>Stops using the device and gives back what was published. May be called when nothing is; the device may be opened again.</summary>
    void Disconnect();
}

/// <summary>A driver half that can change its device while connected, in the states Reconfiguring and Reconfigured.</summary>
public interface IXenbusReconfigurable
{
    /// <summary>Takes over what the peer has changed.</summary>
    /// <returns>Null, or one sentence that says what was wrong; the device then closes.</returns>
    string? Reconfigure();
}

/// <summary>Where a frontend device stands: its folders in xenstore, its peer and the ports it works with.</summary>
/// <param name="Store">The store.</param>
/// <param name="Grants">Shares its pages.</param>
/// <param name="Events">Makes its channels.</param>
/// <param name="FrontendPath">The device's own folder, such as /local/domain/3/device/vbd/51712.</param>
/// <param name="BackendPath">The peer's, such as /local/domain/0/backend/vbd/3/51712.</param>
/// <param name="Backend">The peer.</param>
/// <param name="DeviceId">The device's number: the last part of both paths.</param>
/// <param name="Fail">Tells the handshake that the device broke while connected, in one sentence. Any thread; returns at once.</param>
public sealed record XenbusFrontendContext(
    IStorePort Store,
    IGrantSource Grants,
    IUnboundPorts Events,
    string FrontendPath,
    string BackendPath,
    DomId Backend,
    int DeviceId,
    Action<string> Fail);
