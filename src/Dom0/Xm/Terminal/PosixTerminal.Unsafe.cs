using System.Runtime.InteropServices;

namespace Xen.Xm;

/// <summary>The terminal on standard input, by termios.</summary>
internal sealed unsafe partial class PosixTerminal : ITerminal
{
    private const int StandardInput = 0, StandardOutput = 1;
    private const int PresetColumns = 80, PresetRows = 24;

    // TIOCGWINSZ
    private const nuint GetWindowSize = 0x5413;

    // struct termios is opaque here: libc reads, changes and writes it. It has 60 bytes on Linux.
    private const int TermiosRoom = 256;

    // TCSADRAIN: what was printed before goes out under the old settings; nothing typed is thrown away.
    private const int AfterOutput = 1;

    private PosixTerminal()
    {
    }

    /// <summary>The terminal on standard input, or null if that is none.</summary>
    public static PosixTerminal? OnStandardInput() => isatty(StandardInput) == 1 ? new PosixTerminal() : null;

    public IDisposable EnterRaw() => new RawMode();

    public (int Columns, int Rows)? Size
    {
        get
        {
            WindowSize size;
            // SAFETY: the kernel writes a struct winsize, which this is, into it during the call.
            if (ioctl(StandardOutput, GetWindowSize, &size) != 0)
                return null;

            // A terminal that nobody told its size has none.
            return (size.Columns == 0 ? PresetColumns : size.Columns, size.Rows == 0 ? PresetRows : size.Rows);
        }
    }

    public IDisposable OnResize(Action resized) => PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => resized());

    /// <summary>Raw mode from construction to disposal; set again when the shell brings us back to the foreground.</summary>
    private sealed class RawMode : IDisposable
    {
        private readonly Lock _lock = new();
        private readonly byte[] _before = new byte[TermiosRoom];
        private readonly byte[] _raw = new byte[TermiosRoom];
        private readonly PosixSignalRegistration _continued;
        private bool _restored;

        public RawMode()
        {
            // SAFETY: both buffers are larger than struct termios, pinned for the calls, and libc keeps no pointer.
            fixed (byte* before = _before, raw = _raw)
            {
                if (tcgetattr(StandardInput, before) != 0)
                    _restored = true;
                _before.CopyTo(_raw, 0);
                cfmakeraw(raw);
            }

            Set(_raw);
            _continued = PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => Set(_raw));
        }

        public void Dispose()
        {
            _continued.Dispose();
            Set(_before);
            lock (_lock)
                _restored = true;
        }

        private void Set(byte[] settings)
        {
            lock (_lock)
            {
                if (_restored)
                    return;
                // SAFETY: the buffer is larger than struct termios and pinned for the call.
                fixed (byte* at = settings)
                    _ = tcsetattr(StandardInput, AfterOutput, at);
            }
        }
    }

    // struct winsize
    private struct WindowSize
    {
        public ushort Rows, Columns, Width, Height;
    }

    [LibraryImport("libc")]
    private static partial int ioctl(int fd, nuint request, WindowSize* size);

    [LibraryImport("libc")]
    private static partial int isatty(int fd);

    [LibraryImport("libc")]
    private static partial int tcgetattr(int fd, byte* termios);

    [LibraryImport("libc")]
    private static partial int tcsetattr(int fd, int actions, byte* termios);

    [LibraryImport("libc")]
    private static partial void cfmakeraw(byte* termios);
}
