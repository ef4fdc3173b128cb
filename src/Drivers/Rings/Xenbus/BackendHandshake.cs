using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>What a backend does next.</summary>
internal enum BackendStep
{
    /// <summary>Nothing, until something changes.</summary>
    Wait,

    /// <summary>Give back what is held, advertise, and be InitWait.</summary>
    Offer,

    /// <summary>Connect, and be Connected.</summary>
    Connect,

    /// <summary>Be Closing, and serve on until the frontend has closed.</summary>
    BeginClosing,

    /// <summary>Give back what is held, and be Closed.</summary>
    Close,

    /// <summary>Take over what the frontend changed, and be Reconfigured.</summary>
    Reconfigure,

    /// <summary>Be Connected again after having been reconfigured.</summary>
    Resume,
}

/// <summary>What a backend's next step depends on.</summary>
/// <param name="Own">The backend's state.</param>
/// <param name="Frontend">The frontend's; null if its node is not there.</param>
/// <param name="IsConnected">The driver holds rings and channels.</param>
/// <param name="IsOnline">The toolstack has not taken the device offline.</param>
/// <param name="IsCloseAsked">The toolstack wants the device closed.</param>
/// <param name="IsStuck">The device failed, and the frontend has not moved since: trying again would fail again.</param>
internal readonly record struct BackendView(
    XenbusState Own, XenbusState? Frontend, bool IsConnected, bool IsOnline, bool IsCloseAsked, bool IsStuck);

/// <summary>
/// The backend's part of the xenbus handshake, as a table. The usual way is
/// <code>
/// backend   Initialising --offer--> InitWait ----------------connect--> Connected ... --begin closing--> Closing --close--> Closed
/// frontend  Initialising ------------> Initialised or Connected ...............  Closing -----------------> Closed
/// </code>
/// The frontend need not wait for InitWait, and may go to Connected without Initialised. From Closed a frontend that begins anew
/// (Initialising) is offered the device again; so is one that begins anew without having closed, because its kernel was replaced.
/// <b>Source</b>: io/xenbus.h, io/blkif.h ("State diagrams").
/// </summary>
internal static class BackendHandshake
{
    public static BackendStep Next(in BackendView view) => view switch
    {
        { IsCloseAsked: true, Own: not XenbusState.Closed, IsConnected: false } => BackendStep.Close,
        { IsCloseAsked: true, Own: not (XenbusState.Closed or XenbusState.Closing) } => BackendStep.BeginClosing,
        _ => view.Frontend switch
        {
            null or XenbusState.Unknown => WhenAbsent(view),
            XenbusState.Initialising or XenbusState.InitWait => WhenStarting(view),
            XenbusState.Initialised or XenbusState.Connected => WhenPublished(view),
            XenbusState.Closing => view.Own is XenbusState.Closing or XenbusState.Closed ? BackendStep.Wait : BackendStep.BeginClosing,
            XenbusState.Closed => view.Own is XenbusState.Closed ? BackendStep.Wait : BackendStep.Close,
            _ => WhenReconfiguring(view),
        },
    };

    /// <summary>A frontend that is not there yet is waited for; one that has vanished is closed.</summary>
    private static BackendStep WhenAbsent(in BackendView view) => view.Own switch
    {
        XenbusState.Unknown or XenbusState.Initialising => BackendStep.Offer,
        XenbusState.InitWait or XenbusState.Closed => BackendStep.Wait,
        _ => BackendStep.Close,
    };

    private static BackendStep WhenStarting(in BackendView view) => view.Own switch
    {
        XenbusState.InitWait => BackendStep.Wait,
        XenbusState.Closing or XenbusState.Closed when view.IsStuck => BackendStep.Wait,
        XenbusState.Closing when view.IsCloseAsked || !view.IsOnline => BackendStep.Close,
        XenbusState.Closed when !view.IsOnline => BackendStep.Wait,
        _ => BackendStep.Offer,
    };

    private static BackendStep WhenPublished(in BackendView view) => view.Own switch
    {
        XenbusState.Unknown or XenbusState.Initialising => BackendStep.Offer,
        XenbusState.InitWait or XenbusState.Initialised => BackendStep.Connect,
        XenbusState.Reconfigured when view.Frontend == XenbusState.Connected => BackendStep.Resume,
        _ => BackendStep.Wait,
    };

    private static BackendStep WhenReconfiguring(in BackendView view) => (view.Own, view.Frontend) switch
    {
        (XenbusState.Unknown or XenbusState.Initialising, _) => BackendStep.Offer,
        (XenbusState.Connected, XenbusState.Reconfiguring) => BackendStep.Reconfigure,
        (XenbusState.Reconfiguring, _) => BackendStep.Reconfigure,
        (XenbusState.Reconfigured, XenbusState.Reconfigured) => BackendStep.Resume,
        _ => BackendStep.Wait,
    };
}
