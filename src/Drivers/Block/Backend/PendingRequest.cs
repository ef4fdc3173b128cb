using Xen.Abi;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Block.Backend;

/// <summary>A checked request on its way through the backend. There are as many of them as the ring has slots, made when it is connected.</summary>
internal sealed class PendingRequest(BlockQueue queue)
{
    /// <summary>Where it came from and where its response goes.</summary>
    public BlockQueue Queue { get; } = queue;

    /// <summary>What it asks for.</summary>
    public BlockRequest Request;

    /// <summary>When it was taken from the ring, as Stopwatch says.</summary>
    public long TakenAt;

    /// <summary>What it was checked against.</summary>
    public BlockLimits Limits;
}

/// <summary>How a request ended.</summary>
/// <param name="Status">What is answered.</param>
/// <param name="Fault">What was wrong with it, where that was found late: in an indirect request's segments, or at its grants.</param>
/// <param name="Errno">Why the storage failed, or OK.</param>
/// <param name="Sectors">How much was transferred. <b>Units</b>: sectors of 512 bytes.</param>
internal readonly record struct FinishedRequest(BlkifStatus Status, BlockFault Fault, XenErrno Errno, ulong Sectors)
{
    public static FinishedRequest Bad(BlockFault fault) => new(BlockRequestParser.StatusOf(fault), fault, XenErrno.OK, 0);

    public static FinishedRequest Of(XenErrno errno, ulong sectors) => new(
        errno switch
        {
            XenErrno.OK => BlkifStatus.Okay,
            XenErrno.EOPNOTSUPP => BlkifStatus.NotSupported,
            _ => BlkifStatus.Error,
        },
        BlockFault.None,
        errno,
        sectors);
}
