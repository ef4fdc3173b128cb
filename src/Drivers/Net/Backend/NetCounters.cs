using Xen.Rings;

namespace Xen.Drivers.Net.Backend;

/// <summary>
/// What one queue has done. Transmit is from the guest, receive is to it. Plain fields: the transmit ones belong to the queue's worker, the
/// receive ones to who holds the receive path's lock; readers get a value that was right a moment ago.
/// </summary>
public sealed class NetCounters
{
    /// <summary>Frames that the guest sent.</summary>
    public long TxPackets;

    /// <summary><b>Units</b>: bytes.</summary>
    public long TxBytes;

    /// <summary>Requests that broke the protocol in a way that hurt only themselves; they were answered with an error.</summary>
    public long TxBad;

    /// <summary>Frames whose pages could not be read: bad grants.</summary>
    public long TxErrors;

    /// <summary>Frames that the guest received.</summary>
    public long RxPackets;

    /// <summary><b>Units</b>: bytes.</summary>
    public long RxBytes;

    /// <summary>Frames that the guest had no room for, or that were too long for it.</summary>
    public long RxDropped;

    /// <summary>Frames that could not be written to the guest's pages: bad grants.</summary>
    public long RxErrors;

    /// <summary>How long frames that the guest sent were on their way, from its ring until the network had them.</summary>
    public LatencyCounts TxLatency { get; } = new();

    /// <summary>How long frames that the guest received were on their way, from the network until its ring had them; what waited for buffers included.</summary>
    public LatencyCounts RxLatency { get; } = new();
}
