using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Tests.Block;

public sealed class BlockRequestParserTests
{
    private static readonly BlockLimits Disk = new(Sectors: 1000, SectorsPerBlock: 1, ReadOnly: false, Discard: true, MaxIndirectSegments: 256);
    private static readonly BlockLimits ReadOnlyDisk = Disk with { ReadOnly = true };
    private static readonly BlockLimits Disk4K = Disk with { SectorsPerBlock = 8 };

    [Theory]
    [InlineData(BlkifOperation.Read, 1, 0, 0, 7, BlockFault.None)]
    [InlineData(BlkifOperation.Write, 11, 0, 0, 7, BlockFault.None)]
    [InlineData(BlkifOperation.WriteBarrier, 0, 0, 0, 0, BlockFault.None)]
    [InlineData(BlkifOperation.FlushDiskcache, 0, 0, 0, 0, BlockFault.None)]
    [InlineData(BlkifOperation.Read, 0, 0, 0, 0, BlockFault.NoSegments)]
    [InlineData(BlkifOperation.Write, 0, 0, 0, 0, BlockFault.NoSegments)]
    [InlineData(BlkifOperation.Read, 12, 0, 0, 0, BlockFault.TooManySegments)]
    [InlineData(BlkifOperation.Read, 255, 0, 0, 0, BlockFault.TooManySegments)]
    [InlineData(BlkifOperation.Read, 1, 0, 3, 2, BlockFault.BadSegment)]
    [InlineData(BlkifOperation.Read, 1, 0, 0, 8, BlockFault.BadSegment)]
    [InlineData(BlkifOperation.Read, 1, 0, 255, 255, BlockFault.BadSegment)]
    [InlineData(BlkifOperation.Read, 1, 999, 0, 0, BlockFault.None)]
    [InlineData(BlkifOperation.Read, 1, 999, 0, 1, BlockFault.OutOfRange)]
    [InlineData(BlkifOperation.Write, 1, 1000, 0, 0, BlockFault.OutOfRange)]
    [InlineData(BlkifOperation.Write, 1, ulong.MaxValue, 0, 7, BlockFault.OutOfRange)]
    [InlineData(BlkifOperation.Write, 11, ulong.MaxValue - 80, 0, 7, BlockFault.OutOfRange)]
    [InlineData(BlkifOperation.Reserved1, 1, 0, 0, 7, BlockFault.UnknownOperation)]
    [InlineData((BlkifOperation)200, 1, 0, 0, 7, BlockFault.UnknownOperation)]
    public void Parse_OfADirectRequest(BlkifOperation operation, byte segments, ulong sector, byte first, byte last, BlockFault expected) =>
        Assert.Equal(expected, BlockRequestParser.Parse(Direct(operation, segments, sector, first, last), Disk, out _));

    [Theory]
    [InlineData(BlkifOperation.Read, BlockFault.None)]
    [InlineData(BlkifOperation.Write, BlockFault.ReadOnly)]
    [InlineData(BlkifOperation.WriteBarrier, BlockFault.ReadOnly)]
    [InlineData(BlkifOperation.FlushDiskcache, BlockFault.ReadOnly)]
    public void Parse_OnAReadOnlyDisk_AllowsReadingOnly(BlkifOperation operation, BlockFault expected) =>
        Assert.Equal(expected, BlockRequestParser.Parse(Direct(operation, 1, 0, 0, 7), ReadOnlyDisk, out _));

    [Theory]
    [InlineData(0, 0, 7, BlockFault.None)]
    [InlineData(8, 0, 7, BlockFault.None)]
    [InlineData(1, 0, 7, BlockFault.Unaligned)]
    [InlineData(0, 0, 6, BlockFault.Unaligned)]
    [InlineData(0, 1, 7, BlockFault.Unaligned)]
    public void Parse_OnLargeSectors_RefusesPartsOfThem(ulong sector, byte first, byte last, BlockFault expected) =>
        Assert.Equal(expected, BlockRequestParser.Parse(Direct(BlkifOperation.Write, 1, sector, first, last), Disk4K, out _));

    [Theory]
    [InlineData(BlkifOperation.Read, 1, 0, BlockFault.None)]
    [InlineData(BlkifOperation.Write, 256, 999, BlockFault.None)]
    [InlineData(BlkifOperation.Write, 257, 0, BlockFault.TooManySegments)]
    [InlineData(BlkifOperation.Write, 65535, 0, BlockFault.TooManySegments)]
    [InlineData(BlkifOperation.Write, 0, 0, BlockFault.NoSegments)]
    [InlineData(BlkifOperation.Indirect, 1, 0, BlockFault.BadIndirectOperation)]
    [InlineData(BlkifOperation.WriteBarrier, 1, 0, BlockFault.BadIndirectOperation)]
    [InlineData(BlkifOperation.Discard, 1, 0, BlockFault.BadIndirectOperation)]
    [InlineData(BlkifOperation.Read, 1, 1001, BlockFault.OutOfRange)]
    public void Parse_OfAnIndirectRequest(BlkifOperation operation, ushort segments, ulong sector, BlockFault expected)
    {
        BlkifRequest wire = new() { Operation = BlkifOperation.Indirect, IndirectOp = operation, IndirectNrSegments = segments, SectorNumber = sector };
        Assert.Equal(expected, BlockRequestParser.Parse(wire, Disk, out BlockRequest request));
        Assert.Equal(operation, request.Operation);
    }

    [Theory]
    [InlineData(0, 1000, 0, BlockFault.None)]
    [InlineData(0, 0, 0, BlockFault.NoSegments)]
    [InlineData(1, 1000, 0, BlockFault.OutOfRange)]
    [InlineData(999, ulong.MaxValue, 0, BlockFault.OutOfRange)]
    [InlineData(0, 8, 1, BlockFault.SecureDiscard)]
    public void Parse_OfADiscard(ulong sector, ulong count, byte flag, BlockFault expected)
    {
        BlkifRequest wire = new() { Operation = BlkifOperation.Discard, SectorNumber = sector, DiscardNrSectors = count, DiscardFlag = flag };
        Assert.Equal(expected, BlockRequestParser.Parse(wire, Disk, out _));
    }

    [Fact]
    public void Parse_OfWhatIsNotOffered_IsNotSupported()
    {
        BlockLimits plain = Disk with { Discard = false, MaxIndirectSegments = 0 };
        foreach (BlkifOperation operation in (BlkifOperation[])[BlkifOperation.Discard, BlkifOperation.Indirect])
        {
            BlockFault fault = BlockRequestParser.Parse(new BlkifRequest { Operation = operation }, plain, out _);
            Assert.Equal(BlkifStatus.NotSupported, BlockRequestParser.StatusOf(fault));
        }
    }

    private static BlkifRequest Direct(BlkifOperation operation, byte segments, ulong sector, byte first, byte last)
    {
        BlkifRequest request = new() { Operation = operation, NrSegments = segments, SectorNumber = sector };
        for (int i = 0; i < Blkif.MaxSegments; i++)
            request.Seg[i] = new BlkifSegment((uint)i, first, last);
        return request;
    }
}
