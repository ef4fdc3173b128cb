using System.Buffers.Binary;

namespace Xen.Drivers.Net.Network;

/// <summary>The checksum of IP, TCP and UDP: the complement of the ones' complement sum of 16-bit words. <b>Source</b>: RFC 1071.</summary>
public static class InternetChecksum
{
    /// <summary>Adds bytes to a sum; an odd last byte is taken as followed by zero, so only the last part may be odd.</summary>
    /// <returns>The new sum, not folded, of words in little-endian order.</returns>
    public static ulong Add(ulong sum, ReadOnlySpan<byte> bytes)
    {
        // Ones' complement addition works on words of any width, and in either byte order (RFC 1071, 2B).
        while (bytes.Length >= 16)
        {
            ulong a = BinaryPrimitives.ReadUInt64LittleEndian(bytes), b = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
            sum += (uint)a + (a >> 32) + (uint)b + (b >> 32);
            bytes = bytes[16..];
        }

        while (bytes.Length >= 2)
        {
            sum += BinaryPrimitives.ReadUInt16LittleEndian(bytes);
            bytes = bytes[2..];
        }

        return bytes.Length == 0 ? sum : sum + bytes[0];
    }

    /// <summary>Adds a 16-bit number that stands in network order in the packet.</summary>
    public static ulong AddWord(ulong sum, int value) => sum + BinaryPrimitives.ReverseEndianness((ushort)value);

    /// <summary>The checksum to write, most significant byte first.</summary>
    public static ushort Finish(ulong sum) => BinaryPrimitives.ReverseEndianness((ushort)~Fold(sum));

    /// <summary>True for a sum that includes the right checksum.</summary>
    public static bool IsRight(ulong sum) => Fold(sum) == 0xFFFF;

    private static ushort Fold(ulong sum)
    {
        sum = (sum & 0xFFFF_FFFF) + (sum >> 32);
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)sum;
    }
}
