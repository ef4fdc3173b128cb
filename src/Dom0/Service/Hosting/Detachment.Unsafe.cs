using System.Runtime.InteropServices;
using Xen.Contract;

namespace Xen.Service;

/// <summary>Leaving the terminal and the process that started us.</summary>
internal static partial class Detachment
{
    private const int ReadWrite = 2, StandardInput = 0, StandardError = 2, GetFlags = 1, CloseOnExec = 1;

    /// <summary>Begins a session of our own, so that no key of the starter's terminal reaches us, and lets go of the files that it had open.</summary>
    public static void LeaveSession()
    {
        foreach (int inherited in InheritedDescriptors())
        {
            // SAFETY: not one of ours; see there.
            _ = close(inherited);
        }

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

    /// <summary>
    /// Files that the starter left open for us, such as a lock of the shell that xm was typed in: whoever waits for it would wait for our end. What the
    /// runtime has opened is closed on exec, and so told apart.
    /// </summary>
    private static List<int> InheritedDescriptors()
    {
        List<int> inherited = [];
        foreach (string entry in Directory.GetFiles("/proc/self/fd"))
        {
            // SAFETY: asks for the flags of a number, which may be closed by now.
            if (int.TryParse(Path.GetFileName(entry), out int descriptor) && descriptor > StandardError && (fcntl(descriptor, GetFlags) is >= 0 and var flags) && (flags & CloseOnExec) == 0)
                inherited.Add(descriptor);
        }

        return inherited;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsid();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup2(int from, int to);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);
}
