using Xen.Abi;

namespace Xen.Rings.Xenbus;

/// <summary>Where a device is, for a person to read.</summary>
/// <param name="Own">This end's state.</param>
/// <param name="Peer">The other end's; null if its node is not there or is no state.</param>
/// <param name="Text">
/// Why it is there: "connected"; "waiting: ..." for what; "failed: ..." and "closed: ..." for what reason; "closing: ..." on whose wish.
/// </param>
/// <param name="IsFinished">
/// The device is closed and will not open again: it was taken offline, or its folder is gone. It holds nothing, and can be disposed of.
/// </param>
public sealed record XenbusDeviceStatus(XenbusState Own, XenbusState? Peer, string Text, bool IsFinished)
{
    /// <summary>Both states by name, and the reason: "InitWait, peer Initialising, waiting: ...".</summary>
    public override string ToString() => $"{Own}, peer {Peer?.ToString() ?? "absent"}, {Text}";
}
