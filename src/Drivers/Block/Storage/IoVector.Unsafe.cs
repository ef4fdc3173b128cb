using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xen.Drivers.Block.Storage;

/// <summary>A piece of memory that the host reads from or writes to. <b>Source</b>: readv(2), struct iovec.</summary>
/// <remarks>It is of use for as long as the memory is there and does not move.</remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly unsafe struct IoVector
{
    private readonly nint _base;
    private readonly nuint _length;

    private IoVector(nint at, nuint length)
    {
        _base = at;
        _length = length;
    }

    /// <summary>How much it is. <b>Units</b>: bytes.</summary>
    public int Length => (int)_length;

    // SAFETY: Of took address and length from a span of memory that does not move, and its caller keeps that memory.
    /// <summary>The memory.</summary>
    public Span<byte> Bytes => new((void*)_base, (int)_length);

    /// <summary>Describes memory.</summary>
    /// <param name="memory">Memory that does not move: a mapped page, native memory, a pinned array.</param>
    public static IoVector Of(Span<byte> memory)
    {
        // SAFETY: only the address is taken here; the caller answers for the memory staying where it is.
        return new IoVector((nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory)), (nuint)memory.Length);
    }

    /// <summary>What is left after the first bytes.</summary>
    public IoVector Skip(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)_length, nameof(bytes));

        // SAFETY: the result lies in the same memory, as checked.
        return new IoVector(_base + bytes, _length - (nuint)bytes);
    }
}
