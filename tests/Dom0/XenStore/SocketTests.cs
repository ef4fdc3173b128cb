using System.Net.Sockets;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Clients on the Unix socket.</summary>
public sealed class SocketTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xs").FullName;
    private readonly StoreServer _server = new();
    private readonly StoreSocketServer _sockets;

    public SocketTests() => _sockets = new StoreSocketServer(_server, Path.Combine(_folder, "run", "socket"), eventBytes: 64 * 1024);

    public void Dispose()
    {
        _sockets.Dispose();
        _server.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Clients_HaveDom0sRights()
    {
        using var client = new SocketClient(_sockets.Path);
        Assert.Equal("OK", client.Ask(XenStoreMessageType.Write, 0, "/a\0x"));
        Assert.Equal("x", client.Ask(XenStoreMessageType.Read, 0, "/a\0"));
        Assert.Equal("OK", client.Ask(XenStoreMessageType.Control, 0, "check\0"));
    }

    [Fact]
    public void Socket_IsTheOwnersAlone() =>
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_sockets.Path));

    [Fact]
    public void SecondServer_IsRefused()
    {
        using var other = new StoreServer();
        IOException e = Assert.Throws<IOException>(() => new StoreSocketServer(other, _sockets.Path));
        Assert.Contains("another xenstore", e.Message, StringComparison.Ordinal);
        using var client = new SocketClient(_sockets.Path);
        Assert.Equal("OK", client.Ask(XenStoreMessageType.Control, 0, "check\0"));
    }

    [Fact]
    public void ServerOfAnotherKind_IsRefusedToo()
    {
        string path = Path.Combine(_folder, "foreign");
        using var foreign = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        foreign.Bind(new UnixDomainSocketEndPoint(path));
        foreign.Listen();
        Assert.Throws<IOException>(() => new StoreSocketServer(_server, path));
    }

    [Fact]
    public void StaleSocket_IsReplacedAndAFileIsNot()
    {
        string path = Path.Combine(_folder, "stale");
        using (var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            stale.Bind(new UnixDomainSocketEndPoint(path));
        }

        using (new StoreSocketServer(_server, path))
        {
            using var client = new SocketClient(path);
            Assert.Equal("OK", client.Ask(XenStoreMessageType.Control, 0, "check\0"));
        }

        Assert.False(File.Exists(path));
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "mine");
        Assert.Throws<IOException>(() => new StoreSocketServer(_server, file));
        Assert.Equal("mine", File.ReadAllText(file));
        Assert.Throws<ArgumentException>(() => new StoreSocketServer(_server, "/tmp/" + new string('x', 200)));
    }

    [Fact]
    public void Hostile_LongAndTruncatedMessages_EndTheirConnectionOnly()
    {
        using var good = new SocketClient(_sockets.Path);
        using (var longer = new SocketClient(_sockets.Path))
        {
            byte[] header = WireText.NewMessage(XenStoreMessageType.Write, 1, 0, 0);
            header[14] = 0xff;
            longer.Socket.Send(header);
            Assert.True(longer.IsClosedByServer());
        }

        using (var cut = new SocketClient(_sockets.Path))
        {
            cut.Socket.Send(WireText.NewMessage(XenStoreMessageType.Write, 1, 0, 100).AsSpan(0, 60));
            cut.Socket.Shutdown(SocketShutdown.Send);
            Assert.True(cut.IsClosedByServer());
        }

        Assert.Equal("OK", good.Ask(XenStoreMessageType.Write, 0, "/a\0x"));
    }

    [Fact]
    public void Hostile_RandomMessages_NeverStopTheOthers()
    {
        var random = new Random(11);
        using var good = new SocketClient(_sockets.Path);
        byte[] bytes = new byte[300];
        for (int i = 0; i < 1000; i++)
        {
            using var bad = new SocketClient(_sockets.Path);
            random.NextBytes(bytes);
            int length = random.Next(1, bytes.Length);
            if (i % 2 == 0)
                WireText.NewMessage((XenStoreMessageType)random.Next(28), 1, (uint)random.Next(2), random.Next(280)).AsSpan(0, 16).CopyTo(bytes);
            bad.Socket.Send(bytes.AsSpan(0, length));
            if (i % 20 == 0)
                Assert.Equal("OK", good.Ask(XenStoreMessageType.Write, 0, $"/a\0{i}"));
        }

        Assert.Equal("OK", good.Ask(XenStoreMessageType.Control, 0, "check\0"));
    }

    [Fact]
    public void Hostile_ClientThatDoesNotReadItsEvents_IsDisconnected()
    {
        using var deaf = new SocketClient(_sockets.Path);
        using var busy = new SocketClient(_sockets.Path);
        Assert.Equal("OK", deaf.Ask(XenStoreMessageType.Watch, 0, "/busy\0" + new string('t', 900) + "\0"));
        for (int i = 0; i < 1500; i++)
            Assert.Equal("OK", busy.Ask(XenStoreMessageType.Write, 0, $"/busy/{i}\0x"));
        Assert.True(deaf.IsClosedByServer());
        Assert.Equal("OK", busy.Ask(XenStoreMessageType.Control, 0, "check\0"));
    }

    [Fact]
    public void EndOfAClient_EndsItsWatchesAndTransactions()
    {
        using var other = new SocketClient(_sockets.Path);
        using (var client = new SocketClient(_sockets.Path))
        {
            client.Ask(XenStoreMessageType.Watch, 0, "/a\0t\0");
            client.Ask(XenStoreMessageType.TransactionStart, 0, "\0");
            client.Socket.Shutdown(SocketShutdown.Send);
            Assert.True(client.IsClosedByServer());
        }

        // The socket is closed after the client's things are gone.
        Assert.StartsWith("nodes: 3\nwatches: 0\nd0: nodes 3, watches 0, transactions 0, clients 1", other.Ask(XenStoreMessageType.Control, 0, "memreport\0"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ManyClients_CountTogetherInTransactions()
    {
        using (var first = new SocketClient(_sockets.Path))
            first.Ask(XenStoreMessageType.Write, 0, "/count\00");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            using var client = new SocketClient(_sockets.Path);
            for (int done = 0; done < 25;)
            {
                uint t = uint.Parse(client.Ask(XenStoreMessageType.TransactionStart, 0, "\0"));
                int count = int.Parse(client.Ask(XenStoreMessageType.Read, t, "/count\0"));
                Assert.Equal("OK", client.Ask(XenStoreMessageType.Write, t, $"/count\0{count + 1}"));
                string ended = client.Ask(XenStoreMessageType.TransactionEnd, t, "T\0");
                Assert.True(ended is "OK" or "EAGAIN");
                done += ended == "OK" ? 1 : 0;
            }
        })));
        using var last = new SocketClient(_sockets.Path);
        Assert.Equal("200", last.Ask(XenStoreMessageType.Read, 0, "/count\0"));
    }
}
