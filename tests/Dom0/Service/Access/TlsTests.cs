using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;
using Grpc.Net.Client;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.Service;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Service;

/// <summary>The way by TCP: who gets in, who does not, and what that costs.</summary>
public sealed class TlsTests
{
    [Fact]
    public async Task Operator_WorksOverTcp()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        using XendConnection connection = await OpenAsync(certificates, xend, "localhost");
        await xend.CreateAsync("one", xend.WriteIdleKernel());
        await connection.Client.PauseDomainAsync(new DomainRequest { Domain = "one" });
        Assert.Equal(["Domain-0", "one"], (await connection.Client.ListDomainsAsync(new ListDomainsRequest())).Domains.Select(static d => d.Name));
        await connection.Client.DestroyDomainAsync(new DomainRequest { Domain = "one" });
    }

    [Theory]
    [InlineData(null)]
    [InlineData("expired")]
    [InlineData("server")]
    [InlineData("stranger")]
    public async Task ClientsWithoutACertificateForIt_DoNotGetIn(string? name)
    {
        using TestCertificates certificates = new(), others = new();
        foreach (string end in new[] { ".crt", ".key" })
            File.Copy(Path.Combine(others.Folder, "operator" + end), Path.Combine(certificates.Folder, "stranger" + end));
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        int port = xend.Host.TlsEndPoint!.Port;
        using (GrpcChannel channel = certificates.Connect(port, name))
        {
            RpcException fault = await Assert.ThrowsAsync<RpcException>(async () =>
                await new Xend.XendClient(channel).ListDomainsAsync(new ListDomainsRequest(), deadline: DateTime.UtcNow + RunningXend.Patience));
            Assert.Contains(fault.StatusCode, new[] { StatusCode.Unavailable, StatusCode.Internal });
        }

        // The same client with a good certificate does.
        using GrpcChannel good = certificates.Connect(port, "reader");
        Assert.Single((await new Xend.XendClient(good).ListDomainsAsync(new ListDomainsRequest())).Domains);
    }

    [Theory]
    [InlineData(SslProtocols.Tls12, true)]
    [InlineData(SslProtocols.Tls13, true)]
#pragma warning disable SYSLIB0039, CA5397 // Old versions are what is tested.
    [InlineData(SslProtocols.Tls11, false)]
#pragma warning restore SYSLIB0039, CA5397
    public async Task OldTls_IsRefused(SslProtocols version, bool accepted)
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        var identity = TlsIdentity.Load(certificates.Of("operator"), TlsIdentity.ClientAuthentication);
        using Socket socket = await ConnectAsync(xend);
        await using var tls = new SslStream(new NetworkStream(socket));
        Task handshake = tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            ClientCertificateContext = identity.Context,
            EnabledSslProtocols = version,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            CertificateChainPolicy = certificates.ServerPolicy,
        });
        if (accepted)
        {
            await handshake;
            Assert.Equal((version, SslApplicationProtocol.Http2), (tls.SslProtocol, tls.NegotiatedApplicationProtocol));
        }
        else
        {
            await Assert.ThrowsAnyAsync<Exception>(() => handshake);
        }
    }

    /// <summary>HTTP/2 without TLS, and bytes of no protocol at all: the connection ends, and nothing came back that HTTP would say.</summary>
    [Theory]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]
    [InlineData("\u0016\u0003\u0001\u007f\u007f garbage in a record of TLS")]
    public async Task Plaintext_GetsNoAnswer(string text)
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        using Socket socket = await ConnectAsync(xend);
        await socket.SendAsync(System.Text.Encoding.Latin1.GetBytes(text));
        socket.Shutdown(SocketShutdown.Send);
        Assert.DoesNotContain("HTTP", await ReadToEndAsync(socket), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RandomBytes_HarmNobody()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        var random = new Random(1);
        for (int i = 0; i < 200; i++)
        {
            byte[] bytes = new byte[random.Next(5, 2000)];
            random.NextBytes(bytes);

            // Every other one begins as a record of TLS does.
            if (i % 2 == 0)
                new byte[] { 0x16, 3, 1, (byte)(bytes.Length >> 8), (byte)bytes.Length }.CopyTo(bytes, 0);
            using Socket socket = await ConnectAsync(xend);
            await socket.SendAsync(bytes);
            socket.Shutdown(SocketShutdown.Send);
            await ReadToEndAsync(socket);
        }

        using XendConnection connection = await OpenAsync(certificates, xend, "127.0.0.1");
        Assert.Single((await connection.Client.ListDomainsAsync(new ListDomainsRequest())).Domains);
    }

    [Fact]
    public async Task HalfOpenHandshakes_ByTheHundred_HoldUpNobody()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        List<Socket> silent = [];
        try
        {
            for (int i = 0; i < 700; i++)
            {
                Socket socket = await ConnectAsync(xend);
                silent.Add(socket);
                if (i % 2 == 0)
                    await socket.SendAsync(new byte[] { 0x16, 3, 1, 2, 0, 1, 0 });
                if (i % 100 != 99)
                    continue;
                using XendConnection connection = await OpenAsync(certificates, xend, "127.0.0.1");
                Assert.Single((await connection.Client.ListDomainsAsync(new ListDomainsRequest(), deadline: DateTime.UtcNow + RunningXend.Patience)).Domains);
            }

            // The oldest have been thrown out, and see it.
            Assert.Equal("", await ReadToEndAsync(silent[1]));
        }
        finally
        {
            silent.ForEach(static socket => socket.Dispose());
        }
    }

    [Fact]
    public async Task AddressInUse_IsSaid()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        ToolstackException fault = await Assert.ThrowsAsync<ToolstackException>(() => RunningXend.StartAsync(configure: options =>
            certificates.Listen(options) with { Tls = new TlsOptions(xend.Host.TlsEndPoint!, certificates.Listen(options).Tls!.Identity) }));
        Assert.StartsWith($"{xend.Host.TlsEndPoint} cannot be listened on: Address already in use", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1:9443", "127.0.0.1:9443")]
    [InlineData("localhost:0", "127.0.0.1:0")]
    [InlineData("[::1]:1", "[::1]:1")]
    [InlineData("*:65535", "[::]:65535")]
    [InlineData("::1:9443", null)]
    [InlineData("127.0.0.1", null)]
    [InlineData("example.org:9443", null)]
    [InlineData("127.0.0.1:65536", null)]
    [InlineData("127.0.0.1:-1", null)]
    [InlineData("", null)]
    public void ListenAddresses_AreRead(string text, string? expected) => Assert.Equal(expected, TlsOptions.TryParse(text, out System.Net.IPEndPoint? read) ? read.ToString() : null);

    internal static async Task<XendConnection> OpenAsync(TestCertificates certificates, RunningXend xend, string host) => await XendConnection.OpenTlsAsync(
        new XendAddress(host, xend.Host.TlsEndPoint!.Port, "operator"), TlsIdentity.Load(certificates.Of("operator"), TlsIdentity.ClientAuthentication), CancellationToken.None);

    private static async Task<Socket> ConnectAsync(RunningXend xend)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(xend.Host.TlsEndPoint!);
        return socket;
    }

    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        using var patience = new CancellationTokenSource(RunningXend.Patience);
        var all = new System.Text.StringBuilder();
        byte[] buffer = new byte[4096];
        try
        {
            int count;
            while ((count = await socket.ReceiveAsync(buffer, patience.Token)) > 0)
                all.Append(System.Text.Encoding.Latin1.GetString(buffer, 0, count));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // That is an end, too.
        }

        return all.ToString();
    }
}
