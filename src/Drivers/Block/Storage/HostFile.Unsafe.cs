using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Drivers.Block.Storage;

/// <summary>A file or block device of the host: positioned vector I/O and what else disks need, without allocations.</summary>
/// <remarks>Any thread, but not at the time of <see cref="Dispose"/>. <b>Errors</b>: the host's errno values, which are Xen's.</remarks>
internal sealed unsafe partial class HostFile : IDisposable
{
    private const int OpenReadWrite = 2, OpenExclusive = 0x80, OpenNonBlocking = 0x800, OpenCloseOnExec = 0x80000;
    private const int SeekEnd = 2;
    private const int FallocateKeepSize = 1, FallocatePunchHole = 2;
    private const int GetOfdLock = 36, SetOfdLock = 37;
    private const short ReadLock = 0, WriteLock = 1, NoLock = 2;

    // The bytes that QEMU locks in an image, whatever its length.
    private const long QemuDoes = 100, QemuForbids = 200;
    private const long QemuRead = 0, QemuWrite = 1, QemuResize = 3;
    private const ulong BlockLogicalSectorSize = 0x1268, BlockPhysicalSectorSize = 0x127B, BlockGetReadOnly = 0x125E;
    private const ulong FileClone = 0x40049409;
    private const int Interrupted = 4;

    private int _fd;

    private HostFile(int fd) => _fd = fd;

    /// <summary>Opens a file that is there.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="writable">To be written, too.</param>
    /// <param name="exclusive">Of a block device: not when the host has mounted it or uses it otherwise (EBUSY).</param>
    /// <param name="file">The file.</param>
    public static XenErrno Open(string path, bool writable, bool exclusive, out HostFile? file)
    {
        // Without blocking: a pipe with nobody at its other end shall be an error. For files and disks it means nothing.
        int flags = (writable ? OpenReadWrite : 0) | (exclusive ? OpenExclusive : 0) | OpenNonBlocking | OpenCloseOnExec;
        int fd = open(path, flags);
        XenErrno errno = Result(fd);
        file = errno == XenErrno.OK ? new HostFile(fd) : null;
        return errno;
    }

    /// <summary>Where it ends now. <b>Units</b>: bytes; negative if the host does not know.</summary>
    public long End => lseek(_fd, 0, SeekEnd);

    /// <summary>Locks all of it, against all other openings of it, in this process and in others (an open file description lock).</summary>
    /// <returns>EAGAIN or EACCES if somebody else's lock is in the way.</returns>
    public XenErrno LockForWriting() => Lock(WriteLock, 0, 0);

    /// <summary>
    /// Locks it against writers, as QEMU does: who uses an image holds read locks of single bytes, one for each thing that it does and one for each
    /// that it does not want others to do, and looks whether others hold the opposite. So readers, QEMU's and ours, do not disturb each other.
    /// </summary>
    /// <returns>EAGAIN or EACCES if somebody has it for writing.</returns>
    public XenErrno LockForReading()
    {
        foreach (long at in (ReadOnlySpan<long>)[QemuDoes + QemuRead, QemuForbids + QemuWrite, QemuForbids + QemuResize])
        {
            XenErrno errno = Lock(ReadLock, at, 1);
            if (errno != XenErrno.OK)
                return errno;
        }

        // Ours first, then the look: of two that do so at once, one sees the other.
        return IsLocked(QemuDoes + QemuWrite) || IsLocked(QemuDoes + QemuResize) || IsLocked(QemuForbids + QemuRead) ? XenErrno.EAGAIN : XenErrno.OK;
    }

    /// <summary>A block device's logical and physical sector sizes. <b>Units</b>: bytes.</summary>
    public bool TryGetSectorSizes(out int logical, out int physical)
    {
        // SAFETY: both requests write one int to a local.
        int l = 0, p = 0;
        bool ok = ioctl(_fd, BlockLogicalSectorSize, &l) == 0 && ioctl(_fd, BlockPhysicalSectorSize, &p) == 0;
        (logical, physical) = (l, p);
        return ok;
    }

    /// <summary>Whether a block device can only be read, whatever it was opened for (BLKROGET).</summary>
    public bool IsReadOnlyDevice
    {
        get
        {
            // SAFETY: the request writes one int to a local.
            int readOnly = 0;
            return ioctl(_fd, BlockGetReadOnly, &readOnly) == 0 && readOnly != 0;
        }
    }

    public XenErrno Read(long offset, ReadOnlySpan<IoVector> into)
    {
        // SAFETY: as for Write.
        fixed (IoVector* at = into)
            return Transfer(at, into.Length, offset, write: false);
    }

    public XenErrno Write(long offset, ReadOnlySpan<IoVector> from)
    {
        // SAFETY: a vector is an address and a length of memory that its maker keeps; the array of them is pinned for the call.
        fixed (IoVector* at = from)
            return Transfer(at, from.Length, offset, write: true);
    }

    /// <summary>Becomes a copy of another file that shares its blocks (FICLONE). EOPNOTSUPP, EXDEV or EINVAL where the file system cannot.</summary>
    public XenErrno CloneFrom(HostFile other) => Result(ioctl(_fd, FileClone, (nint)other._fd));

    public XenErrno DataSync() => Result(fdatasync(_fd));

    /// <summary>Gives space back; the bytes read as zero. EOPNOTSUPP where the file system cannot.</summary>
    public XenErrno PunchHole(long offset, long length) => Result(fallocate(_fd, FallocateKeepSize | FallocatePunchHole, offset, length));

    public void Dispose()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0)
            _ = close(fd);
    }

    private XenErrno Lock(short type, long start, long length)
    {
        // SAFETY: the structure is a local; the call only reads it.
        FileLock wanted = new() { Type = type, Start = start, Length = length };
        return Result(fcntl(_fd, SetOfdLock, &wanted));
    }

    /// <summary>Whether somebody else has locked a byte in any way.</summary>
    private bool IsLocked(long at)
    {
        // SAFETY: the structure is a local, in which the call writes what is in the way.
        FileLock asked = new() { Type = WriteLock, Start = at, Length = 1 };
        return fcntl(_fd, GetOfdLock, &asked) == 0 && asked.Type != NoLock;
    }

    private XenErrno Transfer(IoVector* vectors, int count, long offset, bool write)
    {
        // SAFETY: done only counts what the host transferred, so that first and the rest of it stay within the caller's vectors.
        int next = 0;
        while (next < count)
        {
            nint done = write ? pwritev(_fd, vectors + next, count - next, offset) : preadv(_fd, vectors + next, count - next, offset);
            if (done < 0)
            {
                XenErrno errno = Errno();
                if ((int)errno == Interrupted)
                    continue;
                return errno;
            }

            if (done == 0)
                return XenErrno.ENODATA;
            offset += done;
            while (next < count && done >= vectors[next].Length)
                done -= vectors[next++].Length;
            if (done == 0)
                continue;

            // Seldom: part of a vector. The rest of it alone, then on.
            XenErrno rest = TransferRest(vectors[next++].Skip((int)done), ref offset, write);
            if (rest != XenErrno.OK)
                return rest;
        }

        return XenErrno.OK;
    }

    private XenErrno TransferRest(IoVector vector, ref long offset, bool write)
    {
        while (vector.Length > 0)
        {
            // SAFETY: the vector is a local of this call.
            nint done = write ? pwritev(_fd, &vector, 1, offset) : preadv(_fd, &vector, 1, offset);
            if (done == 0)
                return XenErrno.ENODATA;
            if (done < 0)
            {
                XenErrno errno = Errno();
                if ((int)errno == Interrupted)
                    continue;
                return errno;
            }

            offset += done;
            vector = vector.Skip((int)done);
        }

        return XenErrno.OK;
    }

    private static XenErrno Result(int result) => result >= 0 ? XenErrno.OK : Errno();

    private static XenErrno Errno() => (XenErrno)Marshal.GetLastPInvokeError();

    /// <summary>C: <c>struct flock</c>; a length of 0 is to the end, wherever that will be.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct FileLock
    {
        public short Type;
        public short Whence;
        public long Start;
        public long Length;
        public int Pid;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int fd, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint preadv(int fd, IoVector* vectors, int count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint pwritev(int fd, IoVector* vectors, int count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fallocate(int fd, int mode, long offset, long length);

    // Variadic in C; on the systems that this runs on the third argument goes where it would go otherwise.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int fd, int command, FileLock* argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, ulong request, int* argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, ulong request, nint argument);
}
