using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Xen.Drivers.Tests.Net;

/// <summary>A network of the host's of a test's own: what is made in it nobody else sees, and it goes with the test. Needs root.</summary>
internal static partial class NetworkNamespace
{
    private const int CloneNewNet = 0x40000000;

    /// <summary>Runs on a thread in a new network namespace; programs that are started there are in it, too.</summary>
    /// <returns>Null, or why there is none.</returns>
    public static string? Run(Action action)
    {
        string? refused = null;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            if (unshare(CloneNewNet) != 0)
            {
                refused = "no network namespace: " + Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()) + "; it needs root";
                return;
            }

            try
            {
                action();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        return refused;
    }

    /// <summary>Runs ip(8).</summary>
    /// <returns>What it printed.</returns>
    public static string Ip(params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardOutput = true })!;
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            return text;
        }
        catch (Win32Exception)
        {
            Assert.Fail("ip is missing: install the package iproute2");
            throw;
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);
}
