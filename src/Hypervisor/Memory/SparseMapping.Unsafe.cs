using System.Runtime.InteropServices;

namespace Xen.Memory;

/// <summary>
/// Zeroed memory of the host that costs nothing where nobody has written. Unless it is small it consists of huge pages where the host has them, and begins
/// with one: one page fault instead of 512.
/// </summary>
internal sealed unsafe partial class SparseMapping : IDisposable
{
    private const nuint HugePage = 2 << 20;
    private const int ProtRead = 1, ProtWrite = 2;
    private const int MapPrivate = 2, MapAnonymous = 0x20, MapNoReserve = 0x4000;
    private const int AdviseDontNeed = 4, AdviseHugePage = 14;

    private readonly nuint _mapped;
    private void* _map;

    /// <exception cref="InsufficientMemoryException">The host refuses the mapping.</exception>
    public SparseMapping(nuint size)
    {
        // SAFETY: the mapping is owned by this object and released once, in Dispose. It has room for whole huge pages from an aligned address on.
        // They are a wish: without them it is only slower.
        Size = size;
        bool isLarge = IsLarge(size);
        nuint whole = isLarge ? checked(size + HugePage - 1) & ~(HugePage - 1) : size;
        _mapped = isLarge ? checked(whole + HugePage) : whole;
        _map = mmap(null, _mapped, ProtRead | ProtWrite, MapPrivate | MapAnonymous | MapNoReserve, -1, 0);
        if (_map == (void*)-1)
        {
            _map = null;
            throw new InsufficientMemoryException($"the host refuses to map {size >> 20} MiB: errno {Marshal.GetLastPInvokeError()}");
        }

        Base = (byte*)_map;
        if (isLarge)
        {
            Base = (byte*)(((nuint)_map + HugePage - 1) & ~(HugePage - 1));
            _ = madvise(Base, whole, AdviseHugePage);
        }
    }

    /// <summary>Where it begins. Whoever keeps the address checks what he adds to it, and does not outlive the mapping.</summary>
    public byte* Base { get; private set; }

    /// <summary><b>Units</b>: bytes.</summary>
    public nuint Size { get; }

    /// <summary>Whether memory of this size is made of huge pages.</summary>
    public static bool IsLarge(nuint size) => size >= HugePage;

    /// <summary>Gives pages back to the host; they read as zeroes from now on. False, and nothing is done, if the host refuses.</summary>
    /// <param name="offset">Where they begin, on a page boundary.</param>
    /// <param name="size">Whole pages. <b>Units</b>: bytes.</param>
    public bool TryDiscard(nuint offset, nuint size)
    {
        // SAFETY: both ends are checked before the host is asked, so that nothing outside of the mapping can be meant.
        ObjectDisposedException.ThrowIf(_map == null, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, Size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Size - size);
        return madvise(Base + offset, size, AdviseDontNeed) == 0;
    }

    public void Dispose()
    {
        if (_map != null)
            _ = munmap(_map, _mapped);
        _map = null;
        Base = null;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial void* mmap(void* addr, nuint length, int prot, int flags, int fd, long offset);

    [LibraryImport("libc")]
    private static partial int munmap(void* addr, nuint length);

    [LibraryImport("libc")]
    private static partial int madvise(void* addr, nuint length, int advice);
}
