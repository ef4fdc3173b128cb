namespace Xen.Drivers.Net.Network;

// Read this first: a vif is a station; a network is what its plug goes into: a switch in this process (LearningSwitch), the host's own
// network through a user-mode stack (UserNetwork) or a TAP device of the host (TapNetwork). Frames carry what their sender left undone
// (FrameOffload); who hands a frame to a station does that for it if the station cannot (Frame.DeliverTo).

/// <summary>What receives from a network: a guest's interface.</summary>
public interface INetStation
{
    /// <summary>What it takes unfinished. May change at any time; any thread.</summary>
    FrameFeatures Features { get; }

    /// <summary>The longest frame it can take that is not a big TCP packet. <b>Units</b>: bytes.</summary>
    int MaxFrame { get; }

    /// <summary>
    /// Takes a copy of a frame, or drops it. Any thread, several at a time; calls nobody that sends.
    /// </summary>
    /// <param name="frame">The frame.</param>
    /// <param name="wait">
    /// Wait for room rather than drop: for a network whose sender waits when it is not read, and whose port has this station alone. The wait ends,
    /// and the frame is dropped, when the station is about to pull its plug. Without it the call does not block.
    /// </param>
    void Receive(Frame frame, bool wait = false);

    /// <summary>
    /// The network is there no more, or again. It is there when the plug goes in. Any thread, one call at a time, none after the plug was pulled.
    /// </summary>
    /// <param name="isUp">Whether frames go through.</param>
    /// <param name="reason">One sentence for the operator.</param>
    void CarrierChanged(bool isUp, string reason);
}

/// <summary>A station's place in a network.</summary>
public interface INetPort : IDisposable
{
    /// <summary>
    /// Sends a frame. Any thread, several at a time. It may be lost, as on any wire; the call may wait for a slow network, until
    /// <see cref="IDisposable.Dispose"/> ends that. The frame is the caller's again when it returns; its checksum may have been completed.
    /// </summary>
    void Send(Frame frame);
}

/// <summary>Something to plug one vif into. Disposing it gives up what it holds; a port must have been disposed before.</summary>
public interface INetwork : IDisposable
{
    /// <summary>Plugs the station in: frames begin to come.</summary>
    /// <param name="station">Who receives.</param>
    /// <param name="port">Where to send; disposing it pulls the plug, and no call to the station begins afterwards.</param>
    /// <returns>Null, or one sentence that says why not and what to do.</returns>
    string? Connect(INetStation station, out INetPort? port);
}
