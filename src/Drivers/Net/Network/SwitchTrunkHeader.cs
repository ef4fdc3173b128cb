using System.Buffers.Binary;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Network;

/// <summary>What stands before a frame in a trunk's message: how long it is, and what its sender left undone. One message is one frame.</summary>
/// <remarks>
/// <code>
///  byte   0         1          2..3       4..7
///       +-------+----------+----------+--------+
///       | flags | gso type | gso size | length |   little-endian
///       +-------+----------+----------+--------+
///  flags: bit 0 checksum blank, bit 1 validated; all others are zero
/// </code>
/// </remarks>
internal static class SwitchTrunkHeader
{
    public const int Size = 8;

    private const byte CsumBlank = 1, Validated = 2;

    public static void Write(Span<byte> header, Frame frame)
    {
        FrameOffload offload = frame.Offload;
        bool isBig = offload.Gso != NetifGsoType.None;
        header[0] = (byte)((offload.CsumBlank ? CsumBlank : 0) | (offload.Validated ? Validated : 0));
        header[1] = (byte)offload.Gso;
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], isBig ? offload.GsoSize : (ushort)0);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], frame.Length);
    }

    /// <summary>Reads the header of a message. Whether the frame is what the header says is for <see cref="Frame.Set(int, FrameOffload)"/> to find out.</summary>
    /// <returns>False if no honest peer sends such a message: as when it was longer than there was room, and was cut.</returns>
    public static bool TryRead(ReadOnlySpan<byte> message, out FrameOffload offload)
    {
        offload = default;
        if (message.Length < Size)
            return false;
        byte flags = message[0];
        var gso = (NetifGsoType)message[1];
        ushort gsoSize = BinaryPrimitives.ReadUInt16LittleEndian(message[2..]);
        if ((flags & ~(CsumBlank | Validated)) != 0 || gso > NetifGsoType.TcpV6 || (gso == NetifGsoType.None && gsoSize != 0))
            return false;
        if (BinaryPrimitives.ReadInt32LittleEndian(message[4..]) != message.Length - Size)
            return false;
        offload = new FrameOffload((flags & CsumBlank) != 0, (flags & Validated) != 0, gso, gsoSize);
        return true;
    }
}
