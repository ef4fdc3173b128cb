using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Tests.Block;

/// <summary>The structures against what gcc makes of io/blkif.h, for both kinds of frontend.</summary>
public sealed class BlkifLayoutTests
{
    [Theory]
    [InlineData(typeof(BlkifRequest), 112, "Operation 0, NrSegments 1, DiscardFlag 1, IndirectOp 1, Handle 2, IndirectNrSegments 2, Id 8, SectorNumber 16, Seg 24, DiscardNrSectors 24, IndirectHandle 24, IndirectGrefs 28")]
    [InlineData(typeof(BlkifRequest32), 108, "Operation 0, NrSegments 1, Handle 2, Id 4, SectorNumber 12, Seg 20, DiscardNrSectors 20, IndirectHandle 20, IndirectGrefs 24")]
    [InlineData(typeof(BlkifResponse), 16, "Id 0, Operation 8, Status 10")]
    [InlineData(typeof(BlkifResponse32), 12, "Id 0, Operation 8, Status 10")]
    public void Structures_LieAsInTheHeader(Type type, int size, string fields)
    {
        Assert.Equal(size, Marshal.SizeOf(type));
        Assert.All(fields.Split(", "), field =>
        {
            string[] parts = field.Split(' ');
            Assert.Equal(int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture), (int)Marshal.OffsetOf(type, parts[0]));
        });
    }

    [Fact]
    public void Structures_HaveTheSizesThatTheRingsCountWith()
    {
        Assert.Equal(112, Unsafe.SizeOf<BlkifRequest>());
        Assert.Equal(108, Unsafe.SizeOf<BlkifRequest32>());
        Assert.Equal(16, Unsafe.SizeOf<BlkifResponse>());
        Assert.Equal(12, Unsafe.SizeOf<BlkifResponse32>());
        Assert.Equal(8, Unsafe.SizeOf<BlkifSegment>());
    }

    [Fact]
    public void Segment_LiesAsInTheHeader()
    {
        BlkifSegment segment = new(0x11223344, 0x55, 0x66);
        Assert.Equal([0x44, 0x33, 0x22, 0x11, 0x55, 0x66], MemoryMarshal.AsBytes(new ReadOnlySpan<BlkifSegment>(in segment))[..6].ToArray());
    }

    [Theory]
    [InlineData(BlkifOperation.Read)]
    [InlineData(BlkifOperation.Discard)]
    [InlineData(BlkifOperation.Indirect)]
    public void Layout32_CarriesTheSameRequest(BlkifOperation operation)
    {
        BlkifRequest request = Numbered(operation);
        BlkifRequest back = BlkifRequest32.FromNative(request).ToNative();
        Assert.Equal(MemoryMarshal.AsBytes(new ReadOnlySpan<BlkifRequest>(in request)).ToArray(), MemoryMarshal.AsBytes(new ReadOnlySpan<BlkifRequest>(in back)).ToArray());
    }

    private static BlkifRequest Numbered(BlkifOperation operation)
    {
        BlkifRequest request = new() { Operation = operation, NrSegments = 3, Handle = 0x1234, Id = 0x1122334455667788, SectorNumber = 0x0102030405060708 };
        if (operation == BlkifOperation.Discard)
            request.DiscardNrSectors = 0xA1A2A3A4A5A6A7A8;
        else if (operation == BlkifOperation.Indirect)
            (request.IndirectHandle, request.IndirectGrefs[0], request.IndirectGrefs[7]) = (0x4321, 77, 78);
        else
            (request.Seg[0], request.Seg[10]) = (new BlkifSegment(9, 1, 2), new BlkifSegment(10, 3, 4));
        return request;
    }
}
