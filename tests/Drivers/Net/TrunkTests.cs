using System.Net.Sockets;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>Switches of one name in several processes are one network.</summary>
public sealed class TrunkTests
{
    [Fact]
    public void Frames_CrossBothWays_AndThroughTheHub()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(3);
        m[1].Send(MacAddress.Broadcast, 1);
        Assert.Equal((m[1].Mac, 1), m[0].Next());
        Assert.Equal((m[1].Mac, 1), m[2].Next());
        m[2].Send(m[1].Mac, 2);
        Assert.Equal((m[2].Mac, 2), m[1].Next());
        m[0].Send(m[2].Mac, 3);
        Assert.Equal((m[0].Mac, 3), m[2].Next());

        // What was learnt is not flooded, and nobody hears himself.
        m[1].Send(m[2].Mac, 4);
        Assert.Equal((m[1].Mac, 4), m[2].Next());
        Assert.All(m, member => Assert.Empty(member.Station.Received));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void BigPackets_CrossUncut_WithWhatWasLeftUndone(bool v6)
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(3);
        byte[] payload = Packets.Random(new Random(1), v6 ? 65461 : 65481);
        byte[] bytes = Packets.Transport(v6, true, m[1].Mac, m[2].Mac, payload, blank: true);
        FrameOffload offload = new(CsumBlank: true, Validated: true, v6 ? NetifGsoType.TcpV6 : NetifGsoType.TcpV4, 1400);
        m[1].Send(bytes, offload);
        Assert.True(m[2].Station.Received.TryTake(out (byte[] Bytes, FrameOffload Offload) got, NetRig.Patience));
        Assert.Equal(offload, got.Offload);
        Assert.Equal(bytes, got.Bytes);
        m[0].Next();

        byte[] blank = Packets.Transport(v6, false, m[2].Mac, m[1].Mac, payload.AsSpan(0, 100), blank: true);
        m[2].Send(blank, new FrameOffload(CsumBlank: true));
        Assert.True(m[1].Station.Received.TryTake(out got, NetRig.Patience));
        Assert.Equal(new FrameOffload(CsumBlank: true), got.Offload);
        Assert.Equal(blank, got.Bytes);
    }

    [Fact]
    public void BigPacket_ForAStationOfAnotherProcessThatTakesNone_IsCutThere()
    {
        using TrunkRig rig = new();
        TrunkMember a = rig.Member(1), b = rig.Member(2, features: FrameFeatures.None);
        TrunkRig.UntilOneNetwork(a, b);
        a.Send(Packets.Transport(false, true, a.Mac, b.Mac, new byte[4000], blank: true), new FrameOffload(true, true, NetifGsoType.TcpV4, 1000));
        for (int i = 0; i < 4; i++)
            Assert.Null(Packets.Check(b.Station.Next()));
    }

    [Fact]
    public void LongestFrame_Crosses()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(2);
        byte[] longest = Packets.Ethernet(m[0].Mac, m[1].Mac, 0x88B5, Packets.Random(new Random(2), Frame.MaxLength - PacketHeaders.EthernetSize));
        m[0].Send(longest);
        Assert.Equal(longest, m[1].Station.Next());
    }

    [Fact]
    public void Hub_ThatGoes_IsReplacedAndTrafficGoesOn()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(5);
        List<TrunkMember> left = [.. m];
        byte tag = 0;
        while (left.Count > 1)
        {
            TrunkMember hub = TrunkRig.UntilOneNetwork([.. left]);
            left.Remove(hub);
            hub.Dispose();
            TrunkRig.UntilOneNetwork([.. left]);
            Assert.Equal(left.Count - 1, left.Sum(member => member.Trunk.IsHub ? member.Trunk.LinkCount : 0));
            left[0].Send(MacAddress.Broadcast, ++tag);
            Assert.All(left.Skip(1), member => Assert.Equal((left[0].Mac, tag), member.Next()));
        }

        // The last is a hub without clients: the next finds it.
        left.Add(rig.Member(9));
        Assert.Same(left[0], TrunkRig.UntilOneNetwork([.. left]));
        left[1].Send(left[0].Mac, 77);
        Assert.Equal((left[1].Mac, 77), left[0].Next());
    }

    [Fact]
    public void Client_ThatGoes_IsForgottenAndMayComeBackElsewhere()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = rig.Star(3);
        m[1].Send(MacAddress.Broadcast, 1);
        m[0].Next();
        m[2].Next();
        m[1].Dispose();
        m[0].Until(trunk => trunk.LinkCount == 1);

        // A guest that moved: the same address behind another link.
        TrunkMember again = rig.Member(2);
        m[0].Until(trunk => trunk.LinkCount == 2);
        m[0].Send(again.Mac, 2);
        Assert.Equal((m[0].Mac, 2), again.Next());
    }

    [Fact]
    public void Everybody_AtOnce_MakesOneNetwork()
    {
        using TrunkRig rig = new();
        TrunkMember[] m = new TrunkMember[8];
        Parallel.For(0, m.Length, new ParallelOptions { MaxDegreeOfParallelism = m.Length }, i => m[i] = rig.Member((byte)(i + 1)));
        TrunkRig.UntilOneNetwork(m);
        foreach (TrunkMember from in m)
        {
            from.Send(MacAddress.Broadcast, 5);
            Assert.All(m.Where(member => member != from), member => Assert.Equal((from.Mac, 5), member.Next()));
        }
    }

    [Fact]
    public void Bridges_OfDifferentNames_DoNotSeeEachOther()
    {
        using TrunkRig rig = new();
        TrunkMember a = rig.Member(1, "lan0"), b = rig.Member(2, "lan1"), c = rig.Member(3, "lan0");
        TrunkRig.UntilOneNetwork(a, c);
        Assert.True(b.Trunk.IsHub);
        b.Send(MacAddress.Broadcast, 1);
        a.Send(MacAddress.Broadcast, 2);
        Assert.Equal((a.Mac, 2), c.Next());
        c.Send(a.Mac, 3);
        Assert.Equal((c.Mac, 3), a.Next());
        Assert.All([a, b, c], member => Assert.Empty(member.Station.Received));
    }

    [Fact]
    public void StaleSocketFile_OfAProcessThatDied_IsReplaced()
    {
        using TrunkRig rig = new();
        string path = rig.SocketOf("lan0"), aside = path + ".aside";
        using (Socket dead = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(path));
            dead.Listen();

            // Closing it removes what has its name; a process that is killed does not.
            File.Move(path, aside);
        }

        File.Move(aside, path);
        File.WriteAllText(path + "-lock", "");
        File.WriteAllText(path + "-new", "");
        TrunkMember[] m = rig.Star(2);
        m[0].Send(m[1].Mac, 1);
        Assert.Equal((m[0].Mac, 1), m[1].Next());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public void Trunk_IsThereFromTheFirstVifToTheLast()
    {
        using TrunkRig rig = new();
        TrunkMember a = rig.Member(1);
        SwitchTrunk trunk = a.Trunk;
        INetwork second = a.Networks.Open(new VifConfig(new Xen.Abi.DomId(2), 0, Packets.B) { Bridge = "lan0" });
        second.Dispose();
        Assert.Same(trunk, a.Networks.TrunkOf("lan0"));
        Assert.True(File.Exists(rig.SocketOf("lan0")));
        a.Dispose();
        Assert.False(File.Exists(rig.SocketOf("lan0")));
        Assert.Equal(0, a.Switch.PortCount);
    }

    [Fact]
    public void Networks_WithoutAFolderOrAName_StayAlone()
    {
        using TrunkRig rig = new();
        Networks alone = new(null, _ => false), named = new(null, _ => false) { TrunkFolder = rig.Folder };
        VifConfig config = new(new Xen.Abi.DomId(1), 0, Packets.A) { Bridge = "lan0", Mode = VifMode.Switch };
        using (alone.Open(config))
            Assert.Null(alone.TrunkOf("lan0"));
        using (named.Open(config with { Bridge = null }))
            Assert.Null(named.TrunkOf(""));
        Assert.Contains("letters", named.WhatIsMissing(config with { Bridge = "../lan" }), StringComparison.Ordinal);
        Assert.Contains("too long", named.WhatIsMissing(config with { Bridge = new string('a', 100) }), StringComparison.Ordinal);
        using (named.Open(config with { Bridge = "../lan" }))
            Assert.Null(named.TrunkOf("../lan"));
        Networks lost = new(null, _ => false) { TrunkFolder = Path.Combine(rig.Folder, "none") };
        Assert.Contains("is not there", lost.WhatIsMissing(config), StringComparison.Ordinal);
    }

    [Fact]
    public void Send_OverTheTrunk_AllocatesNothing()
    {
        using TrunkRig rig = new();
        TrunkMember hub = rig.Member(1);
        using Socket reader = rig.Stranger();
        hub.Until(trunk => trunk.LinkCount == 1);
        byte[] message = new byte[2048];
        hub.Send(MacAddress.Broadcast, 1);
        long before = 0;
        for (int i = 0; i < 300; i++)
        {
            // The first ones are for the compiler.
            if (i == 100)
                before = GC.GetAllocatedBytesForCurrentThread();
            hub.Resend();
            reader.Receive(message.AsSpan(), SocketFlags.None);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(0, hub.Trunk.Dropped);
    }
}
