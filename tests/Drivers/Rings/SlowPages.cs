using Xen.Rings;

namespace Xen.Drivers.Tests.Rings;

/// <summary>
/// One side's view of a ring's pages, behind a store to memory that is in no cache. Stores leave a processor in order: what this side publishes
/// next waits for that one, some hundred nanoseconds, while its loads go ahead. So a full barrier that is missing after it shows.
/// </summary>
internal sealed class SlowPages(RingPages pages) : ISharedPages
{
    // More than the caches hold.
    private readonly byte[] _cold = new byte[64 << 20];
    private uint _at = 1;

    public int Count => pages.Count;

    public Span<byte> Bytes(int page)
    {
        // No pattern that a processor could fetch ahead by.
        _at = (_at * 1664525) + 1013904223;
        _cold[_at >> 6] = 1;
        return pages.Bytes(page);
    }

    public void MarkWritten(int page)
    {
    }

    public void Dispose()
    {
    }
}
