using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace Xen.Drivers.Net.Network;

/// <summary>An Ethernet address.</summary>
/// <param name="Value">Its 48 bits, the first octet the most significant.</param>
public readonly record struct MacAddress(ulong Value)
{
    public const int Size = 6;

    /// <summary>The part that all addresses given to guests have in common: that of Xen's vendor number.</summary>
    public const ulong XenPrefix = 0x00163EUL << 24;

    public static readonly MacAddress Broadcast = new(0xFFFF_FFFF_FFFF);

    /// <summary>For a group of stations, or for all.</summary>
    public bool IsMulticast => (Value & (1UL << 40)) != 0;

    public bool IsBroadcast => Value == Broadcast.Value;

    /// <summary>One station may have it: neither of a group nor all zero.</summary>
    public bool IsStation => !IsMulticast && Value != 0;

    /// <summary>Reads an address from the first six bytes.</summary>
    public static MacAddress Read(ReadOnlySpan<byte> bytes) =>
        new(((ulong)BinaryPrimitives.ReadUInt16BigEndian(bytes) << 32) | BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]));

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)(Value >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(bytes[2..], (uint)Value);
    }

    /// <summary>A random address for a guest: 00:16:3e and 23 random bits, the 24th zero as Xen's tools leave it.</summary>
    public static MacAddress Generate() => new(XenPrefix | (uint)RandomNumberGenerator.GetInt32(0x80_0000));

    /// <summary>Reads six pairs of hexadecimal digits with colons between them.</summary>
    public static bool TryParse(string? text, out MacAddress address)
    {
        address = default;
        string[] parts = (text ?? "").Trim().Split(':');
        if (parts.Length != Size)
            return false;
        ulong value = 0;
        foreach (string part in parts)
        {
            if (part.Length is not (1 or 2) || !byte.TryParse(part, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte octet))
                return false;
            value = (value << 8) | octet;
        }

        address = new MacAddress(value);
        return true;
    }

    public override string ToString()
    {
        ulong v = Value;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{(byte)(v >> 40):x2}:{(byte)(v >> 32):x2}:{(byte)(v >> 24):x2}:{(byte)(v >> 16):x2}:{(byte)(v >> 8):x2}:{(byte)v:x2}");
    }
}
