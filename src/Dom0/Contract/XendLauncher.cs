using System.Diagnostics;

namespace Xen.Contract;

/// <summary>Starts a xend that outlives whoever starts it.</summary>
public static class XendLauncher
{
    /// <summary>What xend writes on standard output when it answers clients.</summary>
    public const string ReadyLine = "ready";

    /// <summary>The option by which xend is told to leave its parent's session when it is ready.</summary>
    public const string DetachOption = "--detached";

    /// <summary>Tells a xend that is only started to be asked: domains that shall start with it do so when the first is created.</summary>
    public const string LookOnlyOption = "--look-only";

    /// <summary>What a xend is told that a command starts: when there is nothing more to do it ends.</summary>
    public const string IdleExitOption = "--idle-exit=10";

    /// <summary>The program: beside the one that runs, or where PATH says.</summary>
    public static string Program
    {
        get
        {
            string beside = Path.Combine(AppContext.BaseDirectory, "xend");
            return File.Exists(beside) ? beside : "xend";
        }
    }

    /// <summary>Starts it, and waits until it answers.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Options, as xend(1) says.</param>
    /// <param name="cancellation">Ends the wait; xend may start all the same.</param>
    /// <exception cref="IOException">It cannot be started; the message is what it said.</exception>
    public static async Task StartAsync(string program, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        using Process process = Start(new ProcessStartInfo(program, ["--foreground", DetachOption, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        });
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync(cancellation);
        string? line = await process.StandardOutput.ReadLineAsync(cancellation).ConfigureAwait(false);
        if (line == ReadyLine)
            return;
        string said = (await errors.ConfigureAwait(false)).Trim();
        throw new IOException(said.Length > 0 ? said.Replace("xend: ", "", StringComparison.Ordinal) : "xend ended before it was ready.");
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new IOException($"{start.FileName} cannot be started: {e.Message}; install it beside xm, or in PATH.", e);
        }
    }
}
