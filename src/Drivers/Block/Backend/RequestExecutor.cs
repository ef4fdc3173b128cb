using Xen.Abi;
using Xen.Drivers.Block.Protocol;
using Xen.Drivers.Block.Storage;
using Xen.Rings;

namespace Xen.Drivers.Block.Backend;

/// <summary>Does what one request at a time asks for: each worker has its own, with the space that the largest request needs.</summary>
internal sealed class RequestExecutor(IBlockStorage storage, IGrantPort grants, DomId frontend, int maxSegments)
{
    private readonly BlkifSegment[] _segments = new BlkifSegment[maxSegments];
    private readonly GrantMapping[] _mappings = new GrantMapping[maxSegments];
    private readonly int[] _persistent = new int[maxSegments];
    private readonly IoVector[] _vectors = new IoVector[maxSegments];

    /// <summary>Does it. The pages of the request are mapped meanwhile, and the storage reads and writes them in their place.</summary>
    public FinishedRequest Execute(PendingRequest pending)
    {
        ref BlockRequest request = ref pending.Request;
        if (request.SegmentCount == 0)
            return FinishedRequest.Of(WithoutData(request), request.SectorCount);
        BlockFault fault = TakeSegments(ref request, pending.Limits);
        if (fault != BlockFault.None)
            return FinishedRequest.Bad(fault);

        bool written = request.Operation == BlkifOperation.Read;
        int mapped = Map(request.SegmentCount, pending.Queue.Persistent, readOnly: !written);
        try
        {
            if (mapped < request.SegmentCount)
                return FinishedRequest.Bad(BlockFault.BadGrant);
            XenErrno errno = Transfer(request);
            if (written)
                MarkWritten(mapped);
            return FinishedRequest.Of(errno, request.SectorCount);
        }
        finally
        {
            Unmap(mapped, pending.Queue.Persistent);
        }
    }

    private XenErrno WithoutData(in BlockRequest request) => request.Operation == BlkifOperation.Discard
        ? storage.Discard(request.Offset, request.Length)
        : storage.Flush();

    private XenErrno Transfer(in BlockRequest request)
    {
        ReadOnlySpan<IoVector> vectors = _vectors.AsSpan(0, request.SegmentCount);
        switch (request.Operation)
        {
            case BlkifOperation.Read:
                return storage.Read(request.Offset, vectors);
            case BlkifOperation.Write:
                return storage.Write(request.Offset, vectors);
            case BlkifOperation.WriteBarrier:
                // What was written before is stable before this is, and this is when it is answered.
                XenErrno errno = storage.Flush();
                if (errno == XenErrno.OK)
                    errno = storage.Write(request.Offset, vectors);
                return errno == XenErrno.OK ? storage.Flush() : errno;
            default:
                errno = storage.Flush();
                return errno == XenErrno.OK ? storage.Write(request.Offset, vectors) : errno;
        }
    }

    /// <summary>Copies the segments to where the frontend cannot change them. Those of an indirect request are checked only now.</summary>
    private BlockFault TakeSegments(ref BlockRequest request, in BlockLimits limits)
    {
        Span<BlkifSegment> segments = _segments.AsSpan(0, request.SegmentCount);
        if (!request.IsIndirect)
        {
            ((ReadOnlySpan<BlkifSegment>)request.Wire.Seg)[..segments.Length].CopyTo(segments);
            return BlockFault.None;
        }

        for (int i = 0, page = 0; i < segments.Length; i += Blkif.SegmentsPerIndirectPage, page++)
        {
            Span<BlkifSegment> part = segments[i..Math.Min(segments.Length, i + Blkif.SegmentsPerIndirectPage)];
            GrantRef reference = new(request.Wire.IndirectGrefs[page]);
            if (grants.CopyFrom(frontend, reference, 0, SegmentBytes.Of(part)) != GrantStatus.Okay)
                return BlockFault.BadGrant;
        }

        return BlockRequestParser.ParseSegments(segments, limits, ref request);
    }

    /// <summary>Maps the segments' pages.</summary>
    /// <returns>How many: all, or those before the first that cannot be.</returns>
    private int Map(int count, PersistentGrants? persistent, bool readOnly)
    {
        for (int i = 0; i < count; i++)
        {
            BlkifSegment segment = _segments[i];
            GrantRef reference = new(segment.Gref);
            _persistent[i] = persistent?.Acquire(reference, out _mappings[i]) ?? -1;
            if (_persistent[i] < 0 && grants.Map(frontend, reference, readOnly, out _mappings[i]) != GrantStatus.Okay)
                return i;
            Span<byte> page = grants.Bytes(_mappings[i]);
            _vectors[i] = IoVector.Of(page.Slice(segment.FirstSect << Blkif.SectorShift, segment.Sectors << Blkif.SectorShift));
        }

        return count;
    }

    private void MarkWritten(int count)
    {
        for (int i = 0; i < count; i++)
            grants.MarkWritten(_mappings[i]);
    }

    private void Unmap(int count, PersistentGrants? persistent)
    {
        for (int i = 0; i < count; i++)
        {
            if (_persistent[i] >= 0)
                persistent!.Release(_persistent[i]);
            else
                grants.Unmap(_mappings[i]);
        }
    }
}
