namespace Xen.Drivers.Block.Protocol;

/// <summary>
/// Makes a <see cref="BlockRequest"/> of what lay in the ring. Everything that a frontend can get wrong is found here, on a copy that it can
/// no longer change.
/// </summary>
public static class BlockRequestParser
{
    /// <summary>Checks a request.</summary>
    /// <param name="wire">A copy of it.</param>
    /// <param name="limits">What the device offers.</param>
    /// <param name="request">What it asks for; of use only if nothing is wrong.</param>
    /// <returns>What is wrong with it.</returns>
    public static BlockFault Parse(in BlkifRequest wire, in BlockLimits limits, out BlockRequest request)
    {
        request = new BlockRequest { Wire = wire, Operation = wire.Answered };
        switch (wire.Operation)
        {
            case BlkifOperation.Read or BlkifOperation.Write or BlkifOperation.WriteBarrier or BlkifOperation.FlushDiskcache:
                return ParseDirect(limits, ref request);
            case BlkifOperation.Indirect when limits.MaxIndirectSegments > 0:
                return ParseIndirect(limits, ref request);
            case BlkifOperation.Discard when limits.Discard:
                return ParseDiscard(limits, ref request);
            default:
                return BlockFault.UnknownOperation;
        }
    }

    /// <summary>Checks a request's segments and adds them up.</summary>
    /// <param name="segments">A copy of them, as many as the request says.</param>
    /// <param name="limits">What the device offers.</param>
    /// <param name="request">The request; gets its <see cref="BlockRequest.SectorCount"/>.</param>
    /// <returns>What is wrong with them.</returns>
    public static BlockFault ParseSegments(ReadOnlySpan<BlkifSegment> segments, in BlockLimits limits, ref BlockRequest request)
    {
        int inBlock = limits.SectorsPerBlock - 1;
        ulong sectors = 0;
        foreach (BlkifSegment segment in segments)
        {
            if (segment.LastSect >= Blkif.SectorsPerPage || segment.LastSect < segment.FirstSect)
                return BlockFault.BadSegment;
            if ((segment.FirstSect & inBlock) != 0 || (segment.Sectors & inBlock) != 0)
                return BlockFault.Unaligned;
            sectors += (ulong)segment.Sectors;
        }

        request.SectorCount = sectors;
        return CheckRange(limits, request);
    }

    /// <summary>What to answer to a request that was found wrong.</summary>
    public static BlkifStatus StatusOf(BlockFault fault) => fault switch
    {
        BlockFault.None => BlkifStatus.Okay,
        BlockFault.UnknownOperation or BlockFault.SecureDiscard => BlkifStatus.NotSupported,
        _ => BlkifStatus.Error,
    };

    private static BlockFault ParseDirect(in BlockLimits limits, ref BlockRequest request)
    {
        request.SegmentCount = request.Wire.NrSegments;
        if (request.SegmentCount > Blkif.MaxSegments)
            return BlockFault.TooManySegments;
        if (request.SegmentCount == 0)
        {
            // A flush has no data, and where the frontend was offered barriers it may flush by one without data.
            return request.Operation is BlkifOperation.FlushDiskcache or BlkifOperation.WriteBarrier ? BlockFault.None : BlockFault.NoSegments;
        }

        if (limits.ReadOnly && request.Operation != BlkifOperation.Read)
            return BlockFault.ReadOnly;
        return ParseSegments(((ReadOnlySpan<BlkifSegment>)request.Wire.Seg)[..request.SegmentCount], limits, ref request);
    }

    private static BlockFault ParseIndirect(in BlockLimits limits, ref BlockRequest request)
    {
        request.IsIndirect = true;
        request.SegmentCount = request.Wire.IndirectNrSegments;
        if (request.Operation is not (BlkifOperation.Read or BlkifOperation.Write))
            return BlockFault.BadIndirectOperation;
        if (request.SegmentCount == 0)
            return BlockFault.NoSegments;
        if (request.SegmentCount > limits.MaxIndirectSegments)
            return BlockFault.TooManySegments;
        if (limits.ReadOnly && request.Operation != BlkifOperation.Read)
            return BlockFault.ReadOnly;

        // Their sum is not known yet; where they begin is.
        return CheckRange(limits, request);
    }

    private static BlockFault ParseDiscard(in BlockLimits limits, ref BlockRequest request)
    {
        if (limits.ReadOnly)
            return BlockFault.ReadOnly;

        // The header lets a backend ignore the flag; but who asks for destruction shall not believe that it happened.
        if ((request.Wire.DiscardFlag & Blkif.DiscardSecure) != 0)
            return BlockFault.SecureDiscard;
        request.SectorCount = request.Wire.DiscardNrSectors;
        if (request.SectorCount == 0)
            return BlockFault.NoSegments;
        if ((request.SectorCount & (ulong)(limits.SectorsPerBlock - 1)) != 0)
            return BlockFault.Unaligned;
        return CheckRange(limits, request);
    }

    private static BlockFault CheckRange(in BlockLimits limits, in BlockRequest request)
    {
        ulong first = request.Wire.SectorNumber;
        if (first > limits.Sectors || request.SectorCount > limits.Sectors - first)
            return BlockFault.OutOfRange;
        return (first & (ulong)(limits.SectorsPerBlock - 1)) != 0 ? BlockFault.Unaligned : BlockFault.None;
    }
}
