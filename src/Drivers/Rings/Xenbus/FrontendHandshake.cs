using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>What a frontend does next.</summary>
internal enum FrontendStep
{
    /// <summary>Nothing, until something changes.</summary>
    Wait,

    /// <summary>Publish rings, and be Initialised or Connected.</summary>
    Publish,

    /// <summary>Use the device, and be Connected.</summary>
    Connect,

    /// <summary>Give back what is held, and be Initialising.</summary>
    Restart,

    /// <summary>Give back what is held, and be Closed.</summary>
    Close,

    /// <summary>Be Closing, for the backend to see.</summary>
    BeginClosing,

    /// <summary>Be Reconfiguring, for the backend to see.</summary>
    BeginReconfiguring,

    /// <summary>Take over what the backend changed, and be Connected again.</summary>
    Reconfigure,
}

/// <summary>What a frontend's next step depends on.</summary>
/// <param name="Own">The frontend's state.</param>
/// <param name="Backend">The backend's; null if its node is not there.</param>
/// <param name="IsConnected">The backend was seen connected, and the driver uses the device.</param>
/// <param name="IsCloseAsked">The owner wants the device closed.</param>
/// <param name="SkipsInitWait">Rings are published without waiting for the backend.</param>
internal readonly record struct FrontendView(XenbusState Own, XenbusState? Backend, bool IsConnected, bool IsCloseAsked, bool SkipsInitWait);

/// <summary>
/// The frontend's part of the xenbus handshake, as a table; the mirror of <see cref="BackendHandshake"/>. The backend need not be seen in
/// InitWait: Initialised and Connected mean that it has advertised, too.
/// </summary>
internal static class FrontendHandshake
{
    public static FrontendStep Next(in FrontendView view) => view.Own switch
    {
        XenbusState.Closed => FrontendStep.Wait,
        XenbusState.Closing => view.Backend is null or XenbusState.Unknown or XenbusState.Closing or XenbusState.Closed or XenbusState.Initialising or XenbusState.InitWait
            ? FrontendStep.Close
            : FrontendStep.Wait,
        _ when view.IsCloseAsked => view.Backend is null or XenbusState.Unknown || view.Own == XenbusState.Initialising
            ? FrontendStep.Close
            : FrontendStep.BeginClosing,
        XenbusState.Unknown or XenbusState.Initialising or XenbusState.InitWait => WhenStarting(view),
        _ => WhenPublished(view),
    };

    /// <summary>A backend that is Closed will offer the device again when it sees this end in Initialising.</summary>
    private static FrontendStep WhenStarting(in FrontendView view) => view.Backend switch
    {
        XenbusState.InitWait or XenbusState.Initialised or XenbusState.Connected => FrontendStep.Publish,
        XenbusState.Closing => FrontendStep.Close,
        XenbusState.Initialising when view.SkipsInitWait => FrontendStep.Publish,
        _ => FrontendStep.Wait,
    };

    private static FrontendStep WhenPublished(in FrontendView view) => view.Backend switch
    {
        null or XenbusState.Unknown or XenbusState.Closing or XenbusState.Closed => FrontendStep.Close,

        // A backend that was connected and begins anew has lost our rings.
        XenbusState.Initialising or XenbusState.InitWait => view.IsConnected ? FrontendStep.Restart : FrontendStep.Wait,
        XenbusState.Connected when !view.IsConnected => FrontendStep.Connect,
        XenbusState.Connected when view.Own == XenbusState.Reconfiguring => FrontendStep.Reconfigure,
        XenbusState.Reconfiguring when view.Own == XenbusState.Connected && view.IsConnected => FrontendStep.BeginReconfiguring,
        XenbusState.Reconfigured when view.Own == XenbusState.Reconfiguring => FrontendStep.Reconfigure,
        _ => FrontendStep.Wait,
    };
}
