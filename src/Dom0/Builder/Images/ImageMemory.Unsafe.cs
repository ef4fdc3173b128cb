using System.Buffers;
using System.Runtime.InteropServices;

namespace Xen.Builder.Images;

/// <summary>
/// Memory for an image's bytes, outside of the managed heap: zero at first, in huge pages where the host has them, for a page fault costs more
/// than the few bytes that it brings, and gone as soon as it is disposed of.
/// </summary>
/// <remarks>
/// What nobody writes costs the host nothing (a huge page at most), so that a size that a file only claims costs address space alone.
/// Whoever has a span of it sees to it that it is not disposed of meanwhile; afterwards no new one can be had.
/// </remarks>
internal sealed unsafe partial class ImageMemory : MemoryManager<byte>
{
    private const int SmallPage = 4096;
    private const nuint HugePage = 2 << 20;

    /// <summary>From here on a huge page costs less than the small ones.</summary>
    private const int LargeLength = 256 << 10;

    private const int ProtRead = 1, ProtWrite = 2;
    private const int MapPrivate = 2, MapAnonymous = 0x20, MapNoReserve = 0x4000;
    private const int AdviseDontNeed = 4, AdviseHugePage = 14;

    private readonly int _length;
    private readonly nuint _mapped;
    private void* _map;
    private byte* _bytes;

    private ImageMemory(void* map, nuint mapped, byte* bytes, int length)
    {
        _map = map;
        _mapped = mapped;
        _bytes = bytes;
        _length = length;
    }

    /// <summary>Takes memory. <b>Units</b>: bytes.</summary>
    /// <param name="file">The file for which, for the message.</param>
    /// <param name="length">How much; 0 is lawful.</param>
    /// <exception cref="ImageException">The host has no room.</exception>
    public static ImageMemory Allocate(string file, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);

        // SAFETY: the mapping is the new object's alone and goes with it. It is larger than the length by what alignment takes, if it is
        // aligned at all.
        var isLarge = length >= LargeLength;
        var mapped = isLarge ? (((nuint)length + HugePage - 1) & ~(HugePage - 1)) + HugePage : (nuint)Math.Max(length, 1);
        var map = mmap(null, mapped, ProtRead | ProtWrite, MapPrivate | MapAnonymous | MapNoReserve, -1, 0);
        if (map == (void*)-1)
        {
            throw new ImageException(
                file,
                $"the host has no room for its {length} bytes (errno {Marshal.GetLastPInvokeError()})",
                "end other programs, or raise the limit of this one's memory");
        }

        var bytes = (byte*)map;
        if (isLarge)
        {
            bytes = (byte*)(((nuint)map + HugePage - 1) & ~(HugePage - 1));
            _ = madvise(bytes, mapped - HugePage, AdviseHugePage);
        }

        return new ImageMemory(map, mapped, bytes, length);
    }

    public void Dispose() => Dispose(disposing: true);

    public override Span<byte> GetSpan()
    {
        // SAFETY: the mapping has at least so many bytes, and lives until Dispose.
        ObjectDisposedException.ThrowIf(_map == null, this);
        return new Span<byte>(_bytes, _length);
    }

    /// <summary>Gives whole pages among these bytes back to the host. What they held is lost.</summary>
    public void Forget(int offset, int length)
    {
        // SAFETY: the slice checks the range; rounding the end down stays within it, and what begins inside of a page begins outside of the range.
        _ = GetSpan().Slice(offset, length);
        var pages = (nuint)length & ~(nuint)(SmallPage - 1);
        if (offset % SmallPage == 0 && pages != 0)
        {
            _ = madvise(_bytes + offset, pages, AdviseDontNeed);
        }
    }

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        // SAFETY: it does not move; the index is checked. The handle keeps this object, not the mapping: as with a span, the holder does.
        ObjectDisposedException.ThrowIf(_map == null, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)_length);
        return new MemoryHandle(_bytes + elementIndex, pinnable: this);
    }

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (_map != null)
        {
            _ = munmap(_map, _mapped);
            _map = null;
            _bytes = null;
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial void* mmap(void* addr, nuint length, int prot, int flags, int fd, long offset);

    [LibraryImport("libc")]
    private static partial int munmap(void* addr, nuint length);

    [LibraryImport("libc")]
    private static partial int madvise(void* addr, nuint length, int advice);
}
