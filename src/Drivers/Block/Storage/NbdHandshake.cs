using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Xen.Drivers.Block.Storage;

/// <summary>The client's part of the fixed newstyle handshake. <b>Source</b>: the NBD project's doc/proto.md.</summary>
internal static class NbdHandshake
{
    /// <summary>No server has more to say about an export.</summary>
    private const int MostReplyBytes = 4096;

    /// <summary>Chooses an export.</summary>
    /// <returns>Null, or what is wrong with the server.</returns>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="EndOfStreamException">The server hung up.</exception>
    public static string? Negotiate(Socket socket, string exportName, out NbdExport export)
    {
        export = default;
        Span<byte> hello = stackalloc byte[18];
        Receive(socket, hello);
        if (BinaryPrimitives.ReadUInt64BigEndian(hello) != NbdProtocol.InitialMagic)
            return "it does not speak NBD";
        if (BinaryPrimitives.ReadUInt64BigEndian(hello[8..]) != NbdProtocol.OptionMagic)
            return "it speaks the old NBD handshake";
        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(hello[16..]);
        if ((flags & NbdProtocol.FixedNewstyle) == 0)
            return "it does not speak the fixed newstyle NBD handshake";
        ushort common = (ushort)(flags & (NbdProtocol.FixedNewstyle | NbdProtocol.NoZeroes));
        Span<byte> answer = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(answer, common);
        Send(socket, answer);
        return Go(socket, exportName, out export, out bool unsupported) is not null and string error
            ? unsupported ? ByName(socket, exportName, (common & NbdProtocol.NoZeroes) != 0, out export) : error
            : null;
    }

    public static void Receive(Socket socket, Span<byte> into)
    {
        while (into.Length > 0)
        {
            int got = socket.Receive(into);
            if (got == 0)
                throw new EndOfStreamException();
            into = into[got..];
        }
    }

    public static void Send(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[socket.Send(bytes)..];
    }

    private static string? Go(Socket socket, string exportName, out NbdExport export, out bool unsupported)
    {
        (export, unsupported) = (default, false);
        byte[] name = Encoding.UTF8.GetBytes(exportName);
        byte[] data = new byte[4 + name.Length + 4];
        BinaryPrimitives.WriteUInt32BigEndian(data, (uint)name.Length);
        name.CopyTo(data, 4);
        BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(4 + name.Length), 1);
        BinaryPrimitives.WriteUInt16BigEndian(data.AsSpan(6 + name.Length), NbdProtocol.InfoBlockSize);
        SendOption(socket, NbdProtocol.OptionGo, data);

        int minimum = 1;
        byte[] header = new byte[NbdProtocol.OptionReplyHeaderSize];
        while (true)
        {
            Receive(socket, header);
            uint type = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(12));
            uint length = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(16));
            if (BinaryPrimitives.ReadUInt64BigEndian(header) != NbdProtocol.OptionReplyMagic || length > MostReplyBytes)
                return "its answer to an NBD option makes no sense";
            byte[] reply = new byte[length];
            Receive(socket, reply);
            if (type == NbdProtocol.ReplyAck)
            {
                export = export with { MinimumBlock = minimum };
                return export.Flags == NbdTransmissionFlags.None ? "it did not describe its NBD export" : null;
            }

            if ((type & NbdProtocol.ReplyErrorBit) != 0)
            {
                unsupported = type == NbdProtocol.ReplyUnsupported;
                return $"it refuses the NBD export \"{exportName}\" (0x{type:x})";
            }

            if (type == NbdProtocol.ReplyInfo)
                TakeInfo(reply, ref export, ref minimum);
        }
    }

    private static void TakeInfo(ReadOnlySpan<byte> info, ref NbdExport export, ref int minimum)
    {
        if (info.Length < 2)
            return;
        switch (BinaryPrimitives.ReadUInt16BigEndian(info))
        {
            case NbdProtocol.InfoExport when info.Length >= 12:
                export = Describe(info[2..]);
                break;
            case NbdProtocol.InfoBlockSize when info.Length >= 14:
                minimum = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(info[2..]), int.MaxValue);
                break;
        }
    }

    private static string? ByName(Socket socket, string exportName, bool noZeroes, out NbdExport export)
    {
        SendOption(socket, NbdProtocol.OptionExportName, Encoding.UTF8.GetBytes(exportName));
        byte[] reply = new byte[noZeroes ? 10 : 134];
        Receive(socket, reply);
        export = Describe(reply) with { MinimumBlock = 1 };
        return null;
    }

    private static NbdExport Describe(ReadOnlySpan<byte> bytes) => new(
        (long)Math.Min(BinaryPrimitives.ReadUInt64BigEndian(bytes), long.MaxValue),
        (NbdTransmissionFlags)BinaryPrimitives.ReadUInt16BigEndian(bytes[8..]) | NbdTransmissionFlags.HasFlags,
        1);

    private static void SendOption(Socket socket, uint option, ReadOnlySpan<byte> data)
    {
        byte[] message = new byte[NbdProtocol.OptionHeaderSize + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(message, NbdProtocol.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(12), (uint)data.Length);
        data.CopyTo(message.AsSpan(NbdProtocol.OptionHeaderSize));
        Send(socket, message);
    }
}
