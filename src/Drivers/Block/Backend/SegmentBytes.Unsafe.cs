using System.Runtime.InteropServices;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Block.Backend;

/// <summary>Segments as the bytes that they are in an indirect page.</summary>
internal static class SegmentBytes
{
    public static Span<byte> Of(Span<BlkifSegment> segments)
    {
        // SAFETY: a segment is 8 bytes of plain numbers, little-endian like the host; every pattern of them is a segment.
        return MemoryMarshal.AsBytes(segments);
    }
}
