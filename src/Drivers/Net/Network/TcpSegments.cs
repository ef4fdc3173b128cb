using System.Buffers.Binary;

namespace Xen.Drivers.Net.Network;

/// <summary>
/// Cuts a big TCP packet into segments, each complete with its checksums, as the sender's kernel would have: the identification of IPv4 and the
/// sequence number go on, FIN and PSH are on the last segment, CWR on the first.
/// </summary>
internal struct TcpSegments(Frame packet)
{
    private const byte Fin = 0x01, Push = 0x08, WindowReduced = 0x80;

    private int _done;
    private int _index;

    /// <summary>Makes the next segment.</summary>
    /// <returns>False if there was none left.</returns>
    public bool Next(Frame into)
    {
        PacketHeaders headers = packet.Headers;
        int payload = headers.PacketEnd - headers.PayloadOffset;
        // A packet without payload is one segment.
        if (_index > 0 && _done >= payload)
            return false;
        int size = Math.Min(packet.Offload.GsoSize, payload - _done), length = headers.PayloadOffset + size;
        ReadOnlySpan<byte> source = packet.Bytes;
        source[..headers.PayloadOffset].CopyTo(into.Room);
        source.Slice(headers.PayloadOffset + _done, size).CopyTo(into.Room[headers.PayloadOffset..]);
        WriteHeaders(into.Room[..length], headers, last: _done + size >= payload);
        into.Set(length, new FrameOffload(Validated: true));
        into.Headers.WriteTransportChecksum(into.Bytes);
        _done += size;
        _index++;
        return true;
    }

    private readonly void WriteHeaders(Span<byte> frame, in PacketHeaders headers, bool last)
    {
        Span<byte> ip = frame[headers.NetworkOffset..], tcp = frame[headers.TransportOffset..];
        if (headers.Network == NetworkProtocol.IPv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(BinaryPrimitives.ReadUInt16BigEndian(ip[4..]) + _index));
            headers.WriteNetworkChecksum(frame);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(ip.Length - 40));
        }

        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]) + (uint)_done);
        if (_index > 0)
            tcp[13] &= unchecked((byte)~WindowReduced);
        if (!last)
            tcp[13] &= unchecked((byte)~(Fin | Push));
    }
}
