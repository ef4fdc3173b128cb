using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Xen.Drivers.Block.Storage;

/// <summary>
/// A <c>qemu-nbd</c> for one image. It ends by itself when the connection ends that was negotiated with it. Until then a shell stands by, which holds
/// the other end of a pipe of ours: if we are killed before there is a connection, it ends the server and removes the socket.
/// </summary>
internal sealed class QemuServer : IDisposable
{
    public const string Program = "qemu-nbd";

    private const string Package = "qemu-utils";

    /// <summary>How long qemu may take to open an image, to close it, and to end when it hung. <b>Units</b>: milliseconds.</summary>
    private const int OpenTimeout = 60_000, CloseTimeout = 30_000, HungTimeout = 1_000;

    // The server forks when its socket listens, and its first process ends: that is the event. It has written its pid before.
    private const string Guard = """
        trap '' INT HUP
        folder=$1; shift
        "$@" </dev/null || exit
        echo ready
        read -r released || kill "$(cat "$folder/pid")" 2>/dev/null
        rm -rf "$folder"
        """;

    private const string Ready = "ready";

    /// <summary>The shell's exit status where there is no such program.</summary>
    private const int NotFound = 127;

    private readonly DirectoryInfo _folder;
    private readonly Process _guard;
    private Process? _server;

    private QemuServer(DirectoryInfo folder, Process guard) => (_folder, _guard) = (folder, guard);

    /// <summary>Where it listens, until <see cref="Release"/>.</summary>
    public string Socket => SocketIn(_folder);

    /// <summary>The server's process, or 0 when it has ended.</summary>
    public int Id => _server?.Id ?? 0;

    /// <summary>Starts a server and waits until it listens.</summary>
    /// <param name="program">The program.</param>
    /// <param name="path">The image.</param>
    /// <param name="format">Its format, as qemu calls it.</param>
    /// <param name="readOnly">It is only read.</param>
    /// <param name="server">The server, or null.</param>
    /// <returns>Null, or one sentence that says why not and what to do.</returns>
    public static string? Start(string program, string path, string format, bool readOnly, out QemuServer? server)
    {
        server = null;
        DirectoryInfo folder;
        try
        {
            folder = Directory.CreateTempSubdirectory("xen-blk-");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"disk image {path} needs a socket in {Path.GetTempPath()}: {e.Message}";
        }

        ProcessStartInfo start = new("/bin/sh") { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (string argument in (string[])[
            "-c", Guard, "xen-qemu-guard", folder.FullName, program,
            "--fork", "--pid-file=" + Path.Combine(folder.FullName, "pid"), "--socket=" + SocketIn(folder), "--format=" + format,
            "--cache=writeback", "--discard=unmap", .. readOnly ? (string[])["--read-only"] : [], "--", Path.GetFullPath(path)])
        {
            start.ArgumentList.Add(argument);
        }

        QemuServer? made = null;
        try
        {
            made = new QemuServer(folder, Process.Start(start)!);
            string? error = made.WaitUntilReady(program, path, format);
            if (error is null)
                server = made;
            return error;
        }
        catch (Win32Exception e)
        {
            return $"disk image {path} needs /bin/sh to start {program}: {e.Message}";
        }
        finally
        {
            if (server is null)
            {
                made?.Dispose();
                Delete(folder);
            }
        }
    }

    /// <summary>From now on the connection holds the server: nobody stands by any more, and its socket has no name.</summary>
    public void Release()
    {
        try
        {
            _guard.StandardInput.WriteLine();
            _guard.StandardInput.Flush();
        }
        catch (IOException)
        {
            // Somebody has ended it; it is needed no more.
        }

        EndGuard();
        Delete(_folder);
    }

    /// <summary>After the connection has ended: waits for the server.</summary>
    /// <param name="isHung">It has not answered.</param>
    public void End(bool isHung)
    {
        if (_server is not { } server)
            return;
        if (!server.WaitForExit(isHung ? HungTimeout : CloseTimeout))
            server.Kill();
        server.Dispose();
        _server = null;
    }

    /// <summary>Ends a server that was not released, as the end of this process would.</summary>
    public void Dispose()
    {
        EndGuard();
        End(isHung: true);
    }

    private string? WaitUntilReady(string program, string path, string format)
    {
        Task<string?> answer = _guard.StandardOutput.ReadLineAsync();
        if (!answer.Wait(OpenTimeout))
        {
            _guard.Kill(entireProcessTree: true);
            return $"disk image {path} cannot be opened: {program} does not answer; what the image is kept on may hang";
        }

        if (answer.Result == Ready)
        {
            // The server keeps the pipes of the shell; what it has to say from now on is not worth keeping.
            _ = _guard.StandardError.BaseStream.CopyToAsync(Stream.Null);
            _server = Find(Path.Combine(_folder.FullName, "pid"));
            return null;
        }

        string complaint = _guard.StandardError.ReadToEnd();
        _guard.WaitForExit();
        return _guard.ExitCode == NotFound
            ? $"disk image {path} needs the program {program}, which is not here; install it (apt-get install {Package})"
            : Explain(path, format, complaint);
    }

    private static string Explain(string path, string format, string complaint)
    {
        string text = complaint.Trim().Split('\n')[^1].Replace(Program + ": ", "", StringComparison.Ordinal);
        if (complaint.Contains("Failed to lock byte", StringComparison.Ordinal)
            || (complaint.Contains("lock", StringComparison.Ordinal) && complaint.Contains("another process", StringComparison.Ordinal)))
            return $"disk image {path} is in use by another domain or program";
        if (complaint.Contains("not in", StringComparison.Ordinal) || complaint.Contains("invalid", StringComparison.OrdinalIgnoreCase))
            return $"disk image {path} is not in {format} format: {text}";
        return $"disk image {path} cannot be opened by {Program}: {text}";
    }

    private static string SocketIn(DirectoryInfo folder) => Path.Combine(folder.FullName, "nbd");

    private static void Delete(DirectoryInfo folder)
    {
        try
        {
            if (folder.Exists)
                folder.Delete(recursive: true);
        }
        catch (IOException)
        {
            // The server or the shell was about to remove its socket, too; what is left is an empty folder.
        }
    }

    private static Process? Find(string pidFile)
    {
        try
        {
            return Process.GetProcessById(int.Parse(File.ReadAllText(pidFile), CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException or UnauthorizedAccessException)
        {
            // It has ended already: there is nothing to wait for.
            return null;
        }
    }

    private void EndGuard()
    {
        try
        {
            _guard.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended.
        }

        if (!_guard.WaitForExit(HungTimeout))
            _guard.Kill();
        _guard.Dispose();
    }
}
