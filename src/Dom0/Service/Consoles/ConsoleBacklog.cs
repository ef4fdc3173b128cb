namespace Xen.Service;

/// <summary>Bytes in order, up to a bound; then the oldest are lost. Memory grows with what is in it.</summary>
internal sealed class ConsoleBacklog(int capacity)
{
    private byte[] _bytes = [];
    private int _start;

    /// <summary>Bytes lost since <see cref="TakeLost"/> was called last.</summary>
    private long _lost;

    public int Count { get; private set; }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        if (bytes.Length > capacity)
        {
            _lost += bytes.Length - capacity;
            bytes = bytes[^capacity..];
        }

        int over = Count + bytes.Length - capacity;
        if (over > 0)
        {
            _lost += over;
            Drop(over);
        }

        Reserve(Count + bytes.Length);
        int end = (_start + Count) % _bytes.Length, first = Math.Min(bytes.Length, _bytes.Length - end);
        bytes[..first].CopyTo(_bytes.AsSpan(end));
        bytes[first..].CopyTo(_bytes);
        Count += bytes.Length;
    }

    /// <summary>Takes the oldest bytes, as many as fit.</summary>
    /// <returns>How many.</returns>
    public int Take(Span<byte> destination)
    {
        int count = Math.Min(destination.Length, Count);
        Copy(destination[..count]);
        Drop(count);
        if (Count == 0)
            (_bytes, _start) = ([], 0);
        return count;
    }

    /// <summary>All of it.</summary>
    public byte[] Peek()
    {
        byte[] all = new byte[Count];
        Copy(all);
        return all;
    }

    public long TakeLost()
    {
        long lost = _lost;
        _lost = 0;
        return lost;
    }

    private void Copy(Span<byte> destination)
    {
        if (destination.IsEmpty)
            return;
        int first = Math.Min(destination.Length, _bytes.Length - _start);
        _bytes.AsSpan(_start, first).CopyTo(destination);
        _bytes.AsSpan(0, destination.Length - first).CopyTo(destination[first..]);
    }

    private void Drop(int count)
    {
        Count -= count;
        _start = Count == 0 ? 0 : (_start + count) % _bytes.Length;
    }

    private void Reserve(int needed)
    {
        if (needed <= _bytes.Length)
            return;
        byte[] grown = new byte[Math.Min(capacity, Math.Max(needed, _bytes.Length * 2))];
        Copy(grown.AsSpan(0, Count));
        (_bytes, _start) = (grown, 0);
    }
}
