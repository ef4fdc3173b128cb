using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Xen.Abi;

namespace Xen.Drivers.Block.Storage;

/// <summary>
/// A disk in a format that qemu knows: a <c>qemu-nbd</c> process of the disk's own reads and writes it, and ends with it. The process ends by itself
/// when the connection does; so none is left behind when this program is killed.
/// </summary>
public sealed class QemuImageStorage : IBlockStorage
{
    private const string Program = "qemu-nbd", Package = "qemu-utils";

    /// <summary>How long qemu may take to close an image. <b>Units</b>: milliseconds.</summary>
    private const int CloseTimeout = 30_000;

    private readonly NbdStorage _nbd;
    private readonly Process? _server;

    private QemuImageStorage(NbdStorage nbd, Process? server) => (_nbd, _server) = (nbd, server);

    /// <inheritdoc/>
    public string Name => _nbd.Name;

    /// <inheritdoc/>
    public long Size => _nbd.Size;

    /// <inheritdoc/>
    public int SectorSize => _nbd.SectorSize;

    /// <inheritdoc/>
    public int PhysicalSectorSize => _nbd.PhysicalSectorSize;

    /// <inheritdoc/>
    public bool ReadOnly => _nbd.ReadOnly;

    /// <inheritdoc/>
    public bool CanDiscard => _nbd.CanDiscard;

    /// <inheritdoc/>
    public int DiscardGranularity => _nbd.DiscardGranularity;

    /// <summary>The process that keeps the image, or 0.</summary>
    internal int ServerId => _server?.Id ?? 0;

    /// <summary>Starts qemu-nbd on an image and connects to it.</summary>
    /// <param name="path">The image.</param>
    /// <param name="format">Its format, as qemu calls it.</param>
    /// <param name="readOnly">It is only read.</param>
    /// <param name="storage">The storage.</param>
    /// <param name="program">The program, where it is not the system's.</param>
    /// <returns>Null, or one sentence that says why not and what to do.</returns>
    public static string? Open(string path, string format, bool readOnly, out QemuImageStorage? storage, string program = Program)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        storage = null;
        if (Directory.Exists(path))
            return $"disk image {path} is a directory";
        if (!File.Exists(path))
            return $"disk image {path} does not exist";
        DirectoryInfo folder;
        try
        {
            folder = Directory.CreateTempSubdirectory("xen-blk-");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"disk image {path} needs a socket in {Path.GetTempPath()}: {e.Message}";
        }

        try
        {
            string socket = Path.Combine(folder.FullName, "nbd"), pidFile = Path.Combine(folder.FullName, "pid");
            string? error = Start(program, path, format, readOnly, socket, pidFile);
            if (error is not null)
                return error;
            error = NbdStorage.Connect(socket, "", readOnly, out NbdStorage? nbd, $"{path} ({format})");
            Process? server = Find(pidFile);
            if (nbd is not null)
                storage = new QemuImageStorage(nbd, server);
            else
                End(server);
            return error;
        }
        finally
        {
            // The connection needs no name any more; so there is nothing to clean up later.
            Delete(folder);
        }
    }

    /// <inheritdoc/>
    public XenErrno Read(long offset, ReadOnlySpan<IoVector> into) => _nbd.Read(offset, into);

    /// <inheritdoc/>
    public XenErrno Write(long offset, ReadOnlySpan<IoVector> from) => _nbd.Write(offset, from);

    /// <inheritdoc/>
    public XenErrno Flush() => _nbd.Flush();

    /// <inheritdoc/>
    public XenErrno Discard(long offset, long length) => _nbd.Discard(offset, length);

    /// <inheritdoc/>
    public bool Refresh() => _nbd.Refresh();

    /// <summary>Hangs up and waits until qemu has closed the image.</summary>
    public void Dispose()
    {
        _nbd.Dispose();
        End(_server);
    }

    /// <summary>
    /// Starts the program and waits until its socket listens. It forks when it is that far, and its first process ends: that is the event. What
    /// it has to complain about it does before.
    /// </summary>
    private static string? Start(string program, string path, string format, bool readOnly, string socket, string pidFile)
    {
        ProcessStartInfo start = new(program) { RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (string argument in (string[])[
            "--fork", "--pid-file=" + pidFile, "--socket=" + socket, "--format=" + format,
            "--cache=writeback", "--discard=unmap", .. readOnly ? (string[])["--read-only"] : [], "--", Path.GetFullPath(path)])
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            using Process first = Process.Start(start)!;
            first.StandardInput.Close();

            // The server keeps the pipe of its first process; so only where there is no server does the text have an end.
            Task<string> complaint = first.StandardError.ReadToEndAsync();
            first.WaitForExit(Timeout.Infinite);
            return first.ExitCode == 0 ? null : Explain(path, format, complaint.GetAwaiter().GetResult());
        }
        catch (Win32Exception)
        {
            return $"disk image {path} needs the program {program}, which is not here; install it (apt-get install {Package})";
        }
    }

    private static string Explain(string path, string format, string complaint)
    {
        string text = complaint.Trim().Split('\n')[^1].Replace(Program + ": ", "", StringComparison.Ordinal);
        if (complaint.Contains("lock", StringComparison.Ordinal) && complaint.Contains("another process", StringComparison.Ordinal))
            return $"disk image {path} is in use by another domain or program";
        if (complaint.Contains("not in", StringComparison.Ordinal) || complaint.Contains("invalid", StringComparison.OrdinalIgnoreCase))
            return $"disk image {path} is not in {format} format: {text}";
        return $"disk image {path} cannot be opened by {Program}: {text}";
    }

    private static void Delete(DirectoryInfo folder)
    {
        try
        {
            folder.Delete(recursive: true);
        }
        catch (IOException)
        {
            // The server was about to remove its socket, too; what is left is an empty folder.
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

    private static void End(Process? server)
    {
        if (server is null)
            return;
        if (!server.WaitForExit(CloseTimeout))
            server.Kill();
        server.Dispose();
    }
}
