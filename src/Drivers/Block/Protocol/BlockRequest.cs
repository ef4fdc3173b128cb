namespace Xen.Drivers.Block.Protocol;

/// <summary>What is wrong with a request.</summary>
public enum BlockFault
{
    None,

    /// <summary>The operation is not one that the device offers; answered with <see cref="BlkifStatus.NotSupported"/>.</summary>
    UnknownOperation,

    /// <summary>An indirect request for something else than reading and writing.</summary>
    BadIndirectOperation,

    /// <summary>A transfer of nothing.</summary>
    NoSegments,

    TooManySegments,

    /// <summary>A segment ends before it begins, or outside of its page.</summary>
    BadSegment,

    /// <summary>It begins or ends inside a logical sector.</summary>
    Unaligned,

    /// <summary>It is not within the device.</summary>
    OutOfRange,

    /// <summary>A change of a device that is only read.</summary>
    ReadOnly,

    /// <summary>A discard that shall destroy all copies; answered with <see cref="BlkifStatus.NotSupported"/>.</summary>
    SecureDiscard,

    /// <summary>A page of the request is not granted.</summary>
    BadGrant,
}

/// <summary>What requests are checked against.</summary>
/// <param name="Sectors">The size. <b>Units</b>: sectors of 512 bytes.</param>
/// <param name="SectorsPerBlock">Sectors of 512 bytes in a logical sector: 1 or 8.</param>
/// <param name="ReadOnly">The device is only read.</param>
/// <param name="Discard">Discard is offered.</param>
/// <param name="MaxIndirectSegments">Most segments of an indirect request, or 0 if there are none.</param>
public readonly record struct BlockLimits(ulong Sectors, int SectorsPerBlock, bool ReadOnly, bool Discard, int MaxIndirectSegments);

/// <summary>
/// A request that was checked (<see cref="BlockRequestParser"/>), except for the segments of an indirect one, which lie in other pages.
/// </summary>
public struct BlockRequest
{
    /// <summary>What lay in the ring.</summary>
    public BlkifRequest Wire;

    /// <summary>What to do; never <see cref="BlkifOperation.Indirect"/>.</summary>
    public BlkifOperation Operation;

    /// <summary>How many segments there are.</summary>
    public int SegmentCount;

    /// <summary>The segments lie in the pages that <see cref="BlkifRequest.IndirectGrefs"/> names.</summary>
    public bool IsIndirect;

    /// <summary>How much of the device it is about; 0 until the segments of an indirect request were checked. <b>Units</b>: sectors of 512 bytes.</summary>
    public ulong SectorCount;

    /// <summary>Where it begins. <b>Units</b>: bytes.</summary>
    public readonly long Offset => (long)(Wire.SectorNumber << Blkif.SectorShift);

    /// <summary>How much it is. <b>Units</b>: bytes.</summary>
    public readonly long Length => (long)(SectorCount << Blkif.SectorShift);
}
