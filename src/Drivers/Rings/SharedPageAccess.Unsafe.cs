using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Xen.Rings;

/// <summary>Ordered access to the indices in a shared page.</summary>
internal static class SharedPageAccess
{
    /// <summary>Reads an index that the peer publishes: what it wrote before publishing is visible after this (acquire).</summary>
    public static uint ReadIndex(ISharedPage page, int offset) => FromWire(Volatile.Read(ref Index(page, offset)));

    /// <summary>Publishes an index: what we wrote before is visible to who reads it (release).</summary>
    public static void PublishIndex(ISharedPage page, int offset, uint value) => Volatile.Write(ref Index(page, offset), FromWire(value));

    private static ref uint Index(ISharedPage page, int offset)
    {
        // SAFETY: the slice checks that four bytes lie in the page; layouts align indices to 4, so the access is atomic on every host.
        return ref MemoryMarshal.AsRef<uint>(page.Bytes.Slice(offset, sizeof(uint)));
    }

    private static uint FromWire(uint value) => BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
}
