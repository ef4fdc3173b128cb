using System.Buffers.Binary;
using Xen.Abi;
using Xen.Rings;

namespace Xen.GuestKit.Harness;

/// <summary>A page of a domain of the world. Its address never changes, and it stays readable for whoever has it mapped.</summary>
public sealed class WorldPage : ISharedPage
{
    private readonly byte[] _bytes = GC.AllocateArray<byte>(Page.Size, pinned: true);
    private readonly Action _givenBack;
    private int _marked;
    private int _disposed;

    internal WorldPage(Action givenBack) => _givenBack = givenBack;

    /// <inheritdoc/>
    public Span<byte> Bytes => _bytes;

    /// <summary>How often a mapper has marked it as written.</summary>
    public int Marked => Volatile.Read(ref _marked);

    public bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    /// <summary>A 32-bit word, such as an index of a ring.</summary>
    public uint this[int offset]
    {
        get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(offset));
        set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _givenBack();
    }

    internal void Mark() => Interlocked.Increment(ref _marked);
}
