using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Drivers.Block.Protocol;

// Read this first. A request travels through types, each of which says what is known of it:
//
//   BlkifRequest      a copy of what lay in the ring: claims                        (this file, BlkifLayouts.cs)
//   BlockRequest      checked: what to do, where, with how many segments            (BlockRequest.cs, BlockRequestParser.cs)
//   PendingRequest    a checked request that has a place in the backend's slab      (Backend/PendingRequest.cs)
//   FinishedRequest   its outcome: what is answered and counted                     (Backend/PendingRequest.cs)

/// <summary>What a request asks for. <b>Source</b>: io/blkif.h, BLKIF_OP_*.</summary>
public enum BlkifOperation : byte
{
    Read = 0,
    Write = 1,

    /// <summary>A write after all earlier and before all later writes; its data is stable when it is answered.</summary>
    WriteBarrier = 2,

    /// <summary>Makes all writes stable that were answered before.</summary>
    FlushDiskcache = 3,

    Reserved1 = 4,

    /// <summary>The sectors are no longer needed.</summary>
    Discard = 5,

    /// <summary>A read or write whose segments lie in pages of their own.</summary>
    Indirect = 6,
}

/// <summary>How a request ended. <b>Source</b>: io/blkif.h, BLKIF_RSP_*.</summary>
public enum BlkifStatus : short
{
    Okay = 0,

    /// <summary>It failed; the frontend makes it EIO.</summary>
    Error = -1,

    /// <summary>The operation is not there; the frontend does without.</summary>
    NotSupported = -2,
}

/// <summary>What kind of device it is, in its "info" node. <b>Source</b>: io/blkif.h, VDISK_*.</summary>
[Flags]
public enum VdiskInfo
{
    None = 0,
    Cdrom = 1,
    Removable = 2,
    ReadOnly = 4,
}

/// <summary>Numbers of the protocol. <b>Source</b>: io/blkif.h.</summary>
public static class Blkif
{
    /// <summary>What sector numbers count, whatever "sector-size" says. <b>Units</b>: bytes.</summary>
    public const int SectorSize = 512;

    public const int SectorShift = 9;

    /// <summary>Sectors in a page.</summary>
    public const int SectorsPerPage = Page.Size / SectorSize;

    /// <summary>BLKIF_MAX_SEGMENTS_PER_REQUEST.</summary>
    public const int MaxSegments = 11;

    /// <summary>BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST.</summary>
    public const int MaxIndirectPages = 8;

    /// <summary>How many segments an indirect page holds.</summary>
    public const int SegmentsPerIndirectPage = Page.Size / BlkifSegment.Size;

    /// <summary>Discard: all copies are to be destroyed (BLKIF_DISCARD_SECURE).</summary>
    public const byte DiscardSecure = 1;
}

/// <summary>A part of a page that is read or written. <b>Source</b>: io/blkif.h, struct blkif_request_segment.</summary>
/// <param name="Gref">The page.</param>
/// <param name="FirstSect">First sector in the page, inclusive.</param>
/// <param name="LastSect">Last sector in the page, inclusive.</param>
[StructLayout(LayoutKind.Sequential, Size = Size)]
public readonly record struct BlkifSegment(uint Gref, byte FirstSect, byte LastSect)
{
    public const int Size = 8;

    /// <summary>How many sectors it has; meaningful once it was checked.</summary>
    public int Sectors => LastSect - FirstSect + 1;
}

/// <summary>C: <c>struct blkif_request_segment[11]</c>.</summary>
[InlineArray(Blkif.MaxSegments)]
public struct BlkifSegmentArray
{
    private BlkifSegment _element0;
}

/// <summary>
/// A request as it lies in the ring of a 64-bit frontend: struct blkif_request, and over it blkif_request_discard and blkif_request_indirect.
/// <b>Source</b>: io/blkif.h.
/// <code>
///             0    1        2         4     8     16       24          26    28           60    112
///            +----+--------+---------+-----+-----+--------+-----------+-----+------------+-----+
///  read...   | op | nr_seg | handle  |     | id  | sector | seg[11]                            |
///  discard   | op | flag   | handle  |     | id  | sector | nr_sectors      |                  |
///  indirect  | op | ind_op | nr_seg  |     | id  | sector | handle    |     | grefs[8]   |     |
///            +----+--------+---------+-----+-----+--------+-----------+-----+------------+-----+
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 112)]
public struct BlkifRequest : IBlkifRequestLayout<BlkifRequest>
{
    [FieldOffset(0)] public BlkifOperation Operation;
    [FieldOffset(1)] public byte NrSegments;
    [FieldOffset(1)] public byte DiscardFlag;
    [FieldOffset(1)] public BlkifOperation IndirectOp;
    [FieldOffset(2)] public ushort Handle;
    [FieldOffset(2)] public ushort IndirectNrSegments;
    [FieldOffset(8)] public ulong Id;
    [FieldOffset(16)] public ulong SectorNumber;
    [FieldOffset(24)] public BlkifSegmentArray Seg;
    [FieldOffset(24)] public ulong DiscardNrSectors;
    [FieldOffset(24)] public ushort IndirectHandle;
    [FieldOffset(28)] public UInt32Array8 IndirectGrefs;

    /// <summary>The operation that a response names: that of the data, for an indirect request.</summary>
    public readonly BlkifOperation Answered => Operation == BlkifOperation.Indirect ? IndirectOp : Operation;

    readonly BlkifRequest IBlkifRequestLayout<BlkifRequest>.ToNative() => this;

    static BlkifRequest IBlkifRequestLayout<BlkifRequest>.FromNative(in BlkifRequest request) => request;
}

/// <summary>A response as it lies in the ring of a 64-bit frontend. <b>Source</b>: io/blkif.h, struct blkif_response.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct BlkifResponse : IBlkifResponseLayout<BlkifResponse>
{
    [FieldOffset(0)] public ulong Id;
    [FieldOffset(8)] public BlkifOperation Operation;
    [FieldOffset(10)] public BlkifStatus Status;

    readonly BlkifResponse IBlkifResponseLayout<BlkifResponse>.ToNative() => this;

    static BlkifResponse IBlkifResponseLayout<BlkifResponse>.FromNative(in BlkifResponse response) => response;
}
