namespace Xen.Drivers.Console;

/// <summary>A bounded first-in first-out queue of bytes. Not thread-safe.</summary>
internal sealed class ByteQueue(int capacity)
{
    private readonly byte[] _bytes = new byte[capacity];
    private int _head;

    public int Count { get; private set; }

    public int Free => _bytes.Length - Count;

    /// <summary>Adds as many bytes as fit.</summary>
    /// <returns>How many.</returns>
    public int Add(ReadOnlySpan<byte> bytes)
    {
        int count = Math.Min(bytes.Length, Free);
        int tail = (_head + Count) % _bytes.Length, first = Math.Min(count, _bytes.Length - tail);
        bytes[..first].CopyTo(_bytes.AsSpan(tail));
        bytes[first..count].CopyTo(_bytes);
        Count += count;
        return count;
    }

    /// <summary>Copies the oldest bytes and leaves them.</summary>
    /// <returns>How many.</returns>
    public int Peek(Span<byte> into)
    {
        int count = Math.Min(into.Length, Count), first = Math.Min(count, _bytes.Length - _head);
        _bytes.AsSpan(_head, first).CopyTo(into);
        _bytes.AsSpan(0, count - first).CopyTo(into[first..]);
        return count;
    }

    /// <summary>Removes the oldest bytes.</summary>
    public void Drop(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Count);
        _head = (_head + count) % _bytes.Length;
        Count -= count;
    }
}
