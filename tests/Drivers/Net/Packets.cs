using System.Buffers.Binary;
using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Tests.Net;

/// <summary>Frames for tests, and a checker of checksums that shares nothing with the code under test.</summary>
internal static class Packets
{
    public static readonly MacAddress A = new(0x00163E000001), B = new(0x00163E000002), C = new(0x00163E000003);

    public const int TcpHeaders4 = 14 + 20 + 20, TcpHeaders6 = 14 + 40 + 20;

    public static byte[] Ethernet(MacAddress from, MacAddress to, int type, ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[14 + payload.Length];
        to.Write(frame);
        from.Write(frame.AsSpan(6));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), (ushort)type);
        payload.CopyTo(frame.AsSpan(14));
        return frame;
    }

    /// <summary>An IP packet with TCP or UDP in it, its checksums right unless the transport's is to be left blank.</summary>
    public static byte[] Transport(
        bool v6, bool tcp, MacAddress from, MacAddress to, ReadOnlySpan<byte> payload, bool blank = false, ushort sourcePort = 1000, uint sequence = 1, byte tcpFlags = 0x10)
    {
        int ip = v6 ? 40 : 20, header = tcp ? 20 : 8;
        byte[] packet = new byte[ip + header + payload.Length];
        Span<byte> l4 = packet.AsSpan(ip);
        if (v6)
        {
            packet[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)l4.Length);
            (packet[6], packet[7]) = ((byte)(tcp ? 6 : 17), 64);
            (packet[8], packet[23], packet[24], packet[39]) = (0xFD, 1, 0xFD, 2);
        }
        else
        {
            packet[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), 0xFFFE);
            (packet[8], packet[9]) = (64, (byte)(tcp ? 6 : 17));
            (packet[12], packet[15], packet[16], packet[19]) = (10, 1, 10, 2);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), (ushort)~Sum(packet.AsSpan(0, 20), 0));
        }

        BinaryPrimitives.WriteUInt16BigEndian(l4, sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(l4[2..], 80);
        if (tcp)
        {
            BinaryPrimitives.WriteUInt32BigEndian(l4[4..], sequence);
            (l4[12], l4[13]) = (0x50, tcpFlags);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(l4[4..], (ushort)l4.Length);
        }

        payload.CopyTo(l4[header..]);
        int pseudo = PseudoSum(packet, v6, l4.Length, tcp ? 6 : 17);
        ushort checksum = blank ? (ushort)pseudo : (ushort)~Sum(l4, pseudo);
        BinaryPrimitives.WriteUInt16BigEndian(l4[(tcp ? 16 : 6)..], !blank && !tcp && checksum == 0 ? (ushort)0xFFFF : checksum);
        return Ethernet(from, to, v6 ? 0x86DD : 0x0800, packet);
    }

    public static byte[] Random(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Says what is wrong with the checksums and lengths of a TCP or UDP packet without extension headers, or null.</summary>
    public static string? Check(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> packet = frame[14..];
        bool v6 = packet[0] >> 4 == 6;
        int ip = v6 ? 40 : 20, length = BinaryPrimitives.ReadUInt16BigEndian(packet[(v6 ? 4 : 2)..]) - (v6 ? 0 : 20);
        if (length != packet.Length - ip)
            return $"length {length} in a packet of {packet.Length}";
        if (!v6 && Sum(packet[..20], 0) != 0xFFFF)
            return "IPv4 header checksum";
        return Sum(packet[ip..], PseudoSum(packet, v6, length, packet[v6 ? 6 : 9])) == 0xFFFF ? null : "transport checksum";
    }

    private static int PseudoSum(ReadOnlySpan<byte> packet, bool v6, int length, int protocol)
    {
        int sum = Sum(v6 ? packet[8..40] : packet[12..20], 0) + length + protocol;
        return (sum & 0xFFFF) + (sum >> 16);
    }

    private static int Sum(ReadOnlySpan<byte> bytes, int sum)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += (i & 1) == 0 ? bytes[i] << 8 : bytes[i];
            sum = (sum & 0xFFFF) + (sum >> 16);
        }

        return sum;
    }
}
