namespace Xen.Abi;

/// <summary>
/// The hypercall event_channel_op_compat takes its sub-operation in memory, followed by the argument.
/// <b>Units</b>: bytes. <b>Source</b>: event_channel.h, struct evtchn_op.
/// </summary>
public static class EvtchnOpCompatLayout
{
    /// <summary>An <see cref="EventChannelOperation"/>.</summary>
    public const int Cmd = 0;

    /// <summary>The structure of that operation.</summary>
    public const int Argument = 4;

    public const int Size = 28;
}

/// <summary>
/// The hypercall physdev_op_compat takes its sub-operation in memory, followed by the argument.
/// <b>Units</b>: bytes. <b>Source</b>: physdev.h, struct physdev_op.
/// </summary>
public static class PhysdevOpCompatLayout
{
    /// <summary>A <see cref="PhysdevOperation"/>.</summary>
    public const int Cmd = 0;

    /// <summary>The structure of that operation.</summary>
    public const int Argument = 8;

    public const int Size = 24;
}
