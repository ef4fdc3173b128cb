using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Rings;

/// <summary>The memory of a shared ring: ordered access to its indices, copies of its slots.</summary>
internal readonly struct RingMemory
{
    private readonly ISharedPages _pages;
    private readonly int _slotSize;
    private readonly uint _mask;

    public RingMemory(ISharedPages pages, int slotSize)
    {
        _pages = pages;
        _slotSize = slotSize;
        _mask = (uint)new RingGeometry(pages.Count, slotSize).Slots - 1;
    }

    /// <summary>The number of slots.</summary>
    public uint Size => _mask + 1;

    /// <summary>The memory of a ring whose slots have the given size, or that of the larger of the two structures where it is 0.</summary>
    public static RingMemory Of<TRequest, TResponse>(ISharedPages pages, int slotSize)
        where TRequest : unmanaged
        where TResponse : unmanaged
    {
        ArgumentNullException.ThrowIfNull(pages);
        int least = Math.Max(Unsafe.SizeOf<TRequest>(), Unsafe.SizeOf<TResponse>());
        if (slotSize == 0)
            slotSize = least;
        ArgumentOutOfRangeException.ThrowIfLessThan(slotSize, least);
        return new RingMemory(pages, slotSize);
    }

    /// <summary>Reads an index that the peer publishes: what it wrote before publishing is visible after this (acquire).</summary>
    public uint ReadIndex(int offset) => FromWire(Volatile.Read(ref Index(offset)));

    /// <summary>Publishes an index: what we wrote before is visible to who reads it (release).</summary>
    public void PublishIndex(int offset, uint value)
    {
        Volatile.Write(ref Index(offset), FromWire(value));
        _pages.MarkWritten(0);
    }

    /// <summary>Copies a structure out of the start of a slot. Shared memory is read here only; what the peer writes later is not seen.</summary>
    public void ReadSlot<T>(uint index, out T value)
        where T : unmanaged
    {
        Unsafe.SkipInit(out value);

        // SAFETY: the span is that of the local or field that the caller gave, an unmanaged structure, and does not outlive this call.
        Span<byte> into = MemoryMarshal.AsBytes(new Span<T>(ref value));
        (int page, int offset) = Place(index);
        Span<byte> bytes = _pages.Bytes(page)[offset..];
        if (bytes.Length >= into.Length)
        {
            bytes[..into.Length].CopyTo(into);
            return;
        }

        bytes.CopyTo(into);
        _pages.Bytes(page + 1)[..(into.Length - bytes.Length)].CopyTo(into[bytes.Length..]);
    }

    /// <summary>Copies a structure to the start of a slot.</summary>
    public void WriteSlot<T>(uint index, in T value)
        where T : unmanaged
    {
        // SAFETY: the span is that of the structure that the caller gave, unmanaged, only read, and does not outlive this call.
        ReadOnlySpan<byte> from = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
        (int page, int offset) = Place(index);
        Span<byte> bytes = _pages.Bytes(page)[offset..];
        int first = Math.Min(bytes.Length, from.Length);
        from[..first].CopyTo(bytes);
        _pages.MarkWritten(page);
        if (first == from.Length)
            return;
        from[first..].CopyTo(_pages.Bytes(page + 1));
        _pages.MarkWritten(page + 1);
    }

    /// <summary>Empties the ring: what SHARED_RING_INIT does.</summary>
    public void Initialise()
    {
        _pages.Bytes(0)[..RingLayout.Ring].Clear();
        PublishIndex(RingLayout.ReqEvent, 1);
        PublishIndex(RingLayout.RspEvent, 1);
    }

    private (int Page, int Offset) Place(uint index)
    {
        int at = RingLayout.Ring + ((int)(index & _mask) * _slotSize);
        return (at >> Page.Shift, at & (Page.Size - 1));
    }

    private ref uint Index(int offset)
    {
        // SAFETY: the slice checks that four bytes lie in the page; RingLayout's offsets are multiples of 4, so the access is atomic.
        return ref MemoryMarshal.AsRef<uint>(_pages.Bytes(0).Slice(offset, sizeof(uint)));
    }

    private static uint FromWire(uint value) => BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value);
}
