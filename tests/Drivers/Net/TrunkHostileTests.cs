using System.Buffers.Binary;
using System.Net.Sockets;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>Whatever a peer sends, or does not read: the others' network goes on.</summary>
public sealed class TrunkHostileTests
{
    public static TheoryData<string> Lies => [.. Messages.Keys];

    private static readonly byte[] _sound = Packets.Transport(false, true, Packets.C, MacAddress.Broadcast, new byte[2000], blank: true);

    private static readonly byte[] _other = Packets.Ethernet(Packets.C, MacAddress.Broadcast, 0x88B5, new byte[2000]);

    private static IReadOnlyDictionary<string, Func<byte[]>> Messages { get; } = new Dictionary<string, Func<byte[]>>
    {
        ["one byte"] = () => [0],
        ["a header alone"] = () => Message([], 0, 0, 0),
        ["no whole Ethernet header"] = () => Message(_sound.AsSpan(0, 13), 0, 0, 0),
        ["a shorter length"] = () => Message(_sound, 0, 0, 0, _sound.Length - 1),
        ["a longer length"] = () => Message(_sound, 0, 0, 0, _sound.Length + 1),
        ["a huge length"] = () => Message(_sound, 0, 0, 0, int.MaxValue),
        ["a negative length"] = () => Message(_sound, 0, 0, 0, -1),
        ["more than the longest"] = () => Message(new byte[Frame.MaxLength + 1], 0, 0, 0),
        ["far more than the longest"] = () => Message(new byte[150_000], 0, 0, 0),
        ["an unknown flag"] = () => Message(_sound, 4, 0, 0),
        ["an unknown kind of big packet"] = () => Message(_sound, 1, 3, 1000),
        ["the other kind of big packet"] = () => Message(_sound, 1, (byte)NetifGsoType.TcpV6, 1000),
        ["segments of no size"] = () => Message(_sound, 1, (byte)NetifGsoType.TcpV4, 0),
        ["segments of one byte"] = () => Message(_sound, 1, (byte)NetifGsoType.TcpV4, 1),
        ["a size of segments without any"] = () => Message(_sound, 1, 0, 1000),
        ["a big packet that is none of TCP"] = () => Message(_other, 0, (byte)NetifGsoType.TcpV4, 1000),
        ["a blank checksum of what has none"] = () => Message(_other, 1, 0, 0),
        ["an IP packet longer than its frame"] = () => Message(_sound.AsSpan(0, 1000), 1, (byte)NetifGsoType.TcpV4, 1000),
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void Hostile_Message_DisconnectsItsSenderAndHarmsNobody(string lie)
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(2);
        using Socket liar = rig.Stranger();
        m[0].Until(trunk => trunk.LinkCount == 2);
        liar.Send(Messages[lie]());
        m[0].Until(trunk => trunk.Liars == 1);
        Assert.Equal((1, true), (m[0].Trunk.LinkCount, m[0].Trunk.IsHub));
        Assert.True(IsAtEnd(liar));
        m[1].Send(m[0].Mac, 1);
        Assert.Equal((m[1].Mac, 1), m[0].Next());
        Assert.Empty(m[1].Station.Received);
    }

    [Fact]
    public void Hostile_RandomMessages_EndNothing()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(2);
        Random random = new(3);
        for (int i = 0; i < 300; i++)
        {
            using Socket stranger = rig.Stranger();
            byte[] frame = random.Next(2) == 0 ? Packets.Random(random, random.Next(1, 3000)) : (byte[])_sound.Clone();
            for (int flips = random.Next(4); flips > 0; flips--)
                frame[random.Next(frame.Length)] = (byte)random.Next(256);
            byte[] message = Message(frame, (byte)random.Next(4), (byte)random.Next(3), (ushort)random.Next(1 << random.Next(17)));
            try
            {
                for (int times = random.Next(1, 4); times > 0; times--)
                    stranger.Send(random.Next(4) == 0 ? Packets.Random(random, random.Next(1, 100)) : message);
            }
            catch (SocketException)
            {
                // Disconnected already.
            }
        }

        m[0].Until(trunk => trunk.LinkCount == 1);
        while (m[0].Station.Received.TryTake(out _) || m[1].Station.Received.TryTake(out _))
        {
        }

        m[1].Send(m[0].Mac, 1);
        m[0].Send(m[1].Mac, 2);
        Assert.Contains(m[0].Station.Received.GetConsumingEnumerable().Take(2000), got => MacAddress.Read(got.Bytes.AsSpan(6)) == m[1].Mac);
        Assert.Contains(m[1].Station.Received.GetConsumingEnumerable().Take(2000), got => MacAddress.Read(got.Bytes.AsSpan(6)) == m[0].Mac);
    }

    [Fact]
    public void Hostile_Sources_OfGuestsHere_AreDropped()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(2);
        using Socket stranger = rig.Stranger();
        m[0].Until(trunk => trunk.LinkCount == 2);
        foreach (MacAddress source in (MacAddress[])[m[0].Mac, MacAddress.Broadcast, default])
            stranger.Send(Message(Packets.Ethernet(source, MacAddress.Broadcast, 0x88B5, new byte[46]), 0, 0, 0));
        stranger.Send(Message(Packets.Ethernet(Packets.C, MacAddress.Broadcast, 0x88B5, new byte[46]), 0, 0, 0));
        Assert.Equal((Packets.C, 0), m[0].Next());
        Assert.Equal((Packets.C, 0), m[1].Next());
        Assert.Equal((3, 0), (m[0].Switch.Spoofed, m[0].Trunk.Liars));

        // Our guest's address stays where it is.
        m[1].Send(m[0].Mac, 7);
        Assert.Equal((m[1].Mac, 7), m[0].Next());
    }

    [Fact]
    public void Hostile_PeerThatDoesNotRead_LosesFramesAndHoldsUpNobody()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(2);
        using Socket lazy = rig.Stranger();
        m[0].Until(trunk => trunk.LinkCount == 2);
        lazy.Send(Message(Packets.Ethernet(Packets.C, MacAddress.Broadcast, 0x88B5, new byte[46]), 0, 0, 0));
        m[0].Next();
        m[1].Next();
        byte[] large = Packets.Ethernet(m[0].Mac, Packets.C, 0x88B5, new byte[60_000]);
        for (int i = 0; i < 1000; i++)
            m[0].Send(large);
        long queued = 1000 - m[0].Trunk.Dropped;
        Assert.InRange(queued, 1, 999);
        m[0].Send(m[1].Mac, 1);
        Assert.Equal((m[0].Mac, 1), m[1].Next());

        // When it reads again it gets whole frames, and new ones.
        byte[] message = new byte[100_000];
        for (long i = 0; i < queued; i++)
            Assert.Equal(large.Length + 8, lazy.Receive(message));
        m[0].Send(Packets.C, 2);
        Assert.Equal(60 + 8, lazy.Receive(message));
        Assert.Equal(2, message[8 + 14]);
    }

    [Fact]
    public void Hostile_Crowd_GetsNoMoreThanItsShare()
    {
        using TrunkRig rig = new();
        TrunkMember hub = rig.Member(1);
        List<Socket> crowd = [];
        for (int i = 0; i < SwitchTrunk.MostLinks; i++)
        {
            crowd.Add(rig.Stranger());
            int expected = i + 1;
            hub.Until(trunk => trunk.LinkCount == expected);
        }

        using Socket oneTooMany = rig.Stranger();
        Assert.True(IsAtEnd(oneTooMany));
        Assert.Equal(SwitchTrunk.MostLinks, hub.Trunk.LinkCount);
        crowd.ForEach(socket => socket.Dispose());
        hub.Until(trunk => trunk.LinkCount == 0);
    }

    [Fact]
    public void Hostile_Hub_IsLeftAndAskedAgainWithPauses()
    {
        using TrunkRig rig = new();
        string path = rig.SocketOf("lan0");
        TrunkMember member;
        using (new FileStream(path + "-lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        using (Socket liar = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified))
        {
            liar.Bind(new UnixDomainSocketEndPoint(path));
            liar.Listen();
            member = rig.Member(1);
            for (int i = 0; i < 4; i++)
            {
                using Socket accepted = liar.Accept();
                accepted.Send(Messages["a huge length"]());
                Assert.True(IsAtEnd(accepted));
            }
        }

        member.Until(trunk => trunk.IsHub);
        Assert.InRange(member.Trunk.Liars, 4, 5);
        TrunkMember other = rig.Member(2);
        TrunkRig.UntilOneNetwork(member, other);
        other.Send(member.Mac, 1);
        Assert.Equal((other.Mac, 1), member.Next());
    }

    private static byte[] Message(ReadOnlySpan<byte> frame, byte flags, byte gso, ushort gsoSize, int? length = null)
    {
        byte[] message = new byte[8 + frame.Length];
        (message[0], message[1]) = (flags, gso);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(2), gsoSize);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), length ?? frame.Length);
        frame.CopyTo(message.AsSpan(8));
        return message;
    }

    private static bool IsAtEnd(Socket socket)
    {
        int count = socket.Receive(new byte[100_000], SocketFlags.None, out SocketError error);
        return error is SocketError.ConnectionReset || (error == SocketError.Success && count == 0);
    }
}
