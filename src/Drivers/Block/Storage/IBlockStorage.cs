using Xen.Abi;

namespace Xen.Drivers.Block.Storage;

/// <summary>
/// What a virtual disk's sectors are kept in. Offsets and lengths are within the size that the device was offered with: the backend has
/// checked them.
/// </summary>
/// <remarks>
/// Reading, writing, flushing, discarding: any thread, many at once, each returns when it is done and none throws. What has returned is in the
/// storage for every later call; it is stable, against power cuts too, after a <see cref="Flush"/> that began later.
/// <b>Errors</b>: those of the host's system calls; ENODATA where the storage ends before the request does.
/// </remarks>
public interface IBlockStorage : IDisposable
{
    /// <summary>What it is, for the log: a path, with its format.</summary>
    string Name { get; }

    /// <summary>How much it holds. Changes in <see cref="Refresh"/> only. <b>Units</b>: bytes, a multiple of <see cref="SectorSize"/>.</summary>
    long Size { get; }

    /// <summary>The smallest part that can be written. <b>Units</b>: bytes: 512 or 4096.</summary>
    int SectorSize { get; }

    /// <summary>The smallest part that is written well. <b>Units</b>: bytes.</summary>
    int PhysicalSectorSize { get; }

    bool ReadOnly { get; }

    /// <summary>Whether <see cref="Discard"/> does anything.</summary>
    bool CanDiscard { get; }

    /// <summary>The parts in which space is given back. <b>Units</b>: bytes.</summary>
    int DiscardGranularity { get; }

    /// <summary>Reads into all of the memory.</summary>
    XenErrno Read(long offset, ReadOnlySpan<IoVector> into);

    /// <summary>Writes all of the memory.</summary>
    XenErrno Write(long offset, ReadOnlySpan<IoVector> from);

    /// <summary>Makes what was written stable.</summary>
    XenErrno Flush();

    /// <summary>The bytes are not needed any more; what is read there later is theirs or zero.</summary>
    XenErrno Discard(long offset, long length);

    /// <summary>
    /// Gives up waiting for somebody else who keeps the storage: requests under way and all later ones fail with EIO, at once. Where
    /// only the host's own kernel is waited for, nothing changes. Any thread.
    /// </summary>
    void Abort();

    /// <summary>Looks whether the size has changed.</summary>
    /// <returns>True if <see cref="Size"/> is another one now. A storage that shrank keeps its size; what it lost gives ENODATA.</returns>
    bool Refresh();
}
