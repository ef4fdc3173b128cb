using System.Buffers.Binary;
using Xen.Drivers.Net.Network;
using Xunit.Abstractions;

namespace Xen.Drivers.Tests.Net;

/// <summary>Guests on a bridge of the host's, with the host on it, too. As root, in a network namespace of the test's own; otherwise the output says why not.</summary>
public sealed class HostBridgeTests(ITestOutputHelper output)
{
    private const string Bridge = "xentest0";
    private const uint Host = 0x0A090901, First = 0x0A090902;

    [Fact]
    public void Guests_ReachTheHostAndEachOther() => OnABridge(() =>
    {
        RecordingStation one = new(), two = new();
        using TapNetwork network = Tap("vif1.0", Packets.A), other = Tap("vif2.0", Packets.B);
        Assert.Null(network.Connect(one, out INetPort? a));
        Assert.Null(other.Connect(two, out INetPort? b));
        Assert.Contains("master " + Bridge, NetworkNamespace.Ip("link", "show", "vif1.0"), StringComparison.Ordinal);

        // The host answers for its address, and the answer finds the one who asked.
        a!.Send(Arp(Packets.A, First, Host));
        byte[] answer = Next(one, f => f[12] == 8 && f[13] == 6 && f[21] == 2);
        Assert.Equal(Host, BinaryPrimitives.ReadUInt32BigEndian(answer.AsSpan(28)));

        // The neighbour has heard the question, and answers at length.
        byte[] question = Next(two, f => f[12] == 8 && f[13] == 6 && f[21] == 1);
        Assert.Equal(Packets.A, MacAddress.Read(question.AsSpan(6)));
        Frame reply = new();
        byte[] sent = Packets.Transport(false, false, Packets.B, Packets.A, new byte[1000], blank: false);
        Assert.True(reply.Set(sent));
        b!.Send(reply);
        Assert.Equal(sent, Next(one, f => MacAddress.Read(f.AsSpan(6)) == Packets.B));

        // Nobody speaks for somebody else.
        Frame forged = new();
        Assert.True(forged.Set(Packets.Transport(false, false, Packets.A, Packets.A, new byte[10])));
        b.Send(forged);
        b.Send(reply);
        Assert.Equal(sent, Next(one, f => f.Length > 40 && f[12] == 8 && f[13] == 0));
        a.Dispose();
        b.Dispose();
        string left = NetworkNamespace.Ip("link", "show");
        Assert.DoesNotContain("vif", left, StringComparison.Ordinal);
        Assert.Empty(one.Carrier);
    });

    [Fact]
    public void Tap_ThatSomebodyRemoves_TakesTheCarrierAway() => OnABridge(() =>
    {
        RecordingStation station = new();
        using TapNetwork network = Tap("vif1.0", Packets.A);
        Assert.Null(network.Connect(station, out INetPort? port));
        NetworkNamespace.Ip("link", "delete", "vif1.0");
        (bool isUp, string reason) = station.NextCarrier();
        Assert.False(isUp);
        Assert.Contains("TAP device vif1.0 is gone", reason, StringComparison.Ordinal);
        port!.Send(Arp(Packets.A, First, Host));
        port.Dispose();
    });

    [Fact]
    public void BridgeThatIsNotThere_IsNamed_AndNothingIsLeft() => OnABridge(() =>
    {
        using TapNetwork network = new(new TapNetworkOptions("vif1.0", Packets.A) { Bridge = "nobridge" });
        Assert.Contains("nobridge", network.Connect(new RecordingStation(), out _), StringComparison.Ordinal);
        Assert.DoesNotContain("vif", NetworkNamespace.Ip("link", "show"), StringComparison.Ordinal);
    });

    private void OnABridge(Action test)
    {
        string? refused = TapDevice.IsPermitted() ? null : "no /dev/net/tun, or no CAP_NET_ADMIN";
        refused ??= NetworkNamespace.Run(() =>
        {
            NetworkNamespace.Ip("link", "add", Bridge, "type", "bridge");
            NetworkNamespace.Ip("address", "add", "10.9.9.1/24", "dev", Bridge);
            NetworkNamespace.Ip("link", "set", Bridge, "up");
            test();
        });
        if (refused is not null)
            output.WriteLine("skipped: " + refused);
    }

    private static TapNetwork Tap(string name, MacAddress mac) => new(new TapNetworkOptions(name, mac) { Bridge = Bridge });

    private static byte[] Next(RecordingStation station, Func<byte[], bool> wanted)
    {
        for (; ; )
        {
            byte[] frame = station.Next();
            if (wanted(frame))
                return frame;
        }
    }

    private static Frame Arp(MacAddress from, uint own, uint wanted)
    {
        byte[] arp = new byte[28];
        byte[] head = [0, 1, 8, 0, 6, 4, 0, 1];
        head.CopyTo(arp, 0);
        from.Write(arp.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(arp.AsSpan(14), own);
        BinaryPrimitives.WriteUInt32BigEndian(arp.AsSpan(24), wanted);
        Frame frame = new();
        Assert.True(frame.Set(Packets.Ethernet(from, MacAddress.Broadcast, 0x0806, arp)));
        return frame;
    }
}
