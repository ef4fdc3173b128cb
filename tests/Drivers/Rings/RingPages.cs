using System.Runtime.InteropServices;
using Xen.Abi;
using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>The pages of a ring, with a hand on its indices.</summary>
internal sealed class RingPages(int count) : ISharedPages
{
    private readonly TestPage[] _pages = [.. Enumerable.Range(0, count).Select(_ => new TestPage())];

    public RingPages(int count, uint start)
        : this(count)
    {
        this[RingLayout.ReqProd] = this[RingLayout.RspProd] = start;
        this[RingLayout.ReqEvent] = this[RingLayout.RspEvent] = start + 1;
    }

    public int Count => count;

    /// <summary>How often pages were marked.</summary>
    public int Marked { get; private set; }

    public uint this[int offset]
    {
        get => _pages[0][offset];
        set => _pages[0][offset] = value;
    }

    public Span<byte> Bytes(int page) => _pages[page].Bytes;

    public void MarkWritten(int page) => Marked++;

    public void Dispose() => Array.ForEach(_pages, p => p.Dispose());
}

/// <summary>12 bytes, as a netif transmit request.</summary>
internal readonly record struct ShortRequest(uint First, uint Middle, uint Last);

/// <summary>4 bytes, as a netif transmit response.</summary>
internal readonly record struct ShortResponse(uint Value);

/// <summary>112 bytes, as a 64-bit blkif request: slots that lie on two pages.</summary>
[StructLayout(LayoutKind.Explicit, Size = 112)]
internal readonly record struct LongRequest(
    [field: FieldOffset(0)] ulong First, [field: FieldOffset(56)] ulong Middle, [field: FieldOffset(104)] ulong Last);

/// <summary>16 bytes, as a 64-bit blkif response.</summary>
internal readonly record struct LongResponse(ulong First, ulong Last);
