using System.Buffers.Binary;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>Segments of TCP are joined for a guest that takes big packets, and nothing of what came is lost or made up by that.</summary>
public sealed class CoalescerTests
{
    private const int Size = 1000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Segments_InOrder_BecomeOneBigPacket(bool v6)
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        byte[] payload = Packets.Random(new Random(1), (5 * Size) + 300);
        foreach (byte[] segment in Stream(v6, payload, uint.MaxValue - 2500))
            coalescer.Add(segment);
        (byte[] bytes, FrameOffload offload) = Assert.Single(station.Received);
        Assert.Equal(new FrameOffload(true, true, v6 ? NetifGsoType.TcpV6 : NetifGsoType.TcpV4, Size), offload);
        Assert.Equal(Identified(Packets.Transport(v6, true, Packets.A, Packets.B, payload, blank: true, sequence: uint.MaxValue - 2500), 0), bytes);
    }

    [Fact]
    public void Segment_ThatIsAlone_ArrivesAsItCame()
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        byte[] segment = Segment(false, new byte[Size], 1);
        coalescer.Add(segment);
        Assert.Empty(station.Received);
        coalescer.Flush();
        Assert.Equal(segment, station.Next());
        coalescer.Flush();
        Assert.Empty(station.Received);
    }

    [Fact]
    public void Push_And_AShorterSegment_EndTheGroup()
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        coalescer.Add(Segment(false, new byte[Size], 1));
        coalescer.Add(Segment(false, new byte[Size], 1 + Size, flags: 0x18));
        (byte[] bytes, _) = station.Received.Take();
        Assert.Equal(0x18, bytes[47]);
        coalescer.Add(Segment(false, new byte[Size], 1));
        coalescer.Add(Segment(false, new byte[Size - 1], 1 + Size));
        Assert.Equal(Packets.TcpHeaders4 + Size + Size - 1, station.Next().Length);
        coalescer.Add(Segment(false, new byte[Size], 1, flags: 0x18));
        Assert.Equal(Packets.TcpHeaders4 + Size, station.Next().Length);
    }

    [Theory]
    [InlineData(false, 65535 - 40)]
    [InlineData(true, 65535 - 20)]
    public void BigPacket_IsNeverLongerThanItsLengthFieldSays(bool v6, int most)
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        for (int i = 0; i < 100; i++)
            coalescer.Add(Segment(v6, new byte[Size], (uint)(i * Size), id: i));
        coalescer.Flush();
        Assert.Equal([most / Size, 100 - (most / Size)], station.Received.Select(f => (f.Bytes.Length - (v6 ? Packets.TcpHeaders6 : Packets.TcpHeaders4)) / Size));
        Assert.All(station.Received, f => Assert.Equal(f.Bytes.Length - 14 - (v6 ? 40 : 0), BinaryPrimitives.ReadUInt16BigEndian(f.Bytes.AsSpan(v6 ? 18 : 16))));
    }

    [Fact]
    public void Identification_ThatStays_IsNoObstacle()
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        for (int i = 0; i < 3; i++)
            coalescer.Add(Segment(false, new byte[Size], (uint)(i * Size), id: 0));
        coalescer.Add(Segment(false, new byte[Size], 3 * Size, id: 7));
        coalescer.Flush();
        Assert.Equal([3 * Size, Size], station.Received.Select(f => f.Bytes.Length - Packets.TcpHeaders4));
    }

    /// <summary>What differs, by its place in an IPv4 frame without options; the checksums are right.</summary>
    [Theory]
    [InlineData(0, "destination")]
    [InlineData(11, "source")]
    [InlineData(15, "type of service")]
    [InlineData(20, "flags")]
    [InlineData(22, "time to live")]
    [InlineData(29, "source address")]
    [InlineData(33, "destination address")]
    [InlineData(35, "source port")]
    [InlineData(37, "destination port")]
    [InlineData(41, "sequence")]
    [InlineData(45, "acknowledgement")]
    [InlineData(49, "window")]
    [InlineData(53, "urgent pointer")]
    public void AnotherHeader_IsNotJoined(int at, string what)
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        byte[] first = Segment(false, new byte[Size], 1, id: 1), second = Segment(false, new byte[Size], 1 + Size, id: 2);
        second[at] ^= at == 20 ? (byte)0x40 : (byte)2;
        Finish(second);
        coalescer.Add(first);
        coalescer.Add(second);
        coalescer.Flush();
        Assert.True(station.Received.Count == 2, what);
        Assert.Equal(first, station.Next());
        Assert.Equal(second, station.Next());
    }

    [Theory]
    [InlineData(0x11)] // FIN
    [InlineData(0x12)] // SYN
    [InlineData(0x14)] // RST
    [InlineData(0x30)] // URG
    [InlineData(0x50)] // ECE
    [InlineData(0x90)] // CWR
    [InlineData(0x00)]
    public void OtherFlags_AreNotJoined_AndKeepTheirPlace(byte flags)
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        byte[][] sent = [Segment(false, new byte[Size], 1), Segment(false, new byte[Size], 1 + Size, flags), Segment(false, new byte[Size], 1 + Size + Size)];
        foreach (byte[] segment in sent)
            coalescer.Add(segment);
        coalescer.Flush();
        Assert.Equal(sent, station.Received.Select(f => f.Bytes));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Timestamps_ThatDiffer_AreNotJoined(bool v6)
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        uint sequence = 1;
        foreach (uint time in (uint[])[5, 5, 6, 6, 6])
        {
            coalescer.Add(WithTimestamp(v6, new byte[Size], sequence, time));
            sequence += Size;
        }

        coalescer.Flush();
        Assert.Equal([2 * Size, 3 * Size], station.Received.Select(f => f.Bytes.Length - 12 - (v6 ? Packets.TcpHeaders6 : Packets.TcpHeaders4)));
    }

    [Theory]
    [InlineData(false, 60)]
    [InlineData(false, 24)]
    [InlineData(true, 80)]
    public void Hostile_WrongChecksum_StaysWrong(bool v6, int at)
    {
        RecordingStation station = new(FrameFeatures.All);
        TcpCoalescer coalescer = new(station);
        for (int i = 0; i < 4; i++)
        {
            byte[] segment = Segment(v6, new byte[Size], (uint)(i * Size), id: i);
            if (i == 2)
                segment[at] ^= 1;
            coalescer.Add(segment);
        }

        coalescer.Flush();
        (byte[] Bytes, FrameOffload Offload)[] got = [.. station.Received];
        Assert.Equal(3, got.Length);
        Assert.Equal(2 * Size, got[0].Bytes.Length - (v6 ? Packets.TcpHeaders6 : Packets.TcpHeaders4));
        Assert.Equal(default, got[1].Offload);
        Assert.NotNull(Packets.Check(got[1].Bytes));
        Assert.Equal(new FrameOffload(Validated: true), got[2].Offload);
    }

    [Fact]
    public void Station_ThatTakesNoBigPackets_GetsThemAsTheyCome()
    {
        RecordingStation station = new(FrameFeatures.GsoV6 | FrameFeatures.CsumV6);
        TcpCoalescer coalescer = new(station);
        byte[][] sent = [.. Stream(false, new byte[3 * Size], 1)];
        foreach (byte[] segment in sent)
            coalescer.Add(segment);
        Assert.Equal(sent, station.Received.Select(f => f.Bytes));
    }

    /// <summary>The law: what was joined, when it is cut again, is what came, byte for byte and in order.</summary>
    [Fact]
    public void Streams_OfAllKinds_CutAgain_AreWhatCame()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            Random random = new(seed);
            RecordingStation station = new(FrameFeatures.All), cut = new();
            TcpCoalescer coalescer = new(station);
            List<byte[]> sent = [];
            for (int runs = random.Next(1, 20); runs > 0; runs--)
                sent.AddRange(Run(random));
            foreach (byte[] frame in sent)
            {
                coalescer.Add(frame);
                if (random.Next(20) == 0)
                    coalescer.Flush();
            }

            coalescer.Flush();
            Frame again = new();
            foreach ((byte[] bytes, FrameOffload offload) in station.Received)
            {
                Assert.True(again.Set(bytes, offload));
                again.DeliverTo(cut);
            }

            Assert.Equal(sent, cut.Received.Select(f => f.Bytes));
            Assert.True(station.Received.Count <= sent.Count);
        }
    }

    [Fact]
    public void Segments_AllocateNothing()
    {
        DiscardingStation station = new();
        TcpCoalescer coalescer = new(station);
        byte[][] stream = [.. Stream(true, new byte[100 * Size], 1), Segment(false, new byte[10], 5), Packets.Ethernet(Packets.A, Packets.B, 0x0806, new byte[28])];
        long before = 0;
        for (int i = 0; i < 50; i++)
        {
            if (i == 20)
                before = GC.GetAllocatedBytesForCurrentThread();
            foreach (byte[] frame in stream)
                coalescer.Add(frame);
            coalescer.Flush();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(50 * 4, station.Count);
    }

    /// <summary>Some segments of a flow; sometimes damaged, interrupted, out of order or with odd sizes.</summary>
    private static List<byte[]> Run(Random random)
    {
        bool v6 = random.Next(2) == 0;
        uint sequence = random.Next(2) == 0 ? (uint)random.Next() : uint.MaxValue - (uint)random.Next(3000);
        int id = random.Next(65536), size = random.Next(1, 1461);
        ushort port = (ushort)random.Next(1000, 1003);
        List<byte[]> frames = [];
        for (int i = random.Next(1, 80); i > 0; i--)
        {
            int length = random.Next(30) == 0 ? random.Next(1, 1461) : size;
            byte flags = random.Next(25) switch { 0 => 0x18, 1 => 0x11, 2 => 0x10 | 0x80, _ => 0x10 };
            byte[] frame = Segment(v6, Packets.Random(random, length), sequence, flags, id++, port);
            if (random.Next(40) == 0)
                frame[random.Next(14, frame.Length)] ^= (byte)(1 << random.Next(8));
            if (random.Next(50) == 0)
                frame = [.. frame, 0, 0];
            frames.Add(frame);
            if (random.Next(50) != 0)
                sequence += (uint)length;
        }

        return frames;
    }

    private static IEnumerable<byte[]> Stream(bool v6, byte[] payload, uint sequence)
    {
        for (int at = 0, id = 0; at < payload.Length; at += Size, id++)
            yield return Segment(v6, payload.AsSpan(at, Math.Min(Size, payload.Length - at)), sequence + (uint)at, id: id);
    }

    private static byte[] Segment(bool v6, ReadOnlySpan<byte> payload, uint sequence, byte flags = 0x10, int id = 0, ushort port = 1000) =>
        Identified(Packets.Transport(v6, true, Packets.A, Packets.B, payload, sourcePort: port, sequence: sequence, tcpFlags: flags), id);

    private static byte[] Identified(byte[] frame, int id)
    {
        PacketHeaders headers = PacketHeaders.Parse(frame);
        if (headers.Network != NetworkProtocol.IPv4)
            return frame;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(18), (ushort)id);
        headers.WriteNetworkChecksum(frame);
        return frame;
    }

    private static byte[] WithTimestamp(bool v6, byte[] payload, uint sequence, uint time)
    {
        byte[] frame = Segment(v6, [.. new byte[12], .. payload], sequence);
        int tcp = PacketHeaders.Parse(frame).TransportOffset;
        frame[tcp + 12] = 0x80;
        byte[] option = [1, 1, 8, 10];
        option.CopyTo(frame, tcp + 20);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(tcp + 24), time);
        Finish(frame);
        return frame;
    }

    private static void Finish(byte[] frame)
    {
        PacketHeaders headers = PacketHeaders.Parse(frame);
        if (headers.Network == NetworkProtocol.IPv4)
            headers.WriteNetworkChecksum(frame);
        headers.WriteTransportChecksum(frame);
    }

    private sealed class DiscardingStation : INetStation
    {
        public int Count { get; private set; }

        public FrameFeatures Features => FrameFeatures.All;

        public int MaxFrame => Frame.MaxLength;

        public void Receive(Frame frame, bool wait = false) => Count++;

        public void CarrierChanged(bool isUp, string reason)
        {
        }
    }
}
