using System.Buffers.Binary;

namespace Xen.Drivers.Net.Network;

/// <summary>Protocols that matter here.</summary>
public enum NetworkProtocol : byte
{
    Other,
    IPv4,
    IPv6,
}

/// <summary>Protocols with a checksum that can be left blank.</summary>
public enum TransportProtocol : byte
{
    /// <summary>Another, or a fragment of a packet.</summary>
    Other,
    Tcp,
    Udp,
}

/// <summary>
/// Where the headers of an Ethernet frame are. A guest wrote them: every length is checked here against the frame, so that what uses
/// these offsets stays in the frame. <b>Units</b>: bytes from the frame's first.
/// </summary>
public readonly struct PacketHeaders
{
    public const int EthernetSize = 14;

    private const int MostVlanTags = 2;
    private const int MostExtensions = 8;
    private const int ProtocolTcp = 6;
    private const int ProtocolUdp = 17;

    public NetworkProtocol Network { get; private init; }

    public TransportProtocol Transport { get; private init; }

    /// <summary>Where the IP header begins.</summary>
    public int NetworkOffset { get; private init; }

    /// <summary>Where the TCP or UDP header begins.</summary>
    public int TransportOffset { get; private init; }

    /// <summary>Where the IP packet ends; a frame may be longer (padding).</summary>
    public int PacketEnd { get; private init; }

    /// <summary>Where the payload of TCP or UDP begins.</summary>
    public int PayloadOffset { get; private init; }

    /// <summary>Where the transport's checksum is.</summary>
    public int ChecksumOffset => TransportOffset + (Transport == TransportProtocol.Tcp ? 16 : 6);

    public static PacketHeaders Parse(ReadOnlySpan<byte> frame)
    {
        int at = EthernetSize;
        if (frame.Length < at)
            return default;
        int type = BinaryPrimitives.ReadUInt16BigEndian(frame[12..]);
        for (int tags = 0; type is 0x8100 or 0x88A8 && tags < MostVlanTags && frame.Length >= at + 4; tags++, at += 4)
            type = BinaryPrimitives.ReadUInt16BigEndian(frame[(at + 2)..]);
        return type switch
        {
            0x0800 => ParseV4(frame, at),
            0x86DD => ParseV6(frame, at),
            _ => default,
        };
    }

    private static PacketHeaders ParseV4(ReadOnlySpan<byte> frame, int at)
    {
        ReadOnlySpan<byte> ip = frame[at..];
        if (ip.Length < 20 || ip[0] >> 4 != 4)
            return default;
        int headerSize = (ip[0] & 0xF) * 4, size = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);
        if (headerSize < 20 || size < headerSize || size > ip.Length)
            return default;
        bool fragment = (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & 0x3FFF) != 0;
        return Transported(frame, NetworkProtocol.IPv4, at, at + headerSize, at + size, fragment ? -1 : ip[9]);
    }

    private static PacketHeaders ParseV6(ReadOnlySpan<byte> frame, int at)
    {
        ReadOnlySpan<byte> ip = frame[at..];
        if (ip.Length < 40 || ip[0] >> 4 != 6)
            return default;
        int end = at + 40 + BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        if (end > frame.Length)
            return default;
        int next = ip[6], offset = at + 40;
        for (int i = 0; i < MostExtensions && IsExtension(next) && offset + 8 <= end; i++)
        {
            int size = next == 51 ? (frame[offset + 1] + 2) * 4 : (frame[offset + 1] + 1) * 8;
            next = frame[offset];
            offset += size;
        }

        return Transported(frame, NetworkProtocol.IPv6, at, Math.Min(offset, end), end, next);
    }

    // Hop by hop, routing, authentication, destination options. A fragment (44) has no transport header for us.
    private static bool IsExtension(int next) => next is 0 or 43 or 51 or 60;

    private static PacketHeaders Transported(ReadOnlySpan<byte> frame, NetworkProtocol network, int networkOffset, int offset, int end, int protocol)
    {
        TransportProtocol transport = TransportProtocol.Other;
        int payload = offset;
        if (protocol == ProtocolTcp && offset + 20 <= end)
        {
            int size = (frame[offset + 12] >> 4) * 4;
            if (size >= 20 && offset + size <= end)
                (transport, payload) = (TransportProtocol.Tcp, offset + size);
        }
        else if (protocol == ProtocolUdp && offset + 8 <= end)
        {
            (transport, payload) = (TransportProtocol.Udp, offset + 8);
        }

        return new PacketHeaders
        {
            Network = network,
            Transport = transport,
            NetworkOffset = networkOffset,
            TransportOffset = offset,
            PayloadOffset = payload,
            PacketEnd = end,
        };
    }

    /// <summary>The sum of the pseudo header: addresses, length and protocol.</summary>
    public ulong PseudoHeaderSum(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> addresses = Network == NetworkProtocol.IPv4 ? frame.Slice(NetworkOffset + 12, 8) : frame.Slice(NetworkOffset + 8, 32);
        ulong sum = InternetChecksum.Add(0, addresses);
        sum = InternetChecksum.AddWord(sum, PacketEnd - TransportOffset);
        return InternetChecksum.AddWord(sum, Transport == TransportProtocol.Tcp ? ProtocolTcp : ProtocolUdp);
    }

    /// <summary>Computes the transport's checksum, whatever its field holds, and writes it. To be called for TCP and UDP only.</summary>
    public void WriteTransportChecksum(Span<byte> frame)
    {
        Span<byte> field = frame.Slice(ChecksumOffset, 2);
        field.Clear();
        ushort checksum = InternetChecksum.Finish(InternetChecksum.Add(PseudoHeaderSum(frame), frame[TransportOffset..PacketEnd]));
        // In UDP, zero says that there is none.
        if (checksum == 0 && Transport == TransportProtocol.Udp)
            checksum = 0xFFFF;
        BinaryPrimitives.WriteUInt16BigEndian(field, checksum);
    }

    /// <summary>Computes the checksum of the IPv4 header and writes it. To be called for IPv4 only.</summary>
    public void WriteNetworkChecksum(Span<byte> frame)
    {
        Span<byte> header = frame.Slice(NetworkOffset, (frame[NetworkOffset] & 0xF) * 4);
        header.Slice(10, 2).Clear();
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Finish(InternetChecksum.Add(0, header)));
    }
}
