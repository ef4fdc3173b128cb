namespace Xen.Drivers.Console;

/// <summary>
/// A console's log file. A guest can print for ever, so the file is bounded: when it is full it becomes <c>PATH.1</c>, replacing the
/// one before, and a new one begins. A disk that fails ends the log, never the guest.
/// </summary>
public sealed class ConsoleLog : IDisposable
{
    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly long _mostBytes;
    private FileStream? _file;

    /// <summary>Opens the log for appending.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mostBytes">When to begin anew. <b>Units</b>: bytes.</param>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public ConsoleLog(string path, long mostBytes = 4 << 20)
    {
        _path = path;
        _mostBytes = mostBytes;
        _file = Open(FileMode.Append);
    }

    /// <summary>Appends bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            try
            {
                if (_file is not null && _file.Length + bytes.Length > _mostBytes)
                    Rotate();
                _file?.Write(bytes);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _file?.Dispose();
                _file = null;
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _file?.Dispose();
            _file = null;
        }
    }

    // Unbuffered: who follows the file sees what the guest printed last, even if we are killed.
    private FileStream Open(FileMode mode) => new(_path, mode, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);

    private void Rotate()
    {
        _file?.Dispose();
        _file = null;
        File.Move(_path, _path + ".1", overwrite: true);
        _file = Open(FileMode.Create);
    }
}
