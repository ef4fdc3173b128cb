namespace Xen.Abi;

/// <summary>State of one end of a split device, in its "state" node. <b>Source</b>: io/xenbus.h, enum xenbus_state.</summary>
public enum XenbusState
{
    Unknown = 0,
    Initialising = 1,

    /// <summary>Early initialisation is done; waits for the peer or for hotplug.</summary>
    InitWait = 2,

    /// <summary>Waits for the peer to connect.</summary>
    Initialised = 3,

    Connected = 4,

    /// <summary>Closes because of an error or an unplug.</summary>
    Closing = 5,

    Closed = 6,
    Reconfiguring = 7,
    Reconfigured = 8,
}
