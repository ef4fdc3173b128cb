using System.Buffers.Binary;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Net.Network;

/// <summary>What a sender left for others to do with a frame.</summary>
/// <param name="CsumBlank">The checksum of TCP or UDP is not there; its field holds the pseudo header's sum, or anything.</param>
/// <param name="Validated">The bytes are known to be right: nobody has to check.</param>
/// <param name="Gso">The frame is one big TCP packet, to be cut for those who cannot take it whole.</param>
/// <param name="GsoSize">The most payload of a segment. <b>Units</b>: bytes.</param>
public readonly record struct FrameOffload(bool CsumBlank = false, bool Validated = false, NetifGsoType Gso = NetifGsoType.None, ushort GsoSize = 0);

/// <summary>What a station takes unfinished.</summary>
[Flags]
public enum FrameFeatures
{
    None = 0,

    /// <summary>Blank checksums of TCP and UDP over IPv4.</summary>
    CsumV4 = 1,

    /// <summary>Blank checksums of TCP and UDP over IPv6.</summary>
    CsumV6 = 2,

    /// <summary>Big TCP packets over IPv4.</summary>
    GsoV4 = 4,

    /// <summary>Big TCP packets over IPv6.</summary>
    GsoV6 = 8,
    All = CsumV4 | CsumV6 | GsoV4 | GsoV6,
}

/// <summary>
/// A buffer with one Ethernet frame. Who fills it owns it and uses it again for the next one; who is handed it may read it and finish
/// its checksum until the call returns, and keeps nothing of it. Not thread-safe.
/// </summary>
public sealed class Frame
{
    /// <summary>The most bytes of a frame: an IP packet of 64 KiB with an Ethernet header and two VLAN tags.</summary>
    public const int MaxLength = 65535 + PacketHeaders.EthernetSize + 8;

    /// <summary>Bytes before the frame, for what a network puts in front of it.</summary>
    public const int Headroom = 16;

    // Below this a guest could have thousands of segments made for the price of one packet; no path has so small a segment.
    internal const int LeastGsoSize = 32;

    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(Headroom + MaxLength);
    private PacketHeaders _headers;
    private bool _parsed;
    private Frame? _segment;

    public int Length { get; private set; }

    public FrameOffload Offload { get; private set; }

    /// <summary>The frame.</summary>
    public Span<byte> Bytes => _buffer.AsSpan(Headroom, Length);

    /// <summary>All the room there is, to be filled before <see cref="Set(int, FrameOffload)"/>.</summary>
    public Span<byte> Room => _buffer.AsSpan(Headroom, MaxLength);

    /// <summary>Where the headers are; valid until the bytes change.</summary>
    public ref readonly PacketHeaders Headers
    {
        get
        {
            if (!_parsed)
            {
                _headers = PacketHeaders.Parse(Bytes);
                _parsed = true;
            }

            return ref _headers;
        }
    }

    public MacAddress Destination => MacAddress.Read(Bytes);

    public MacAddress Source => MacAddress.Read(Bytes[MacAddress.Size..]);

    /// <summary>Says that the frame's bytes are now in <see cref="Room"/>.</summary>
    /// <returns>False if it is no frame that can be sent: then it is empty.</returns>
    public bool Set(int length, FrameOffload offload = default)
    {
        _parsed = false;
        Length = length is >= PacketHeaders.EthernetSize and <= MaxLength ? length : 0;
        Offload = offload;
        if (Length != 0 && IsSound())
            return true;
        Length = 0;
        return false;
    }

    /// <summary>Copies a frame in.</summary>
    public bool Set(ReadOnlySpan<byte> bytes, FrameOffload offload = default)
    {
        if (bytes.Length > MaxLength)
            return Set(0);
        bytes.CopyTo(Room);
        return Set(bytes.Length, offload);
    }

    /// <summary>All the room there is, with some bytes before it, at most <see cref="Headroom"/>.</summary>
    public Span<byte> RoomWithHeadroom(int bytes) => _buffer.AsSpan(Headroom - bytes, bytes + MaxLength);

    /// <summary>The frame with some bytes before it, at most <see cref="Headroom"/>.</summary>
    public Memory<byte> WithHeadroom(int bytes) => _buffer.AsMemory(Headroom - bytes, bytes + Length);

    /// <summary>Computes the checksum that was left blank.</summary>
    public void CompleteChecksum()
    {
        if (!Offload.CsumBlank)
            return;
        Headers.WriteTransportChecksum(Bytes);
        Offload = Offload with { CsumBlank = false, Validated = true };
    }

    /// <summary>Leaves the checksum blank as Linux wants it: the field holds the sum of the pseudo header.</summary>
    public void WritePseudoChecksum()
    {
        if (Offload.CsumBlank)
            BinaryPrimitives.WriteUInt16BigEndian(Bytes[Headers.ChecksumOffset..], (ushort)~InternetChecksum.Finish(Headers.PseudoHeaderSum(Bytes)));
    }

    /// <summary>Hands the frame to a station, after doing what that cannot do itself.</summary>
    /// <param name="station">The station.</param>
    /// <param name="wait">As for <see cref="INetStation.Receive"/>.</param>
    public void DeliverTo(INetStation station, bool wait = false)
    {
        FrameFeatures features = station.Features;
        bool v4 = Headers.Network == NetworkProtocol.IPv4;
        if (Offload.Gso != NetifGsoType.None && (features & (v4 ? FrameFeatures.GsoV4 : FrameFeatures.GsoV6)) == 0)
        {
            DeliverSegments(station, wait);
            return;
        }

        if (Offload.CsumBlank && (features & (v4 ? FrameFeatures.CsumV4 : FrameFeatures.CsumV6)) == 0)
            CompleteChecksum();
        station.Receive(this, wait);
    }

    private void DeliverSegments(INetStation station, bool wait)
    {
        _segment ??= new Frame();
        for (TcpSegments segments = new(this); segments.Next(_segment);)
            station.Receive(_segment, wait);
    }

    // What offload promises must be possible: a blank checksum needs a protocol that has one, a big packet needs to be TCP.
    private bool IsSound()
    {
        if (Offload is { CsumBlank: false, Gso: NetifGsoType.None })
            return true;
        ref readonly PacketHeaders headers = ref Headers;
        if (headers.Transport == TransportProtocol.Other)
            return false;
        if (Offload.Gso == NetifGsoType.None)
            return true;
        NetworkProtocol network = Offload.Gso == NetifGsoType.TcpV4 ? NetworkProtocol.IPv4 : NetworkProtocol.IPv6;
        if (Offload.Gso > NetifGsoType.TcpV6 || Offload.GsoSize < LeastGsoSize || headers.Transport != TransportProtocol.Tcp || headers.Network != network)
            return false;
        // A big packet is always finished by who cuts it.
        Offload = Offload with { CsumBlank = true };
        return true;
    }
}
