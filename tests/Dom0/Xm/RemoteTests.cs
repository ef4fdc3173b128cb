using Xen.Contract;
using Xen.Dom0.Tests.Service;
using Xen.Xm;

namespace Xen.Dom0.Tests.Xm;

/// <summary><c>xm --connect</c>: verbs on a xend that is reached over TCP, and what is said when that does not work.</summary>
public sealed class RemoteTests
{
    [Fact]
    public async Task Verbs_WorkFromAfar()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        string to = $"localhost:{xend.Host.TlsEndPoint!.Port}";
        string config = Path.Combine(xend.Folder, "one.cfg");
        await File.WriteAllTextAsync(config, $"name = 'one'\nkernel = '{xend.WriteIdleKernel()}'\nmemory = 64\n");
        Assert.Equal((0, "Started domain one (id=1)\n", ""), await AskAsync(certificates, null, "--connect", to, "create", config));
        Assert.Equal((0, "", ""), await AskAsync(certificates, null, "pause", "one", "--connect=" + to));
        Assert.Equal((0, "one\n", ""), await AskAsync(certificates, "tls://" + to, "domna", "1"));
        Assert.Equal((0, "one\n", ""), await AskAsync(certificates, null, "--connect=reader@" + to, "domname", "1"));
        (int code, string output, string error) = await AskAsync(certificates, "reader@" + to, "destroy", "one");
        Assert.Equal((1, ""), (code, output));
        Assert.Matches("^xm: 'OU=reader, CN=reader' at 127.0.0.1:[0-9]+ may only read, and DestroyDomain is for operators\\. .*\n$", error);
        (code, output, _) = await AskAsync(certificates, to, "info");
        Assert.Equal(0, code);
        Assert.StartsWith("host                   : localhost\nnr_cpus ", output, StringComparison.Ordinal);
        Assert.Equal(1, (await AskAsync(certificates, to, "log")).Code);
        Assert.Equal((0, "", ""), await AskAsync(certificates, to, "destroy", "one"));
    }

    [Fact]
    public async Task WhatIsWrong_IsOneSentence()
    {
        using TestCertificates certificates = new("other.example.org", "localhost"), others = new();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        int port = xend.Host.TlsEndPoint!.Port;
        await SaysAsync(certificates, $"127.0.0.1:{port}", $"the certificate of 127.0.0.1:{port} is not for 127.0.0.1 but for other.example.org, localhost: connect by one of these names");
        await SaysAsync(others, $"localhost:{port}", $"the certificate of localhost:{port} is not from the CA in {others.Folder}/ca.crt: if it is the right xend, copy its ca.crt there.");
        await SaysAsync(certificates, $"nobody@localhost:{port}", $"there is no {certificates.Folder}/nobody.crt: xm cert makes certificates");
        await SaysAsync(certificates, $"expired@localhost:{port}", $"the certificate {certificates.Folder}/expired.crt has expired");
        await SaysAsync(certificates, $"server@localhost:{port}", $"{certificates.Folder}/server.crt is no certificate for a client");
        await SaysAsync(certificates, $"norole@localhost:{port}", "'OU=cleaner, CN=norole' at 127.0.0.1:");
        await SaysAsync(certificates, "localhost:1", "no xend can be reached at localhost:1: Connection refused");

        // A certificate of another CA, with the right idea of the server's: the server ends it.
        File.Copy(Path.Combine(certificates.Folder, "ca.crt"), Path.Combine(others.Folder, "ca.crt"), overwrite: true);
        await SaysAsync(others, $"localhost:{port}", $"localhost:{port} ", "not accept the certificate " + others.Folder + "/operator.crt");
    }

    [Fact]
    public async Task ServerThatIsAClient_IsNotBelieved()
    {
        using var certificates = new TestCertificates();

        // Who has a client's certificate must not be taken for the xend by another client.
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        int port = ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
        var identity = TlsIdentity.Load(certificates.Of("operator"), TlsIdentity.ClientAuthentication);
        Task server = Task.Run(async () =>
        {
            using System.Net.Sockets.TcpClient client = await listener.AcceptTcpClientAsync();
            await using var tls = new System.Net.Security.SslStream(client.GetStream());
            await tls.AuthenticateAsServerAsync(new System.Net.Security.SslServerAuthenticationOptions { ServerCertificateContext = identity.Context });
            await tls.ReadExactlyAsync(new byte[1]);
        });
        await SaysAsync(certificates, $"localhost:{port}", $"the certificate of localhost:{port} is not one for servers");
        await Assert.ThrowsAnyAsync<Exception>(() => server);
    }

    [Theory]
    [InlineData("'nonsense' is no address of a xend", "--connect", "nonsense", "list")]
    [InlineData("--tls-ca is for --connect", "list", "--tls-ca", "x.crt")]
    [InlineData("Required argument missing for option: '--connect'", "list", "--connect")]
    public async Task WrongCommandLines_AreExplained(string said, params string[] arguments)
    {
        using var certificates = new TestCertificates();
        (int code, string output, string error) = await AskAsync(certificates, null, arguments);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(said, error, StringComparison.Ordinal);
    }

    private static async Task SaysAsync(TestCertificates certificates, string address, params string[] said)
    {
        (int code, string output, string error) = await AskAsync(certificates, address, "list");
        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith("xm: " + said[0], error, StringComparison.Ordinal);
        Assert.Contains(said[^1], error, StringComparison.Ordinal);
        Assert.Equal(1, error.Count(static c => c == '\n'));
    }

    private static async Task<(int Code, string Out, string Error)> AskAsync(TestCertificates certificates, string? preset, params string[] arguments)
    {
        StringWriter output = new(), error = new();
        int code = await new XmCommandLine(new XmContext
        {
            Input = Stream.Null,
            Output = Stream.Null,
            Out = output,
            Error = error,
            Paths = new XenPaths("/nonexistent/run", "/nonexistent/log", []) { TlsFolder = certificates.Folder },
            PresetAddress = preset,
            StartService = static (_, _) => throw new InvalidOperationException("xm starts no xend when it was told of one"),
        }).RunAsync(arguments);
        return (code, output.ToString(), error.ToString());
    }
}
