using System.Runtime.InteropServices;

namespace Xen.Toolstack;

/// <summary>Files that are there whole or not at all, whatever ends the process or the host.</summary>
public static partial class DurableFile
{
    /// <summary>The end of the name of a file that is being written.</summary>
    public const string Unfinished = ".new";

    private const int ReadOnly = 0, Directory = 0x10000, CloseOnExec = 0x80000;

    /// <summary>Writes a file anew: beside the old one, to the disk, then in its place.</summary>
    /// <exception cref="IOException">It cannot be written. The old one is as it was, unless only the folder could not be: then the new one is there, and may be lost.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        string beside = path + Unfinished;
        var options = new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.None,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var file = new FileStream(beside, options))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
        SyncFolder(Path.GetDirectoryName(path)!);
    }

    /// <summary>Makes the names in a folder stable.</summary>
    /// <exception cref="IOException">It cannot be written to the disk.</exception>
    public static void SyncFolder(string folder)
    {
        // SAFETY: the path is a string with its zero; the descriptor is ours alone and closed again.
        int fd = open(folder, ReadOnly | Directory | CloseOnExec);
        if (fd < 0)
            throw new IOException($"{folder} cannot be opened (errno {Marshal.GetLastPInvokeError()}).");
        int result = fsync(fd);
        int errno = Marshal.GetLastPInvokeError();
        _ = close(fd);
        if (result != 0)
            throw new IOException($"{folder} cannot be written to the disk (errno {errno}).");
    }

    /// <summary>Removes a file for good; does nothing if there is none.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    public static void Delete(string path)
    {
        File.Delete(path);
        SyncFolder(Path.GetDirectoryName(path)!);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);
}
