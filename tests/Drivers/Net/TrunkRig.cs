using System.Net.Sockets;
using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Tests.Net;

/// <summary>Processes of one user: each has its own networks, and all have one folder.</summary>
internal sealed class TrunkRig : IDisposable
{
    private readonly List<TrunkMember> _members = [];

    public string Folder { get; } = Directory.CreateTempSubdirectory("trunk").FullName;

    public string SocketOf(string bridge) => Path.Combine(Folder, $"bridge-{bridge}.trunk");

    /// <summary>A process with a guest on a bridge.</summary>
    public TrunkMember Member(byte number, string bridge = "lan0", FrameFeatures features = FrameFeatures.All)
    {
        TrunkMember member = new(Folder, bridge, number, features);
        lock (_members)
            _members.Add(member);
        return member;
    }

    /// <summary>Two or more that see each other, the first of them the hub.</summary>
    public TrunkMember[] Star(int count)
    {
        TrunkMember[] members = [.. Enumerable.Range(1, count).Select(i => Member((byte)i))];
        members[0].Until(trunk => trunk.IsHub && trunk.LinkCount == count - 1);
        return members;
    }

    /// <summary>Waits until one is the hub and all others are connected to it.</summary>
    public static TrunkMember UntilOneNetwork(params TrunkMember[] members)
    {
        // Not disposed: the last call may come late.
        SemaphoreSlim changed = new(0);
        Action wake = () => changed.Release();
        foreach (TrunkMember member in members)
            member.Trunk.Changed += wake;
        TrunkMember[] hubs;
        while ((hubs = [.. members.Where(m => m.Trunk.IsHub)]).Length != 1 || hubs[0].Trunk.LinkCount != members.Length - 1
            || members.Any(m => m != hubs[0] && m.Trunk.LinkCount != 1))
        {
            Assert.True(hubs.Length <= 1, "two hubs");
            Assert.True(changed.Wait(NetRig.Patience), "they do not find each other");
        }

        foreach (TrunkMember member in members)
            member.Trunk.Changed -= wake;
        return hubs[0];
    }

    /// <summary>Connects as a process would that is none of ours.</summary>
    public Socket Stranger(string bridge = "lan0")
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified)
        {
            SendTimeout = (int)NetRig.Patience.TotalMilliseconds,
            ReceiveTimeout = (int)NetRig.Patience.TotalMilliseconds,
        };
        socket.Connect(new UnixDomainSocketEndPoint(SocketOf(bridge)));
        return socket;
    }

    public void Dispose()
    {
        foreach (TrunkMember member in _members)
            member.Dispose();
        Assert.All(Directory.GetFiles(Folder), f => Assert.EndsWith("-lock", f, StringComparison.Ordinal));
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>One process with one guest.</summary>
internal sealed class TrunkMember : IDisposable
{
    private readonly INetwork _network;
    private readonly INetPort _port;
    private readonly Frame _frame = new();
    private readonly string _bridge;
    private int _disposed;

    public TrunkMember(string folder, string bridge, byte number, FrameFeatures features)
    {
        (_bridge, Mac) = (bridge, new MacAddress(MacAddress.XenPrefix + number));
        Networks = new Networks(null, _ => false) { TrunkFolder = folder };
        Station = new RecordingStation(features);
        VifConfig config = new(new Xen.Abi.DomId(number), 0, Mac) { Bridge = bridge };
        Assert.Null(Networks.WhatIsMissing(config));
        _network = Networks.Open(config);
        Assert.Null(_network.Connect(Station, out INetPort? port));
        _port = port!;
        Trunk = Networks.TrunkOf(bridge)!;
    }

    public Networks Networks { get; }

    public MacAddress Mac { get; }

    public RecordingStation Station { get; }

    public SwitchTrunk Trunk { get; }

    public LearningSwitch Switch => ((SwitchPlug)_network).Switch;

    /// <summary>Waits until the trunk is as it should be.</summary>
    public void Until(Func<SwitchTrunk, bool> holds)
    {
        // Not disposed: the last call may come late.
        SemaphoreSlim changed = new(0);
        Action wake = () => changed.Release();
        Trunk.Changed += wake;
        while (!holds(Trunk))
            Assert.True(changed.Wait(NetRig.Patience), "the trunk does not change");
        Trunk.Changed -= wake;
    }

    /// <summary>Sends a short frame with a number in it.</summary>
    public void Send(MacAddress to, byte tag, MacAddress? from = null) =>
        Send(Packets.Ethernet(from ?? Mac, to, 0x88B5, Enumerable.Repeat(tag, 46).ToArray()));

    public void Send(byte[] bytes, FrameOffload offload = default)
    {
        Assert.True(_frame.Set(bytes, offload));
        _port.Send(_frame);
    }

    public void Resend() => _port.Send(_frame);

    /// <summary>The next short frame: who sent it, and its number.</summary>
    public (MacAddress From, byte Tag) Next()
    {
        byte[] bytes = Station.Next();
        return (MacAddress.Read(bytes.AsSpan(6)), bytes[14]);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _port.Dispose();
        _network.Dispose();
        Assert.Null(Networks.TrunkOf(_bridge));
    }
}
