using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>Two guests and a switch between them: what one sends the other receives.</summary>
public sealed class NetPairTests
{
    private const ushort Mss = 1400;

    [Fact]
    public void Send_FromOneGuest_ArrivesAtTheOther()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B);
        byte[] frame = Packets.Ethernet(Packets.A, Packets.B, 0x88B5, "hello, world: a small frame"u8);
        a.Send(frame);
        Assert.Equal(frame, b.Receive().Bytes);
        byte[] answer = Packets.Ethernet(Packets.B, Packets.A, 0x88B5, "and an answer"u8);
        b.Send(answer);
        Assert.Equal(answer, a.Receive().Bytes);
        Assert.Equal((1, frame.Length, 1, answer.Length), (a.Total.TxPackets, a.Total.TxBytes, a.Total.RxPackets, a.Total.RxBytes));
    }

    [Theory]
    [InlineData(1, false, 4096, 256, 0, 1)]
    [InlineData(2, true, 4096, 256, 0, 2)]
    [InlineData(4, true, 3641, 256, 256, 3)]
    [InlineData(1, false, 4000, 24, 0, 4)]
    public async Task Frames_OfAllSizes_ArriveEqualAndInOrder(int queues, bool split, int fragment, int buffers, int headroom, int seed)
    {
        using NetRig rig = new();
        NetFrontendOptions options = new()
        {
            Queues = queues,
            SplitEventChannels = split,
            FragmentSize = fragment,
            RxBuffers = buffers,
            XdpHeadroom = headroom,
        };
        Vif a = rig.Guest(3, Packets.A, options, o => o with { QueueBytes = 32 << 20 }), b = rig.Guest(4, Packets.B, options, o => o with { QueueBytes = 32 << 20 });
        Task[] streams = [Task.Run(() => Stream(a, b, Packets.A, Packets.B, seed)), Task.Run(() => Stream(b, a, Packets.B, Packets.A, seed + 100))];
        await Task.WhenAll(streams).WaitAsync(NetRig.Patience * 2);
    }

    /// <summary>Random TCP packets of several flows, each flow by its own queue; a receiver that knows what is to come.</summary>
    private static void Stream(Vif from, Vif to, MacAddress source, MacAddress destination, int seed)
    {
        const int Flows = 4, PerFlow = 60;
        List<byte[]>[] sent = new List<byte[]>[Flows];
        Random random = new(seed);
        List<(byte[] Frame, FrameOffload Offload, int Flow)> plan = [];
        for (int flow = 0; flow < Flows; flow++)
            sent[flow] = [];
        for (int i = 0; i < Flows * PerFlow; i++)
        {
            int flow = random.Next(Flows);
            bool v6 = (flow & 1) != 0, big = random.Next(3) == 0;
            int most = big ? 65535 - Packets.TcpHeaders6 : Mss;
            byte[] frame = Packets.Transport(
                v6, tcp: true, source, destination, Packets.Random(random, random.Next(1, most + 1)), blank: true, sourcePort: (ushort)(5000 + flow), sequence: (uint)i);
            FrameOffload offload = big && frame.Length > 1514
                ? new FrameOffload(CsumBlank: true, Gso: v6 ? NetifGsoType.TcpV6 : NetifGsoType.TcpV4, GsoSize: Mss)
                : new FrameOffload(CsumBlank: true);
            plan.Add((frame, offload, flow));
            sent[flow].Add(frame);
        }

        Task sender = Task.Run(() =>
        {
            foreach ((byte[] frame, FrameOffload offload, int flow) in plan)
                from.Send(frame, offload, flow % from.Frontend.QueueCount);
        });
        int[] next = new int[Flows];
        for (int i = 0; i < plan.Count; i++)
        {
            (byte[] bytes, FrameOffload offload) = to.Receive();
            int flow = ((bytes[bytes[12] == 0x08 ? 34 : 54] << 8) | bytes[bytes[12] == 0x08 ? 35 : 55]) - 5000;
            Assert.True(offload.CsumBlank);
            Assert.Equal(bytes.Length > 1514, offload.Gso != NetifGsoType.None);
            Assert.True(sent[flow][next[flow]++].AsSpan().SequenceEqual(bytes), $"packet {next[flow]} of flow {flow} differs");
        }

        Assert.True(sender.Wait(NetRig.Patience));
    }
}
