using System.Globalization;

namespace Xen.Rings;

/// <summary>Where a ring of bytes lies in its page. <b>Units</b>: bytes; the size is a power of two, index offsets are multiples of 4.</summary>
/// <param name="Data">Offset of the bytes.</param>
/// <param name="Size">How many there are.</param>
/// <param name="Cons">Offset of the consumer's index.</param>
/// <param name="Prod">Offset of the producer's index.</param>
public readonly record struct ByteRingLayout(int Data, int Size, int Cons, int Prod);

/// <summary>
/// One direction of a byte stream through a shared page, as the console and xenstore have it: indices are 32-bit counters that run
/// freely and wrap; an index modulo the size is a place in the data.
/// </summary>
/// <remarks>
/// The barriers, once for all byte rings. The producer writes data, then publishes its index (release); the consumer reads that index
/// (acquire), then the data: it never sees bytes that are not there yet. The consumer copies data, then publishes its own index
/// (release); the producer reads that (acquire), then overwrites: it never overwrites bytes that are still needed. Each side notifies
/// after each publication, and the notification is a full barrier: who found the ring full or empty is woken after the change. (A peer that
/// notifies only when it believes that we sleep needs more: see the xenstore's ring connection.)
/// Both indices are read once per operation and judged on the copy. The page belongs to the peer as much as to us: a producer that is
/// further ahead than the size has broken the ring, which closes (<see cref="Fault"/>).
/// Not thread-safe: one caller at a time for each direction.
/// </remarks>
public sealed class ByteRing(ISharedPage page, ByteRingLayout layout)
{
    /// <summary>Why the ring is closed for good, or null while it is sound.</summary>
    public string? Fault { get; private set; }

    /// <summary>As consumer: takes up to <paramref name="into"/>'s length of bytes.</summary>
    /// <returns>The number of bytes taken; 0 if there are none, or if the ring is closed.</returns>
    public int Read(Span<byte> into)
    {
        if (!TryLoad(out uint cons, out uint used))
            return 0;
        int count = Math.Min(into.Length, (int)used);
        if (count == 0)
            return 0;
        int at = Place(cons), first = Math.Min(count, layout.Size - at);
        Span<byte> data = Data;
        data.Slice(at, first).CopyTo(into);
        data[..(count - first)].CopyTo(into[first..]);
        SharedPageAccess.PublishIndex(page, layout.Cons, cons + (uint)count);
        return count;
    }

    /// <summary>As producer: puts as many of the bytes as there is room for.</summary>
    /// <returns>The number of bytes put; 0 if the ring is full or closed.</returns>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        if (!TryLoad(out uint cons, out uint used))
            return 0;
        int count = Math.Min(bytes.Length, layout.Size - (int)used);
        if (count == 0)
            return 0;
        uint prod = cons + used;
        int at = Place(prod), first = Math.Min(count, layout.Size - at);
        Span<byte> data = Data;
        bytes[..first].CopyTo(data[at..]);
        bytes[first..count].CopyTo(data);
        SharedPageAccess.PublishIndex(page, layout.Prod, prod + (uint)count);
        return count;
    }

    private Span<byte> Data => page.Bytes.Slice(layout.Data, layout.Size);

    private int Place(uint index) => (int)(index & (uint)(layout.Size - 1));

    private bool TryLoad(out uint cons, out uint used)
    {
        cons = used = 0;
        if (Fault is not null)
            return false;
        cons = SharedPageAccess.ReadIndex(page, layout.Cons);
        uint prod = SharedPageAccess.ReadIndex(page, layout.Prod);
        used = prod - cons;
        if (used <= (uint)layout.Size)
            return true;
        Fault = string.Create(CultureInfo.InvariantCulture, $"producer index {prod} is {used} ahead of consumer index {cons} in a ring of {layout.Size} bytes");
        return false;
    }
}
