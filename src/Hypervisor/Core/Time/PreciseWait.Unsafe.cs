using System.Runtime.InteropServices;

namespace Xen.Core;

/// <summary>A wait that ends at a time, with the precision of the host's high-resolution timers, or when another thread wakes it. One thread waits.</summary>
internal sealed unsafe partial class PreciseWait : IDisposable
{
    private const int EfdCloexec = 0x80000, EfdNonblock = 0x800;
    private const short PollIn = 1;
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    /// <summary>Waits longer than this come back early; the caller asks again. <b>Units</b>: ns.</summary>
    private const ulong Longest = 3600 * NanosecondsPerSecond;

    private readonly Lock _lock = new();
    private int _fd;

    public PreciseWait()
    {
        _fd = eventfd(0, EfdCloexec | EfdNonblock);
        if (_fd < 0)
            throw new InvalidOperationException($"the host refuses an eventfd: errno {Marshal.GetLastPInvokeError()}");
    }

    /// <summary>Ends the wait that is under way, or the next one at once. Any thread.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            if (_fd < 0)
                return;

            // SAFETY: write reads 8 bytes of a local that outlives the call.
            ulong one = 1;
            _ = write(_fd, &one, sizeof(ulong));
        }
    }

    /// <summary>Waits. May come back early.</summary>
    /// <param name="duration"><b>Units</b>: ns; <see cref="ulong.MaxValue"/> waits for <see cref="Wake"/> only.</param>
    public void Wait(ulong duration)
    {
        // SAFETY: all structures are locals that outlive the calls, and have the layout of the host's x86-64 and arm64 ABIs.
        ulong ns = Math.Min(duration, Longest);
        var time = new TimeSpec { Seconds = (long)(ns / NanosecondsPerSecond), Nanoseconds = (long)(ns % NanosecondsPerSecond) };
        var poll = new PollFd { Fd = _fd, Events = PollIn };
        if (ppoll(&poll, 1, &time, null) > 0)
        {
            ulong count;
            _ = read(_fd, &count, sizeof(ulong));
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_fd >= 0)
                _ = close(_fd);
            _fd = -1;
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint count, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ppoll(PollFd* fds, nuint count, TimeSpec* timeout, void* mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
