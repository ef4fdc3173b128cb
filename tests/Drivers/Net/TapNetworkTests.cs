using System.Globalization;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;

namespace Xen.Drivers.Tests.Net;

/// <summary>TAP devices of the host: made where that is permitted, refused with advice where it is not.</summary>
public sealed class TapNetworkTests
{
    [Fact]
    public void Tap_IsThereWhileTheGuestIsConnected_OrSaysWhyNot()
    {
        string name = "xt" + Environment.ProcessId.ToString(CultureInfo.InvariantCulture), statistics = $"/sys/class/net/{name}/statistics/rx_packets";
        TapNetwork network = new(new TapNetworkOptions(name, Packets.A));
        string? error = network.Connect(new RecordingStation(), out INetPort? port);
        if (error is not null)
        {
            Assert.Null(port);
            Assert.Matches("/dev/net/tun|CAP_NET_ADMIN|" + name, error);
            return;
        }

        Assert.True(File.Exists(statistics));
        int before = int.Parse(File.ReadAllText(statistics), CultureInfo.InvariantCulture);
        Frame frame = new();
        Assert.True(frame.Set(Packets.Transport(false, true, Packets.A, MacAddress.Broadcast, new byte[100], blank: true), new FrameOffload(CsumBlank: true)));
        port!.Send(frame);
        Assert.Equal(before + 1, int.Parse(File.ReadAllText(statistics), CultureInfo.InvariantCulture));
        port.Dispose();
        Assert.False(File.Exists(statistics));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a-name-that-is-too-long")]
    public void Tap_WithANameThatIsNone_IsRefused(string name) =>
        Assert.Contains("no name for a TAP device", new TapNetwork(new TapNetworkOptions(name, Packets.A)).Connect(new RecordingStation(), out _), StringComparison.Ordinal);

    [Fact]
    public void Header_SaysWhatIsUndone()
    {
        Frame frame = new();
        byte[] header = new byte[VnetHeader.Size];
        Assert.True(frame.Set(
            Packets.Transport(true, true, Packets.A, Packets.B, new byte[3000], blank: true), new FrameOffload(CsumBlank: true, Gso: NetifGsoType.TcpV6, GsoSize: 1400)));
        VnetHeader.Write(header, frame);
        Assert.Equal([1, 4, 74, 0, 0x78, 5, 54, 0, 16, 0], header);
        Assert.Equal(new FrameOffload(true, true, NetifGsoType.TcpV6, 1400), VnetHeader.Read(header));
        Assert.True(frame.Set(Packets.Transport(false, false, Packets.A, Packets.B, new byte[3]), new FrameOffload(Validated: true)));
        VnetHeader.Write(header, frame);
        Assert.Equal([2, 0, 0, 0, 0, 0, 0, 0, 0, 0], header);
        Assert.Equal(new FrameOffload(Validated: true), VnetHeader.Read(header));
    }
}
