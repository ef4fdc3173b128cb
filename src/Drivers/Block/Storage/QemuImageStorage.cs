using Xen.Abi;

namespace Xen.Drivers.Block.Storage;

/// <summary>
/// A disk in a format that qemu knows: a <c>qemu-nbd</c> process of the disk's own reads and writes it, and ends with it. The process ends by itself
/// when the connection does; so none is left behind when this program is killed.
/// </summary>
public sealed class QemuImageStorage : IBlockStorage
{
    private readonly NbdStorage _nbd;
    private readonly QemuServer _server;
    private volatile bool _aborted;

    private QemuImageStorage(NbdStorage nbd, QemuServer server) => (_nbd, _server) = (nbd, server);

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
    internal int ServerId => _server.Id;

    /// <summary>Starts qemu-nbd on an image and connects to it.</summary>
    /// <param name="path">The image.</param>
    /// <param name="format">Its format, as qemu calls it.</param>
    /// <param name="readOnly">It is only read.</param>
    /// <param name="storage">The storage.</param>
    /// <param name="program">The program, where it is not the system's.</param>
    /// <returns>Null, or one sentence that says why not and what to do.</returns>
    public static string? Open(string path, string format, bool readOnly, out QemuImageStorage? storage, string program = QemuServer.Program)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        storage = null;
        if (Directory.Exists(path))
            return $"disk image {path} is a directory";
        if (!File.Exists(path))
            return $"disk image {path} does not exist";
        string? error = QemuServer.Start(program, path, format, readOnly, out QemuServer? server);
        if (server is null)
            return error;
        error = NbdStorage.Connect(server.Socket, "", readOnly, out NbdStorage? nbd, $"{path} ({format})");
        if (nbd is null)
        {
            server.Dispose();
            return error;
        }

        // The connection needs no name any more, and ends the server when it ends: so there is nothing to clean up later.
        server.Release();
        storage = new QemuImageStorage(nbd, server);
        return null;
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

    /// <inheritdoc/>
    public void Abort()
    {
        _aborted = true;
        _nbd.Abort();
    }

    /// <summary>Hangs up and waits until qemu has closed the image; not long for one that hung.</summary>
    public void Dispose()
    {
        _nbd.Dispose();
        _server.End(_aborted);
    }
}
