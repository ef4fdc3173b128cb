using System.Text;

namespace Xen.XenStore;

/// <summary>
/// A file that is locked while somebody has what it stands for, and is removed when they give it up. The kernel unlocks it when the process
/// ends, however that is; a file left behind by one that was killed is taken over.
/// </summary>
/// <remarks>
/// Removing a lock file has a race: one process opens the file, the holder removes it and unlocks, and the lock that the first then gets is on a
/// file that nobody else can find. So only the holder removes the file, while it is locked; and who has locked it looks whether it still has a
/// name, and begins again if not.
/// </remarks>
public sealed class LockFile : IDisposable
{
    /// <summary>What the kernel puts behind the name of an open file that has been removed. <b>Source</b>: proc_pid_fd(5).</summary>
    private const string Removed = " (deleted)";

    /// <summary>What is read of <see cref="Content"/>. <b>Units</b>: bytes.</summary>
    private const int MostContent = 256;

    private readonly FileStream _file;
    private bool _disposed;

    private LockFile(FileStream file) => _file = file;

    /// <summary>Where it is.</summary>
    public string Path => _file.Name;

    /// <summary>Makes the file if it is not there, with mode 0600, and locks it.</summary>
    /// <param name="path">The file; its name must not end with " (deleted)".</param>
    /// <exception cref="IOException">Somebody has it locked, or it cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">It is somebody else's.</exception>
    public static LockFile Take(string path)
    {
        while (true)
        {
            FileStream file = Open(path);
            if (HasName(file))
                return new LockFile(file);

            // Its holder has just removed it. Each time round somebody else has given the lock up.
            file.Dispose();
        }
    }

    /// <summary>What is in the file: text that its holder leaves for others. Whoever held it and did not remove it has left it, too.</summary>
    public string Content
    {
        get
        {
            byte[] bytes = new byte[MostContent];
            int count = RandomAccess.Read(_file.SafeFileHandle, bytes, 0);
            return Encoding.UTF8.GetString(bytes, 0, count);
        }

        set
        {
            RandomAccess.SetLength(_file.SafeFileHandle, 0);
            RandomAccess.Write(_file.SafeFileHandle, Encoding.UTF8.GetBytes(value), 0);
        }
    }

    /// <summary>Removes the file and unlocks it.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        try
        {
            File.Delete(_file.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The folder is gone or closed to us: a file that nobody holds does no harm.
        }

        _file.Dispose();
    }

    /// <summary>Opens and locks the file, whether it keeps its name or not; for <see cref="Take"/> and its test.</summary>
    internal static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.OpenOrCreate,
        Access = FileAccess.ReadWrite,
        Share = FileShare.None,
        BufferSize = 0,
        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
    });

    /// <summary>Whether the open file is still in a folder.</summary>
    internal static bool HasName(FileStream file) =>
        File.ResolveLinkTarget($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}", returnFinalTarget: false) is { } target
        && !target.FullName.EndsWith(Removed, StringComparison.Ordinal);
}
