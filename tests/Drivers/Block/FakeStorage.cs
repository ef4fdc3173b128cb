using Xen.Abi;
using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

/// <summary>A storage in memory that remembers what was done in which order, and lets a test step in.</summary>
internal sealed class FakeStorage(int size = 1 << 20) : IBlockStorage
{
    private readonly Lock _lock = new();
    private readonly List<string> _done = [];
    private long _size = size;

    public byte[] Volatile { get; } = new byte[size];

    /// <summary>What a power cut would leave.</summary>
    public byte[] Stable { get; } = new byte[size];

    /// <summary>Called before each operation, with no lock held; anything but OK is its result.</summary>
    public Func<string, long, XenErrno>? Before { get; set; }

    /// <summary>Writes are remembered in <see cref="Done"/>.</summary>
    public bool Records { get; init; } = true;

    public IReadOnlyList<string> Done
    {
        get
        {
            lock (_lock)
                return [.. _done];
        }
    }

    public string Name => "fake";

    public long Size => _size;

    public long NextSize { get; set; } = size;

    public int SectorSize => 512;

    public int PhysicalSectorSize => 512;

    public bool ReadOnly => false;

    public bool CanDiscard => true;

    public int DiscardGranularity => 512;

    public bool IsDisposed { get; private set; }

    public XenErrno Read(long offset, ReadOnlySpan<IoVector> into)
    {
        if (Before?.Invoke("read", offset) is { } fault and not XenErrno.OK)
            return fault;
        foreach (IoVector vector in into)
        {
            Volatile.AsSpan((int)offset, vector.Length).CopyTo(vector.Bytes);
            offset += vector.Length;
        }

        return XenErrno.OK;
    }

    public XenErrno Write(long offset, ReadOnlySpan<IoVector> from)
    {
        if (Before?.Invoke("write", offset) is { } fault and not XenErrno.OK)
            return fault;
        if (Records)
        {
            lock (_lock)
                _done.Add("write " + offset);
        }

        foreach (IoVector vector in from)
        {
            vector.Bytes.CopyTo(Volatile.AsSpan((int)offset));
            offset += vector.Length;
        }

        return XenErrno.OK;
    }

    public XenErrno Flush()
    {
        if (Before?.Invoke("flush", 0) is { } fault and not XenErrno.OK)
            return fault;
        lock (_lock)
        {
            _done.Add("flush");
            Volatile.CopyTo(Stable.AsSpan());
        }

        return XenErrno.OK;
    }

    public XenErrno Discard(long offset, long length)
    {
        if (Before?.Invoke("discard", offset) is { } fault and not XenErrno.OK)
            return fault;
        lock (_lock)
            _done.Add($"discard {offset} {length}");
        return XenErrno.OK;
    }

    public void Abort()
    {
    }

    public bool Refresh()
    {
        bool changed = _size != NextSize;
        _size = NextSize;
        return changed;
    }

    public void Dispose() => IsDisposed = true;
}
