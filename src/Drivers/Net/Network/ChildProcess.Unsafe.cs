using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Xen.Drivers.Net.Network;

/// <summary>
/// A program that talks to us through one end of a pair of sockets, its descriptor 3. The pair needs no name in the file system and nobody else
/// can connect to it, and the program sees its end when we end, in whichever way.
/// </summary>
internal sealed partial class ChildProcess : IDisposable
{
    /// <summary>The program's number for its socket.</summary>
    public const int SocketDescriptor = 3;

    private const int SignalKill = 9;
    private const int AfUnix = 1, SockStream = 1, SockCloexec = 0x80000, OpenCloexec = 0x80000, OpenNonblock = 0x800;
    private const int MostLastWords = 1024;

    // glibc's and musl's are 80 bytes.
    private const int FileActionsSize = 512;

    private readonly int _pid;
    private readonly SafeFileHandle _errors;
    private int _disposed;
    private string? _lastWords;

    private ChildProcess(int pid, Socket socket, SafeFileHandle errors) => (_pid, Socket, _errors) = (pid, socket, errors);

    /// <summary>Our end.</summary>
    public Socket Socket { get; }

    /// <summary>Where a program is, or null.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Concat(["/usr/local/bin", "/usr/bin", "/usr/sbin"])
        .Select(folder => Path.Combine(folder, name))
        .FirstOrDefault(File.Exists);

    /// <summary>Starts a program.</summary>
    /// <param name="command">Its path, then its arguments.</param>
    /// <param name="child">The child, or null.</param>
    /// <returns>Null, or why not.</returns>
    public static unsafe string? Start(IReadOnlyList<string> command, out ChildProcess? child)
    {
        child = null;
        int* sockets = stackalloc int[2], pipe = stackalloc int[2];

        // SAFETY: both calls fill the two ints that they are given.
        if (socketpair(AfUnix, SockStream | SockCloexec, 0, sockets) != 0)
            return LastError();
        using SafeFileHandle theirs = new(sockets[1], ownsHandle: true);
        Socket ours = new(new SafeSocketHandle(sockets[0], ownsHandle: true));

        // What it says when it fails. It never waits for us to read it: what does not fit is lost.
        if (pipe2(pipe, OpenCloexec | OpenNonblock) != 0)
        {
            ours.Dispose();
            return LastError();
        }

        RoomToSend(sockets[1]);
        SafeFileHandle errors = new(pipe[0], ownsHandle: true);
        using SafeFileHandle output = new(pipe[1], ownsHandle: true);
        int error = Spawn(command, sockets[1], pipe[1], out int pid);
        if (error != 0)
        {
            ours.Dispose();
            errors.Dispose();
            return Describe(error);
        }

        child = new ChildProcess(pid, ours, errors);
        return null;
    }

    /// <summary>The last of what it wrote to its standard error.</summary>
    public string LastWords()
    {
        if (_lastWords is not null)
            return _lastWords;
        byte[] bytes = new byte[16 * MostLastWords];
        int count = 0;
        for (int got = 1; got > 0 && count < bytes.Length; count += Math.Max(got, 0))
            got = ReadErrors(bytes.AsSpan(count));
        string text = Encoding.UTF8.GetString(bytes, 0, count).Trim();
        return text.Length == 0 ? "it gave no reason" : text[^Math.Min(text.Length, MostLastWords)..].ReplaceLineEndings("; ");
    }

    /// <summary>The program's process.</summary>
    public int Id => _pid;

    /// <summary>How it ended, after <see cref="Dispose"/>: "exit status 1", "signal 11".</summary>
    public string End { get; private set; } = "it runs";

    /// <summary>Ends the program, and waits for that.</summary>
    public unsafe void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        Socket.Dispose();
        _ = kill(_pid, SignalKill);

        // SAFETY: nobody else waits for this child, so until now its number was not given to another process.
        int status = 0;
        while (waitpid(_pid, &status, 0) < 0 && Marshal.GetLastPInvokeError() == Interrupted)
        {
        }

        // The low seven bits are the signal that ended it, as in WTERMSIG; ours leaves the status of one that was ending already as it is.
        int signal = status & 0x7F;
        End = string.Create(CultureInfo.InvariantCulture, $"{(signal == 0 ? "exit status" : "signal")} {(signal == 0 ? (status >> 8) & 0xFF : signal)}");
        _lastWords = LastWords();
        _errors.Dispose();
    }

    private const int Interrupted = 4;
    private const int SolSocket = 1, SoSndBuf = 7, SoSndBufForce = 32;

    /// <summary>The host doubles it, for its own bookkeeping. <b>Units</b>: bytes.</summary>
    private const int SendBuffer = 4 << 20;

    private unsafe int ReadErrors(Span<byte> into)
    {
        // SAFETY: the span stays where it is during the call, which writes no more than its length. It does not wait.
        fixed (byte* start = into)
            return (int)read(_errors, start, (nuint)into.Length);
    }

    /// <summary>
    /// Makes room for what the child sends at once, as much as the host lets us (net.core.wmem_max): passt sends up to 256 segments without waiting
    /// and throws away those that its socket does not take, and each loss makes it send all again.
    /// </summary>
    private static unsafe void RoomToSend(int socket)
    {
        // SAFETY: the option's value is a local of the size that is told.
        int bytes = SendBuffer;
        if (setsockopt(socket, SolSocket, SoSndBufForce, &bytes, sizeof(int)) != 0)
            _ = setsockopt(socket, SolSocket, SoSndBuf, &bytes, sizeof(int));
    }

    private static unsafe int Spawn(IReadOnlyList<string> command, int socket, int output, out int pid)
    {
        byte* actions = stackalloc byte[FileActionsSize];
        byte** arguments = stackalloc byte*[command.Count + 1];
        byte** environment = stackalloc byte*[1];
        environment[0] = null;
        int made = 0, child = 0;
        try
        {
            for (; made < command.Count; made++)
                arguments[made] = (byte*)Marshal.StringToCoTaskMemUTF8(command[made]);
            arguments[made] = null;

            // SAFETY: the block is larger than any posix_spawn_file_actions_t; arguments and environment end with null.
            int error = posix_spawn_file_actions_init(actions);
            if (error != 0)
            {
                pid = 0;
                return error;
            }

            error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", 0, 0);
            error = error != 0 ? error : posix_spawn_file_actions_adddup2(actions, output, 1);
            error = error != 0 ? error : posix_spawn_file_actions_adddup2(actions, output, 2);

            // Last: 3 may be one of ours until here, the descriptor to copy from included, which dup2 onto itself makes inheritable.
            error = error != 0 ? error : posix_spawn_file_actions_adddup2(actions, socket, SocketDescriptor);
            error = error != 0 ? error : posix_spawn(&child, arguments[0], actions, null, arguments, environment);
            _ = posix_spawn_file_actions_destroy(actions);
            pid = child;
            return error;
        }
        finally
        {
            while (made > 0)
                Marshal.FreeCoTaskMem((nint)arguments[--made]);
        }
    }

    private static string LastError() => Describe(Marshal.GetLastPInvokeError());

    private static string Describe(int error) => string.Create(CultureInfo.InvariantCulture, $"{Marshal.GetPInvokeErrorMessage(error)} ({error})");

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int socketpair(int domain, int type, int protocol, int* sockets);

    [LibraryImport("libc")]
    private static unsafe partial int setsockopt(int socket, int level, int option, int* value, uint size);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int pipe2(int* descriptors, int flags);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn_file_actions_init(byte* actions);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn_file_actions_destroy(byte* actions);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn_file_actions_adddup2(byte* actions, int from, int to);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int posix_spawn_file_actions_addopen(byte* actions, int descriptor, string path, int flags, uint mode);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn(int* pid, byte* path, byte* actions, byte* attributes, byte** arguments, byte** environment);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint read(SafeFileHandle descriptor, byte* into, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int waitpid(int pid, int* status, int options);
}
