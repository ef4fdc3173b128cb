using System.Globalization;
using System.Text;

namespace Xen.Drivers.Console;

/// <summary>
/// A console's log file. A guest can print for ever, so the file is bounded: when it is full it becomes <c>PATH.1</c>, replacing the
/// one before, and a new one begins. A disk that fails, or is full, stops the log and never the guest; the log is tried again from time to time,
/// and says how much it missed.
/// </summary>
/// <remarks>Any thread. It is a regular file: a device or a pipe could hold the guest up, and cannot be renamed away.</remarks>
public sealed class ConsoleLog : IDisposable
{
    /// <summary>When to begin anew where nothing else is said. <b>Units</b>: bytes.</summary>
    public const long PresetBytes = 4 << 20;

    /// <summary>How long a log that failed is left alone.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private string _path;
    private readonly long _mostBytes;
    private readonly Action<string>? _told;
    private readonly TimeProvider _clock;
    private readonly Func<string, FileStream> _open;
    private FileStream? _file;
    private long _failedAt;
    private long _lost;
    private bool _failing;
    private bool _disposed;

    /// <summary>Opens the log for appending; a new file has mode 0600.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mostBytes">When to begin anew: the two files together have twice as much. <b>Units</b>: bytes.</param>
    /// <param name="told">Told, in a sentence, when the log fails and when it works again: once each. Any thread.</param>
    /// <exception cref="IOException">The file cannot be opened, or is no regular file.</exception>
    /// <exception cref="UnauthorizedAccessException">We may not write to it.</exception>
    public ConsoleLog(string path, long mostBytes = PresetBytes, Action<string>? told = null)
        : this(path, mostBytes, told, TimeProvider.System, Open)
    {
    }

    /// <summary>The same, with a clock and a disk of a test's own.</summary>
    internal ConsoleLog(string path, long mostBytes, Action<string>? told, TimeProvider clock, Func<string, FileStream> open)
    {
        _path = path;
        _mostBytes = mostBytes;
        _told = told;
        _clock = clock;
        _open = open;
        _file = open(path);
    }

    /// <summary>Appends bytes.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        string? sentence;
        lock (_lock)
        {
            if (_disposed)
                return;
            if (_file is null && _clock.GetElapsedTime(_failedAt) < Pause)
            {
                _lost += bytes.Length;
                return;
            }

            sentence = TryWrite(bytes);
        }

        if (sentence is not null)
            _told?.Invoke(sentence);
    }

    /// <summary>Gives the log another path; what it has goes with it. A log that is there already is replaced.</summary>
    /// <returns>Null, or why it stays where it is: a sentence.</returns>
    public string? MoveTo(string path)
    {
        lock (_lock)
        {
            try
            {
                string old = _path;
                File.Move(old, path, overwrite: true);
                _path = path;
                if (File.Exists(old + ".1"))
                    File.Move(old + ".1", path + ".1", overwrite: true);
                return null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return $"the console's log {_path} cannot become {path}: {e.Message} It goes on where it is.";
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _file?.Dispose();
            _file = null;
        }
    }

    /// <summary>Opens a log as it is to be opened.</summary>
    internal static FileStream Open(string path)
    {
        // For reading, too: a named pipe opened only for writing would wait for its reader.
        // Unbuffered: who follows the file sees what the guest printed last, even if we are killed.
        FileStream file = new(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        if (!file.CanSeek || IsDevice(file))
        {
            file.Dispose();
            throw new IOException($"'{path}' is no regular file.");
        }

        file.Seek(0, SeekOrigin.End);
        return file;
    }

    /// <summary>Whether it is a node of the host's folder of devices, by whatever name it was opened.</summary>
    private static bool IsDevice(FileStream file) =>
        File.ResolveLinkTarget($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}", returnFinalTarget: false)?.FullName is { } name
        && name.StartsWith("/dev/", StringComparison.Ordinal) && !name.StartsWith("/dev/shm/", StringComparison.Ordinal);

    /// <returns>What the operator is to be told.</returns>
    private string? TryWrite(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _file ??= _open(_path);
            byte[] note = _lost == 0 ? [] : Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"\n[{_lost} bytes are missing here: the log could not be written]\n"));
            if (_file.Length + note.Length + bytes.Length > _mostBytes && _file.Length > 0)
                Rotate();
            _file.Write(note);
            _file.Write(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _file?.Dispose();
            _file = null;
            _failedAt = _clock.GetTimestamp();
            _lost += bytes.Length;
            if (_failing)
                return null;
            _failing = true;
            return $"the console's log {_path} cannot be written: {e.Message} The guest runs on without it; make room, or let us write there, and the log goes on.";
        }

        string? sentence = _failing ? string.Create(CultureInfo.InvariantCulture, $"the console's log {_path} is written again; {_lost} bytes are missing.") : null;
        (_failing, _lost) = (false, 0);
        return sentence;
    }

    private void Rotate()
    {
        _file?.Dispose();
        _file = null;
        File.Move(_path, _path + ".1", overwrite: true);
        _file = _open(_path);
    }
}
