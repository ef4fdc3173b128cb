using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Xen.Boot.Tests;

/// <summary>Debian's own xen-netfront on networks of ours.</summary>
public sealed class NetworkTests
{
    private const string Kernel = "vmlinuz-cloud";
    private const string Host = "10.0.2.2";

    [Fact]
    public async Task UserNetwork_GivesAnAddress_AndStreamsBothWays()
    {
        byte[] data = new byte[4 << 20];
        Random.Shared.NextBytes(data);
        string hash = Convert.ToHexStringLower(SHA256.HashData(data));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using GuestSession guest = GuestSession.BootToShell(Kernel, "vif=['mac=00:16:3e:12:34:56']");
        guest.Run("until ifconfig eth0 | grep -q 10.0.2.15; do usleep 50000; done");
        Assert.Contains("00:16:3E:12:34:56", guest.Run("ifconfig eth0"), StringComparison.Ordinal);

        Task served = ServeAsync(listener, data);
        Assert.Equal(hash + "  -", guest.Run($"wget -q -O /tmp/data http://{Host}:{port}/ && sha256sum </tmp/data"));
        await served;
        Task<string> received = ReceiveAsync(listener);
        guest.Run($"nc {Host} {port} </tmp/data");
        Assert.Equal(hash, await received);

        Assert.Matches(@"(?m)^0 +0 +00:16:3e:12:34:56 +0 +4 ", guest.Xm("network-list", guest.Name).Out);
        Assert.Equal((0, "", ""), guest.Xm("network-detach", guest.Name, "00:16:3e:12:34:56"));
        guest.Run("while [ -e /sys/class/net/eth0 ]; do usleep 10000; done");
        Assert.Equal((0, "", ""), guest.Xm("network-attach", guest.Name));
        guest.Run("until [ -e /sys/class/net/eth0 ]; do usleep 10000; done");
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    [Fact]
    public void Bridge_JoinsTwoGuests_WhichPingAndStream()
    {
        using GuestSession one = GuestSession.Boot(Kernel, "vif=['bridge=lan0']", "extra=console=hvc0 nodhcp", "memory=192");
        using GuestSession two = GuestSession.BootBeside(one, Kernel, "vif=['bridge=lan0']", "extra=console=hvc0 nodhcp", "memory=192");
        one.WaitForShell();
        two.WaitForShell();
        one.Run("ifconfig eth0 192.168.7.1");
        two.Run("ifconfig eth0 192.168.7.2");
        two.Run("until ping -c 1 -W 1 192.168.7.1; do :; done");
        string sent = one.Run("dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null; sha256sum </tmp/data");
        one.Run("httpd -h /tmp");
        Assert.Equal(sent, two.Run("wget -q -O /tmp/got http://192.168.7.1/data && sha256sum </tmp/got"));
        one.Type("poweroff\n");
        two.Type("poweroff\n");
        Assert.Equal((0, 0), (one.WaitForExit(), two.WaitForExit()));
    }

    [Fact]
    public void XenStoreTools_WorkOnARunningMachine()
    {
        using GuestSession guest = GuestSession.BootToShell(Kernel, "vif=['']", "extra=console=hvc0 nodhcp");
        Assert.Equal((0, guest.Name + "\n", ""), guest.Tool("xenstore-read", "/local/domain/1/name"));
        Assert.Contains("vif", guest.Tool("xenstore-list", "/local/domain/1/device").Out, StringComparison.Ordinal);
        guest.WaitForNode("/local/domain/0/backend/vif/1/0/state", "4");
        Assert.Contains("state = \"4\"", guest.Tool("xenstore-ls", "/local/domain/0/backend/vif/1").Out, StringComparison.Ordinal);
        Assert.Equal(0, guest.Tool("xenstore-write", "/tool/test", "written").Code);
        Assert.Equal("written\n", guest.Tool("xenstore-read", "/tool/test").Out);
        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }

    /// <summary>Answers one HTTP request.</summary>
    private static async Task ServeAsync(TcpListener listener, byte[] data)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        using var request = new StreamReader(client.GetStream(), leaveOpen: true);
        while (await request.ReadLineAsync() is { Length: > 0 })
        {
        }

        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {data.Length}\r\n\r\n"));
        await client.GetStream().WriteAsync(data);
    }

    private static async Task<string> ReceiveAsync(TcpListener listener)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(client.GetStream()));
    }
}
