using System.Buffers.Binary;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>What a sender leaves undone is done for those who cannot take it so.</summary>
public sealed class OffloadTests
{
    [Theory]
    [InlineData(false, true)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public void BlankChecksum_ForAStationThatTakesNone_IsComputed(bool v6, bool tcp)
    {
        Random random = new(1);
        for (int length = 0; length < 200; length++)
        {
            byte[] payload = Packets.Random(random, length);
            byte[] bytes = Packets.Transport(v6, tcp, Packets.A, Packets.B, payload, blank: true);
            RecordingStation plain = new(), able = new(FrameFeatures.All);
            Frame frame = new();
            Assert.True(frame.Set(bytes, new FrameOffload(CsumBlank: true)));
            frame.DeliverTo(able);
            Assert.Equal(bytes, able.Next());
            frame.DeliverTo(plain);
            byte[] got = plain.Next();
            Assert.Null(Packets.Check(got));
            Assert.Equal(Packets.Transport(v6, tcp, Packets.A, Packets.B, payload), got);
        }
    }

    [Fact]
    public void UdpChecksum_ThatComesOutZero_IsWrittenAsAllOnes()
    {
        // The last word is chosen so that the sum is all ones.
        byte[] bytes = Packets.Transport(false, false, Packets.A, Packets.B, new byte[2]);
        ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(40));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(42), checksum);
        Frame frame = new();
        Assert.True(frame.Set(bytes, new FrameOffload(CsumBlank: true)));
        frame.CompleteChecksum();
        Assert.Equal(0xFFFF, BinaryPrimitives.ReadUInt16BigEndian(frame.Bytes[40..]));
        Assert.Null(Packets.Check(frame.Bytes));
    }

    [Theory]
    [InlineData(false, 65481, 1460)]
    [InlineData(true, 65461, 1440)]
    [InlineData(false, 1460, 1460)]
    [InlineData(false, 1461, 1460)]
    [InlineData(true, 3000, 999)]
    [InlineData(false, 0, 1460)]
    public void BigPacket_ForAStationThatTakesNone_IsCut(bool v6, int length, ushort size)
    {
        const uint Sequence = uint.MaxValue - 2000;
        byte[] payload = Packets.Random(new Random(length), length);
        byte[] bytes = Packets.Transport(v6, true, Packets.A, Packets.B, payload, blank: true, sequence: Sequence, tcpFlags: 0x80 | 0x10 | 0x08 | 0x01);
        Frame frame = new();
        Assert.True(frame.Set(bytes, new FrameOffload(CsumBlank: true, Gso: v6 ? NetifGsoType.TcpV6 : NetifGsoType.TcpV4, GsoSize: size)));
        RecordingStation station = new();
        frame.DeliverTo(station);
        int header = v6 ? Packets.TcpHeaders6 : Packets.TcpHeaders4, count = Math.Max(1, (length + size - 1) / size);
        Assert.Equal(count, station.Received.Count);
        List<byte> joined = [];
        for (int i = 0; i < count; i++)
        {
            byte[] segment = station.Next();
            Assert.Null(Packets.Check(segment));
            Assert.True(segment.Length - header <= size);
            Assert.Equal(Sequence + (uint)joined.Count, BinaryPrimitives.ReadUInt32BigEndian(segment.AsSpan(header - 16)));
            Assert.Equal((i == 0 ? 0x80 : 0) | 0x10 | (i == count - 1 ? 0x09 : 0), segment[header - 7]);
            if (!v6)
                Assert.Equal((ushort)(0xFFFE + i), BinaryPrimitives.ReadUInt16BigEndian(segment.AsSpan(18)));
            joined.AddRange(segment[header..]);
        }

        Assert.Equal(payload, joined);
    }

    [Fact]
    public void Hostile_OffloadsThatCannotBe_AreNoFrames()
    {
        byte[] tcp = Packets.Transport(false, true, Packets.A, Packets.B, new byte[3000], blank: true);
        byte[] udp = Packets.Transport(false, false, Packets.A, Packets.B, new byte[3000], blank: true);
        byte[] arp = Packets.Ethernet(Packets.A, Packets.B, 0x0806, new byte[28]);
        Frame frame = new();
        Assert.False(frame.Set(arp, new FrameOffload(CsumBlank: true)));
        Assert.False(frame.Set(udp, new FrameOffload(Gso: NetifGsoType.TcpV4, GsoSize: 1000)));
        Assert.False(frame.Set(tcp, new FrameOffload(Gso: NetifGsoType.TcpV6, GsoSize: 1000)));
        Assert.False(frame.Set(tcp, new FrameOffload(Gso: NetifGsoType.TcpV4, GsoSize: 0)));
        Assert.False(frame.Set(tcp, new FrameOffload(Gso: NetifGsoType.TcpV4, GsoSize: 31)));
        Assert.False(frame.Set(tcp, new FrameOffload(Gso: (NetifGsoType)7, GsoSize: 1000)));
        Assert.False(frame.Set(new byte[13]));
        Assert.False(frame.Set(Frame.MaxLength + 1));
        tcp[17]++;
        Assert.False(frame.Set(tcp, new FrameOffload(CsumBlank: true)));
        Assert.Equal(0, frame.Length);
    }

    [Fact]
    public void Hostile_RandomFrames_NeverLeadOutside()
    {
        Random random = new(7);
        Frame frame = new();
        RecordingStation station = new();
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = random.Next(2) == 0
                ? Packets.Random(random, random.Next(0, 120))
                : Packets.Transport(random.Next(2) == 0, random.Next(2) == 0, Packets.A, Packets.B, new byte[random.Next(100)]);
            for (int flips = random.Next(4); flips > 0 && bytes.Length > 12; flips--)
                bytes[random.Next(12, Math.Min(bytes.Length, 60))] = (byte)random.Next(256);
            NetifGsoType gso = (NetifGsoType)random.Next(3);
            if (frame.Set(bytes, new FrameOffload(random.Next(2) == 0, false, gso, (ushort)random.Next(100))))
                frame.DeliverTo(station);
            while (station.Received.TryTake(out _))
            {
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void BigPacket_ToAGuestWithoutOffloads_ArrivesInPiecesWithChecksums(bool v6)
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B, new NetFrontendOptions { ScatterGather = false, Features = FrameFeatures.None });
        byte[] payload = Packets.Random(new Random(3), 40_000);
        byte[] big = Packets.Transport(v6, true, Packets.A, Packets.B, payload, blank: true);
        a.Send(big, new FrameOffload(CsumBlank: true, Gso: v6 ? NetifGsoType.TcpV6 : NetifGsoType.TcpV4, GsoSize: 1400));
        List<byte> joined = [];
        while (joined.Count < payload.Length)
        {
            (byte[] segment, FrameOffload offload) = b.Receive();
            Assert.Equal(new FrameOffload(Validated: true), offload);
            Assert.Null(Packets.Check(segment));
            joined.AddRange(segment[(v6 ? Packets.TcpHeaders6 : Packets.TcpHeaders4)..]);
        }

        Assert.Equal(payload, joined);
    }

    [Fact]
    public void VlanTags_AndExtensionHeaders_AreSeenThrough()
    {
        byte[] plain = Packets.Transport(true, true, Packets.A, Packets.B, "payload"u8, blank: true);
        byte[] bytes = [.. plain[..12], 0x81, 0x00, 0x00, 0x05, .. plain[12..54], 6, 0, 1, 4, 0, 0, 0, 0, .. plain[54..]];
        (bytes[18 + 6], bytes[18 + 5]) = (0, (byte)(bytes[18 + 5] + 8));
        PacketHeaders headers = PacketHeaders.Parse(bytes);
        Assert.Equal((NetworkProtocol.IPv6, TransportProtocol.Tcp, 18, 66, 86, bytes.Length),
            (headers.Network, headers.Transport, headers.NetworkOffset, headers.TransportOffset, headers.PayloadOffset, headers.PacketEnd));
    }
}
