using System.Runtime.InteropServices;
using Xen.Contract;

namespace Xen.Service;

/// <summary>Leaving the terminal and the process that started us.</summary>
internal static partial class Detachment
{
    private const int ReadWrite = 2, StandardInput = 0, StandardError = 2;

    /// <summary>Begins a session of our own, so that no key of the starter's terminal reaches us.</summary>
    public static void LeaveSession()
    {
        // SAFETY: takes nothing. It fails if we lead a process group; then a shell started us in one of our own, and that is as good.
        _ = setsid();
    }

    /// <summary>Tells the starter that we are ready, and lets go of its streams: from here on they are /dev/null.</summary>
    public static void ReportReady()
    {
        Console.Out.WriteLine(XendLauncher.ReadyLine);
        Console.Out.Flush();

        // SAFETY: the path is a string with its zero. The streams of .NET go on by number, to where nobody reads.
        int nothing = open("/dev/null", ReadWrite);
        for (int stream = StandardInput; stream <= StandardError && nothing >= 0; stream++)
            _ = dup2(nothing, stream);
        if (nothing > StandardError)
            _ = close(nothing);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsid();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup2(int from, int to);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);
}
