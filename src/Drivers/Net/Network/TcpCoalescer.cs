using System.Buffers.Binary;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Network;

/// <summary>
/// Joins segments of TCP on their way to a guest that takes big packets: what costs a guest is the packet, not the byte. It is what a network
/// card's receive offload does, and <see cref="TcpSegments"/> would cut the packet into the same segments again.
/// </summary>
/// <remarks>
/// Joined are segments that follow one another in the stream and here, whose headers are the same but for what counts them (sequence number,
/// identification), with no flag but ACK, and PSH on the last; options, such as timestamps, are the same or the group ends. A checksum that is
/// wrong stays wrong: each segment's is verified before it is joined, and what does not verify goes its own way, unmarked, for the guest to
/// judge. One group is open at a time: anything else ends it, so the order of frames never changes. One thread.
/// <b>Source</b>: the rules are those of RFC 9293 for what a receiver may not lose, and RFC 6864 for IPv4's identification.
/// </remarks>
internal sealed class TcpCoalescer(INetStation station)
{
    private const byte Push = 0x08, Acknowledge = 0x10;

    /// <summary>What IPv4 says in 16 bits of its packet's length, and IPv6 of its payload's. <b>Units</b>: bytes.</summary>
    private const int MostBytes = 65535;

    private readonly Frame _group = new();
    private PacketHeaders _headers;
    private int _segments;
    private int _segmentSize;
    private int _length;

    /// <summary>Takes a copy of a frame; it is delivered now, or with others by <see cref="Flush"/> at the latest. May wait for the station.</summary>
    public void Add(ReadOnlySpan<byte> frame)
    {
        PacketHeaders headers = PacketHeaders.Parse(frame);
        if (!IsJoinable(frame, headers))
        {
            Flush();
            Deliver(frame, isRight: true);
            return;
        }

        bool isRight = IsRight(frame, headers);
        if (isRight && _segments > 0 && Continues(frame, headers))
        {
            Append(frame, headers);
            return;
        }

        Flush();
        if (isRight && TakesBig(headers.Network))
            Open(frame, headers);
        else
            Deliver(frame, isRight);
    }

    /// <summary>Delivers what is held. May wait for the station.</summary>
    public void Flush()
    {
        if (_segments == 0)
            return;
        FrameOffload offload = new(Validated: true);
        if (_segments > 1)
        {
            offload = new FrameOffload(
                true, true, _headers.Network == NetworkProtocol.IPv4 ? NetifGsoType.TcpV4 : NetifGsoType.TcpV6, (ushort)_segmentSize);
            WriteLength();
        }

        _segments = 0;
        if (!_group.Set(_length, offload))
            return;
        _group.WritePseudoChecksum();
        _group.DeliverTo(station, wait: true);
    }

    private void Deliver(ReadOnlySpan<byte> frame, bool isRight)
    {
        // What comes from sockets of the host has been checked there.
        if (_group.Set(frame, new FrameOffload(Validated: isRight)))
            _group.DeliverTo(station, wait: true);
    }

    private bool TakesBig(NetworkProtocol network) =>
        (station.Features & (network == NetworkProtocol.IPv4 ? FrameFeatures.GsoV4 : FrameFeatures.GsoV6)) != 0;

    /// <summary>A segment of nothing but data, in a packet of nothing but headers and segment.</summary>
    private static bool IsJoinable(ReadOnlySpan<byte> frame, in PacketHeaders headers)
    {
        if (headers.Transport != TransportProtocol.Tcp || headers.PacketEnd != frame.Length
            || headers.PacketEnd - headers.PayloadOffset < Frame.LeastGsoSize)
            return false;
        int ip = headers.TransportOffset - headers.NetworkOffset;
        ReadOnlySpan<byte> tcp = frame[headers.TransportOffset..];
        return ip == (headers.Network == NetworkProtocol.IPv4 ? 20 : 40) && (tcp[12] & 0xF) == 0 && (tcp[13] & ~Push) == Acknowledge;
    }

    private static bool IsRight(ReadOnlySpan<byte> frame, in PacketHeaders headers)
    {
        if (headers.Network == NetworkProtocol.IPv4 && !InternetChecksum.IsRight(InternetChecksum.Add(0, frame.Slice(headers.NetworkOffset, 20))))
            return false;
        return InternetChecksum.IsRight(InternetChecksum.Add(headers.PseudoHeaderSum(frame), frame[headers.TransportOffset..headers.PacketEnd]));
    }

    private void Open(ReadOnlySpan<byte> frame, in PacketHeaders headers)
    {
        frame.CopyTo(_group.Room);
        (_headers, _segments, _length) = (headers, 1, frame.Length);
        _segmentSize = headers.PacketEnd - headers.PayloadOffset;
        if (IsPushed(frame, headers))
            Flush();
    }

    private void Append(ReadOnlySpan<byte> frame, in PacketHeaders headers)
    {
        ReadOnlySpan<byte> payload = frame[headers.PayloadOffset..];
        payload.CopyTo(_group.Room[_length..]);
        _length += payload.Length;
        _segments++;
        bool isPushed = IsPushed(frame, headers);
        if (isPushed)
            _group.Room[_headers.TransportOffset + 13] |= Push;

        // Only the last segment may be shorter than the others.
        if (isPushed || payload.Length < _segmentSize)
            Flush();
    }

    private static bool IsPushed(ReadOnlySpan<byte> frame, in PacketHeaders headers) => (frame[headers.TransportOffset + 13] & Push) != 0;

    /// <summary>Whether the segment is the next one of the group, and there is room.</summary>
    private bool Continues(ReadOnlySpan<byte> frame, in PacketHeaders headers)
    {
        if (headers.Network != _headers.Network || headers.NetworkOffset != _headers.NetworkOffset || headers.PayloadOffset != _headers.PayloadOffset)
            return false;
        int size = headers.PacketEnd - headers.PayloadOffset, counted = headers.Network == NetworkProtocol.IPv4 ? headers.NetworkOffset : headers.TransportOffset - 20;
        if (size > _segmentSize || _length + size - counted > MostBytes)
            return false;
        ReadOnlySpan<byte> first = _group.Room, tcp = frame[headers.TransportOffset..], firstTcp = first[headers.TransportOffset..];
        uint next = BinaryPrimitives.ReadUInt32BigEndian(firstTcp[4..]) + (uint)(_length - _headers.PayloadOffset);
        return BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]) == next
            && (headers.Network == NetworkProtocol.IPv4 ? IsSameV4(frame, first, headers) : IsSameV6(frame, first, headers))
            && Same(tcp, firstTcp, 0, 4) // ports
            && Same(tcp, firstTcp, 8, 13) // acknowledgement, length of the header
            && Same(tcp, firstTcp, 14, 16) // window
            && Same(tcp, firstTcp, 18, headers.PayloadOffset - headers.TransportOffset); // options
    }

    /// <summary>All but the lengths, the identification and the checksum.</summary>
    private bool IsSameV4(ReadOnlySpan<byte> frame, ReadOnlySpan<byte> first, in PacketHeaders headers)
    {
        int ip = headers.NetworkOffset;
        if (!Same(frame, first, 0, ip + 2) || !Same(frame, first, ip + 6, ip + 10) || !Same(frame, first, ip + 12, headers.TransportOffset))
            return false;
        int id = BinaryPrimitives.ReadUInt16BigEndian(frame[(ip + 4)..]), firstId = BinaryPrimitives.ReadUInt16BigEndian(first[(ip + 4)..]);

        // They count, or they do not because nothing here is a fragment: passt's are all zero.
        return id == firstId || id == (ushort)(firstId + _segments);
    }

    private static bool IsSameV6(ReadOnlySpan<byte> frame, ReadOnlySpan<byte> first, in PacketHeaders headers) =>
        Same(frame, first, 0, headers.NetworkOffset + 4) && Same(frame, first, headers.NetworkOffset + 6, headers.TransportOffset);

    private static bool Same(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int from, int to) => a[from..to].SequenceEqual(b[from..to]);

    private void WriteLength()
    {
        Span<byte> frame = _group.Room[.._length], ip = frame[_headers.NetworkOffset..];
        if (_headers.Network == NetworkProtocol.IPv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
            _headers.WriteNetworkChecksum(frame);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(ip.Length - 40));
        }
    }
}
