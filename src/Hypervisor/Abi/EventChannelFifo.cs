namespace Xen.Abi;

/// <summary>
/// An event word of the FIFO event channel ABI; the guest and Xen both write it.
/// <b>Source</b>: event_channel.h, EVTCHN_FIFO_*.
/// <code>
///   31  30  29  28  27        17 16                 0
///  +---+---+---+---+------------+--------------------+
///  | P | M | L | B |  unused    | link: next port    |
///  +---+---+---+---+------------+--------------------+
///  pending, masked, linked, busy
/// </code>
/// </summary>
public static class FifoEventWord
{
    public const uint Pending = 1U << 31;
    public const uint Masked = 1U << 30;

    /// <summary>The event is in a queue.</summary>
    public const uint Linked = 1U << 29;

    /// <summary>The guest is unmasking it (EVTCHN_FIFO_BUSY).</summary>
    public const uint Busy = 1U << 28;

    public const int LinkBits = 17;
    public const uint LinkMask = (1U << LinkBits) - 1;

    /// <summary>Size of a word (event_word_t). <b>Units</b>: bytes.</summary>
    public const int Size = 4;
}

/// <summary>Limits of the FIFO event channel ABI. <b>Source</b>: event_channel.h, EVTCHN_FIFO_*.</summary>
public static class FifoEventLimits
{
    public const int NrChannels = 1 << FifoEventWord.LinkBits;
    public const int MaxQueues = 16;

    /// <summary>The highest priority.</summary>
    public const int PriorityMax = 0;
    public const int PriorityDefault = 7;

    /// <summary>The lowest priority.</summary>
    public const int PriorityMin = 15;
}

/// <summary>Offsets in a vCPU's control block. <b>Units</b>: bytes. <b>Source</b>: event_channel.h, struct evtchn_fifo_control_block.</summary>
public static class FifoControlBlockLayout
{
    /// <summary>Bitmap of queues that are not empty; set by Xen, cleared by the guest. Four bytes.</summary>
    public const int Ready = 0;

    /// <summary>Heads of the queues, four bytes each; written by Xen when the queue was empty.</summary>
    public const int Head = 8;

    public const int Size = 72;
}
