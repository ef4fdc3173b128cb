using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Drivers.Block.Protocol;

/// <summary>A request in the layout of one kind of frontend. All code but the rings' works with the native one.</summary>
/// <typeparam name="TSelf">The structure in the ring.</typeparam>
public interface IBlkifRequestLayout<TSelf>
    where TSelf : unmanaged, IBlkifRequestLayout<TSelf>
{
    BlkifRequest ToNative();

    static abstract TSelf FromNative(in BlkifRequest request);
}

/// <summary>A response in the layout of one kind of frontend.</summary>
/// <typeparam name="TSelf">The structure in the ring.</typeparam>
public interface IBlkifResponseLayout<TSelf>
    where TSelf : unmanaged, IBlkifResponseLayout<TSelf>
{
    BlkifResponse ToNative();

    static abstract TSelf FromNative(in BlkifResponse response);
}

/// <summary>
/// A request in the ring of a 32-bit frontend ("x86_32-abi"), whose compiler aligns 64-bit numbers to 4.
/// <b>Source</b>: io/blkif.h, as gcc -m32 lays it out.
/// <code>
///             0    1        2         4     12       20          22    24           56    108
///            +----+--------+---------+-----+--------+-----------+-----+------------+-----+
///  read...   | op | nr_seg | handle  | id  | sector | seg[11]                            |
///  discard   | op | flag   | handle  | id  | sector | nr_sectors      |                  |
///  indirect  | op | ind_op | nr_seg  | id  | sector | handle    |     | grefs[8]   |     |
///            +----+--------+---------+-----+--------+-----------+-----+------------+-----+
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 108, Pack = 4)]
public struct BlkifRequest32 : IBlkifRequestLayout<BlkifRequest32>
{
    [FieldOffset(0)] public BlkifOperation Operation;
    [FieldOffset(1)] public byte NrSegments;
    [FieldOffset(2)] public ushort Handle;
    [FieldOffset(4)] public ulong Id;
    [FieldOffset(12)] public ulong SectorNumber;
    [FieldOffset(20)] public BlkifSegmentArray Seg;
    [FieldOffset(20)] public ulong DiscardNrSectors;
    [FieldOffset(20)] public ushort IndirectHandle;
    [FieldOffset(24)] public UInt32Array8 IndirectGrefs;

    /// <inheritdoc/>
    public readonly BlkifRequest ToNative()
    {
        BlkifRequest native = new() { Operation = Operation, NrSegments = NrSegments, Handle = Handle, Id = Id, SectorNumber = SectorNumber };
        switch (Operation)
        {
            case BlkifOperation.Discard:
                native.DiscardNrSectors = DiscardNrSectors;
                break;
            case BlkifOperation.Indirect:
                native.IndirectHandle = IndirectHandle;
                native.IndirectGrefs = IndirectGrefs;
                break;
            default:
                native.Seg = Seg;
                break;
        }

        return native;
    }

    /// <inheritdoc/>
    public static BlkifRequest32 FromNative(in BlkifRequest request)
    {
        BlkifRequest32 wire = new()
        {
            Operation = request.Operation,
            NrSegments = request.NrSegments,
            Handle = request.Handle,
            Id = request.Id,
            SectorNumber = request.SectorNumber,
        };
        switch (request.Operation)
        {
            case BlkifOperation.Discard:
                wire.DiscardNrSectors = request.DiscardNrSectors;
                break;
            case BlkifOperation.Indirect:
                wire.IndirectHandle = request.IndirectHandle;
                wire.IndirectGrefs = request.IndirectGrefs;
                break;
            default:
                wire.Seg = request.Seg;
                break;
        }

        return wire;
    }
}

/// <summary>A response in the ring of a 32-bit frontend. <b>Source</b>: io/blkif.h, struct blkif_response, as gcc -m32 lays it out.</summary>
[StructLayout(LayoutKind.Explicit, Size = 12, Pack = 4)]
public struct BlkifResponse32 : IBlkifResponseLayout<BlkifResponse32>
{
    [FieldOffset(0)] public ulong Id;
    [FieldOffset(8)] public BlkifOperation Operation;
    [FieldOffset(10)] public BlkifStatus Status;

    /// <inheritdoc/>
    public readonly BlkifResponse ToNative() => new() { Id = Id, Operation = Operation, Status = Status };

    /// <inheritdoc/>
    public static BlkifResponse32 FromNative(in BlkifResponse response) =>
        new() { Id = response.Id, Operation = response.Operation, Status = response.Status };
}
