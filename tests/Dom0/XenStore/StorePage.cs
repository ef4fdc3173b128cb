using System.Buffers.Binary;
using Xen.Rings;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>A ring page that is a plain array.</summary>
internal sealed class StorePage : ISharedPage
{
    private readonly byte[] _bytes = GC.AllocateArray<byte>(4096, pinned: true);

    public bool IsDisposed { get; private set; }

    /// <summary>Access of the guest, which still has its memory when the store has let go of it.</summary>
    public Span<byte> Guest => _bytes;

    public Span<byte> Bytes => IsDisposed ? throw new ObjectDisposedException(nameof(StorePage)) : _bytes;

    public uint this[int offset]
    {
        get
        {
            Interlocked.MemoryBarrier();
            return BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));
        }

        set
        {
            Interlocked.MemoryBarrier();
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);
            Interlocked.MemoryBarrier();
        }
    }

    public void Dispose() => IsDisposed = true;
}

/// <summary>An event channel whose other end is a semaphore to wait on.</summary>
internal sealed class StoreEvents : IEventPort
{
    private Action? _handler;

    public SemaphoreSlim Notified { get; } = new(0);

    public bool IsDisposed { get; private set; }

    public void Notify() => Notified.Release();

    public void SetHandler(Action? handler) => Volatile.Write(ref _handler, handler);

    /// <summary>The guest notifies the store.</summary>
    public void Raise() => Volatile.Read(ref _handler)?.Invoke();

    public void Dispose() => IsDisposed = true;
}
