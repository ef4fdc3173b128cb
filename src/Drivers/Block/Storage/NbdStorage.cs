using System.Buffers.Binary;
using System.Net.Sockets;
using Xen.Abi;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Block.Storage;

/// <summary>
/// A disk that an NBD server keeps, over a Unix socket. Many requests are under way at once: each caller sends its own and waits, one thread
/// takes the replies in and puts the data where the caller wants it.
/// </summary>
/// <remarks>
/// A server that is gone is not found again: every request fails with EIO from then on. One that hangs holds up its own requests only, until
/// <see cref="Abort"/>. <b>Source</b>: the NBD project's doc/proto.md.
/// </remarks>
public sealed partial class NbdStorage : IBlockStorage
{
    private const int MostInFlight = 64;

    /// <summary>Trims are cut to this, which every server takes. <b>Units</b>: bytes.</summary>
    private const long MostTrim = 1 << 30;

    /// <summary>How long the server may take for each step of the handshake, and to take the goodbye. <b>Units</b>: milliseconds.</summary>
    private const int HandshakeTimeout = 10_000, GoodbyeTimeout = 1_000;

    private readonly Socket _socket;
    private readonly NbdExport _export;
    private readonly Thread _receiver;

    /// <summary>Held while a request is written to the socket.</summary>
    private readonly Lock _sending = new();
    private readonly byte[] _request = GC.AllocateArray<byte>(NbdProtocol.RequestSize, pinned: true);

    /// <summary>The requests under way, by cookie; the free ones wait in a stack. Guarded by <see cref="_slots"/>.</summary>
    private readonly Slot[] _slots = new Slot[MostInFlight];
    private readonly Stack<int> _free = new(MostInFlight);
    private readonly SemaphoreSlim _freeCount = new(MostInFlight);

    /// <summary>Why the connection is gone. Guarded by <see cref="_slots"/>.</summary>
    private string? _broken;
    private bool _disposed;

    private NbdStorage(string name, Socket socket, NbdExport export, bool readOnly)
    {
        Name = name;
        _socket = socket;
        _export = export;
        ReadOnly = readOnly || (export.Flags & NbdTransmissionFlags.ReadOnly) != 0;
        SectorSize = export.MinimumBlock > Blkif.SectorSize ? Page.Size : Blkif.SectorSize;
        Size = export.Size / SectorSize * SectorSize;
        for (int i = 0; i < MostInFlight; i++)
        {
            _slots[i] = new Slot();
            _free.Push(i);
        }

        _receiver = new Thread(Receive) { Name = "nbd-receive", IsBackground = true };
        _receiver.Start();
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Size { get; }

    /// <inheritdoc/>
    public int SectorSize { get; }

    /// <inheritdoc/>
    public int PhysicalSectorSize => SectorSize;

    /// <inheritdoc/>
    public bool ReadOnly { get; }

    /// <inheritdoc/>
    public bool CanDiscard => !ReadOnly && (_export.Flags & NbdTransmissionFlags.SendTrim) != 0;

    /// <inheritdoc/>
    public int DiscardGranularity => SectorSize;

    /// <summary>Connects to a server.</summary>
    /// <param name="socketPath">Its Unix socket.</param>
    /// <param name="exportName">The name of the export; "" is the only one of a server that has one.</param>
    /// <param name="readOnly">It is only read.</param>
    /// <param name="storage">The storage.</param>
    /// <param name="name">What to call it in the log.</param>
    /// <returns>Null, or one sentence that says why not.</returns>
    public static string? Connect(string socketPath, string exportName, bool readOnly, out NbdStorage? storage, string? name = null) =>
        Connect(socketPath, exportName, readOnly, HandshakeTimeout, out storage, name);

    internal static string? Connect(string socketPath, string exportName, bool readOnly, int timeout, out NbdStorage? storage, string? name = null)
    {
        storage = null;
        string? error;
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(socketPath));
            socket.ReceiveTimeout = socket.SendTimeout = timeout;
            error = NbdHandshake.Negotiate(socket, exportName, out NbdExport export);
            error ??= export.MinimumBlock > Page.Size ? $"its blocks of {export.MinimumBlock} bytes are larger than a page" : null;
            error ??= export.Size < Page.Size ? "its export is empty" : null;
            if (error is null)
            {
                socket.ReceiveTimeout = socket.SendTimeout = 0;
                storage = new NbdStorage(name ?? socketPath, socket, export, readOnly);
                return null;
            }
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or ArgumentException)
        {
            error = e switch
            {
                EndOfStreamException => "it hung up in the handshake",
                SocketException { SocketErrorCode: SocketError.TimedOut or SocketError.WouldBlock } => "it does not answer",
                _ => e.Message,
            };
        }

        socket.Dispose();
        return $"NBD server at {socketPath}: {error}";
    }

    /// <inheritdoc/>
    public XenErrno Read(long offset, ReadOnlySpan<IoVector> into) => Request(NbdCommand.Read, offset, LengthOf(into), into);

    /// <inheritdoc/>
    public XenErrno Write(long offset, ReadOnlySpan<IoVector> from) =>
        ReadOnly ? XenErrno.EROFS : Request(NbdCommand.Write, offset, LengthOf(from), from);

    /// <inheritdoc/>
    public XenErrno Flush() =>
        (_export.Flags & NbdTransmissionFlags.SendFlush) == 0 ? XenErrno.OK : Request(NbdCommand.Flush, 0, 0, default);

    /// <inheritdoc/>
    public XenErrno Discard(long offset, long length)
    {
        if (!CanDiscard)
            return XenErrno.EOPNOTSUPP;
        XenErrno errno = XenErrno.OK;
        for (; length > 0 && errno == XenErrno.OK; offset += MostTrim, length -= MostTrim)
            errno = Request(NbdCommand.Trim, offset, (uint)Math.Min(length, MostTrim), default);
        return errno;
    }

    /// <inheritdoc/>
    public bool Refresh() => false;

    /// <inheritdoc/>
    public void Abort() => Break("given up");

    /// <summary>Tells the server that it is not needed any more and hangs up. A server that hangs is not waited for.</summary>
    public void Dispose()
    {
        lock (_slots)
        {
            if (_disposed)
                return;
            _disposed = true;
        }

        SayGoodbye();
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (SocketException)
        {
            // Likewise.
        }

        _receiver.Join();

        // Every request has failed by now or is about to; when all slots are free nobody uses the socket any more.
        for (int i = 0; i < MostInFlight; i++)
            _freeCount.Wait();
        _socket.Dispose();
        foreach (Slot slot in _slots)
            slot.Done.Dispose();

        // Who comes too late is told so.
        _freeCount.Release(MostInFlight);
    }

    private void SayGoodbye()
    {
        // Whoever is sending still is stuck, and so would we be.
        if (!_sending.TryEnter())
            return;
        try
        {
            _socket.SendTimeout = GoodbyeTimeout;
            Encode(NbdCommand.Disconnect, 0, 0, 0);
            NbdHandshake.Send(_socket, _request);
        }
        catch (SocketException)
        {
            // It is gone already, or does not read.
        }
        finally
        {
            _sending.Exit();
        }
    }

    private static uint LengthOf(ReadOnlySpan<IoVector> vectors)
    {
        uint length = 0;
        foreach (IoVector vector in vectors)
            length += (uint)vector.Length;
        return length;
    }

    private XenErrno Request(NbdCommand command, long offset, uint length, ReadOnlySpan<IoVector> data)
    {
        _freeCount.Wait();
        int cookie = TakeSlot(command, data);
        if (cookie < 0)
        {
            _freeCount.Release();
            return XenErrno.EIO;
        }

        Slot slot = _slots[cookie];
        try
        {
            lock (_sending)
            {
                Encode(command, (ulong)cookie, offset, length);
                NbdHandshake.Send(_socket, _request);
                if (command == NbdCommand.Write)
                {
                    foreach (IoVector vector in data)
                        NbdHandshake.Send(_socket, vector.Bytes);
                }
            }
        }
        catch (SocketException e)
        {
            // Everybody's requests fail, ours among them: the receiver says so to all.
            Break(e.Message);
        }

        slot.Done.WaitOne();
        XenErrno result = slot.Result;
        lock (_slots)
            _free.Push(cookie);
        _freeCount.Release();
        return result;
    }

    private int TakeSlot(NbdCommand command, ReadOnlySpan<IoVector> data)
    {
        lock (_slots)
        {
            if (_broken is not null || _disposed)
                return -1;
            int cookie = _free.Pop();
            Slot slot = _slots[cookie];
            slot.Busy = true;
            slot.Result = XenErrno.EIO;
            slot.Count = 0;
            if (command == NbdCommand.Read)
            {
                if (slot.Data.Length < data.Length)
                    slot.Data = new IoVector[data.Length];
                data.CopyTo(slot.Data);
                slot.Count = data.Length;
            }

            return cookie;
        }
    }

    private void Encode(NbdCommand command, ulong cookie, long offset, uint length)
    {
        Span<byte> request = _request;
        BinaryPrimitives.WriteUInt32BigEndian(request, NbdProtocol.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(request[4..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(request[6..], (ushort)command);
        BinaryPrimitives.WriteUInt64BigEndian(request[8..], cookie);
        BinaryPrimitives.WriteUInt64BigEndian(request[16..], (ulong)offset);
        BinaryPrimitives.WriteUInt32BigEndian(request[24..], length);
    }
}
