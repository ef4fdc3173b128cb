using Xen.Abi;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Block.Storage;

/// <summary>A raw image: a file, or a block device of the host, byte for byte. Reads and writes go straight between it and the guest's memory.</summary>
public sealed class RawFileStorage : IBlockStorage
{
    private readonly HostFile _file;
    private readonly int _discardGranularity;

    /// <summary>Where the image ended when it was shortest; what was beyond is lost.</summary>
    private long _shortest;
    private long _size;

    private RawFileStorage(string path, HostFile file, bool readOnly, int sectorSize, int physicalSectorSize, bool canDiscard, int discardGranularity)
    {
        Name = path;
        _file = file;
        ReadOnly = readOnly;
        SectorSize = sectorSize;
        PhysicalSectorSize = Math.Max(sectorSize, physicalSectorSize);
        CanDiscard = canDiscard;
        _discardGranularity = discardGranularity;
        _size = Whole(file.End);
        _shortest = long.MaxValue;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Size => Volatile.Read(ref _size);

    /// <inheritdoc/>
    public int SectorSize { get; }

    /// <inheritdoc/>
    public int PhysicalSectorSize { get; }

    /// <inheritdoc/>
    public bool ReadOnly { get; }

    /// <inheritdoc/>
    public bool CanDiscard { get; }

    /// <inheritdoc/>
    public int DiscardGranularity => Math.Max(SectorSize, _discardGranularity);

    /// <summary>Opens an image and locks it: for us alone, or with other readers, or not at all where it is to be shared.</summary>
    /// <param name="path">The file or block device.</param>
    /// <param name="readOnly">It is only read.</param>
    /// <param name="shared">Others may write it at the same time: the guests know how to (a cluster file system).</param>
    /// <param name="storage">The storage.</param>
    /// <param name="sectorSize">The sector size to present; 0 for the image's own. <b>Units</b>: bytes: 512 or 4096.</param>
    /// <returns>Null, or one sentence that says why not.</returns>
    public static string? Open(string path, bool readOnly, bool shared, out RawFileStorage? storage, int sectorSize = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        storage = null;
        XenErrno errno = HostFile.Open(path, !readOnly, exclusive: false, out HostFile? file);
        bool device = file is not null && file.TryGetSectorSizes(out _, out _);
        if (device && !readOnly && !shared)
        {
            file!.Dispose();
            errno = HostFile.Open(path, !readOnly, exclusive: true, out file);
        }

        if (file is null)
            return WhyNotOpened(path, readOnly, errno);
        string? error = Check(path, file, readOnly, shared);
        if (error is null)
            storage = Make(path, file, readOnly, device, sectorSize);
        else
            file.Dispose();
        return error;
    }

    /// <inheritdoc/>
    public XenErrno Read(long offset, ReadOnlySpan<IoVector> into) =>
        IsLost(offset, LengthOf(into)) ? XenErrno.ENODATA : _file.Read(offset, into);

    /// <inheritdoc/>
    public XenErrno Write(long offset, ReadOnlySpan<IoVector> from) =>
        IsLost(offset, LengthOf(from)) ? XenErrno.ENODATA : _file.Write(offset, from);

    /// <inheritdoc/>
    public XenErrno Flush() => _file.DataSync();

    /// <inheritdoc/>
    public XenErrno Discard(long offset, long length) => IsLost(offset, length) ? XenErrno.ENODATA : _file.PunchHole(offset, length);

    /// <inheritdoc/>
    public bool Refresh()
    {
        long size = Size, now = Whole(_file.End);
        if (IsLost(0, size) || now <= size)
            return false;
        Volatile.Write(ref _size, now);
        return true;
    }

    /// <inheritdoc/>
    public void Abort()
    {
    }

    public void Dispose() => _file.Dispose();

    private static RawFileStorage Make(string path, HostFile file, bool readOnly, bool device, int sectorSize)
    {
        int logical = Blkif.SectorSize, physical = Blkif.SectorSize;
        if (device && (!file.TryGetSectorSizes(out logical, out physical) || logical is not (512 or 4096)))
            logical = physical = Blkif.SectorSize;

        // A hole beyond the end changes nothing and shows whether the file system makes holes at all; a device says when it is asked to.
        bool discards = !readOnly && (device || file.PunchHole(file.End, Page.Size) == XenErrno.OK);
        return new RawFileStorage(path, file, readOnly, sectorSize == 0 ? logical : sectorSize, physical, discards, device ? 0 : Page.Size);
    }

    private static string? Check(string path, HostFile file, bool readOnly, bool shared)
    {
        if (!shared && (readOnly ? file.LockForReading() : file.LockForWriting()) is not XenErrno.OK and XenErrno errno)
        {
            // A file system without locks is no reason to refuse a disk.
            if (errno is XenErrno.EAGAIN or XenErrno.EACCES)
            {
                return readOnly
                    ? $"disk image {path} is in use for writing by another domain or program"
                    : $"disk image {path} is in use by another domain or program; only access r, or w! for a file system that can be shared, allows that";
            }
        }

        return file.End switch
        {
            // Linux opens such a device for writing all the same, and fails the writes.
            _ when !readOnly && file.IsReadOnlyDevice => $"block device {path} is read-only on this host; use access r",
            // A directory that was opened for reading has an end, but one that makes no sense.
            _ when Directory.Exists(path) => $"disk image {path} is a directory",
            < 0 => $"disk image {path} is neither a file nor a block device",
            < Blkif.SectorSize => $"disk image {path} is empty: it has not even one sector",
            _ => null,
        };
    }

    private static string WhyNotOpened(string path, bool readOnly, XenErrno errno) => errno switch
    {
        XenErrno.ENOENT => $"disk image {path} does not exist",
        XenErrno.ENOTDIR => $"disk image {path} does not exist: a part of its path is not a directory",
        XenErrno.EISDIR => $"disk image {path} is a directory",
        XenErrno.EACCES or XenErrno.EPERM => $"no permission to {(readOnly ? "read" : "write")} disk image {path}",
        XenErrno.EROFS => $"disk image {path} is on a read-only file system; use access r",
        XenErrno.EBUSY => $"block device {path} is in use by this host (mounted, or part of another device)",
        XenErrno.ENXIO or XenErrno.ENODEV => $"block device {path} has no device behind it",
        _ => $"disk image {path} cannot be opened: {errno}",
    };

    private static long LengthOf(ReadOnlySpan<IoVector> vectors)
    {
        long length = 0;
        foreach (IoVector vector in vectors)
            length += vector.Length;
        return length;
    }

    private long Whole(long end) => Math.Max(0, end) / SectorSize * SectorSize;

    /// <summary>
    /// Whether the image has lost what a request is about. Writing beyond the end would make the image long again, with zeroes where the
    /// guest had data, and nobody would ever know; so the loss is remembered.
    /// </summary>
    private bool IsLost(long offset, long length)
    {
        long end = _file.End;
        if (end < Size && end < Volatile.Read(ref _shortest))
            Volatile.Write(ref _shortest, end);
        return offset + length > Volatile.Read(ref _shortest);
    }
}
