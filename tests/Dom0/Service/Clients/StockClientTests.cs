using Xunit.Abstractions;

namespace Xen.Dom0.Tests.Service;

/// <summary>Debian's python3-grpcio, and grpc-js from npm, unmodified, are clients of xend.</summary>
public sealed class StockClientTests(ITestOutputHelper output)
{
    private const string Hello = "hello from the guest";

    [Fact]
    public async Task Python_WorksOverTheUnixSocket()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        await xend.CreateAsync("one", xend.WriteTalker(Hello));
        StockClient.MakePython(xend.Folder);
        Assert.Equal($"Domain-0 one\n{Hello}\npaused\n", StockClient.FollowByPython(xend.Folder, [], "unix:" + xend.Paths.ServiceSocket, "one", Hello));
    }

    [Fact]
    public async Task Python_WorksOverTls_ByItsRole()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        await xend.CreateAsync("one", xend.WriteTalker(Hello));
        StockClient.MakePython(xend.Folder);
        string target = $"localhost:{xend.Host.TlsEndPoint!.Port}";
        Assert.Matches(
            $"^Domain-0 one\n{Hello}\nPERMISSION_DENIED 'OU=reader, CN=reader' at 127.0.0.1:[0-9]+ may only read, and PauseDomain is for operators\\. ",
            StockClient.FollowByPython(xend.Folder, [], target, "one", Hello, certificates.Folder, "reader"));
        Assert.Equal($"Domain-0 one\n{Hello}\npaused\n", StockClient.FollowByPython(xend.Folder, [], target, "one", Hello, certificates.Folder, "operator"));
        Assert.StartsWith("UNAVAILABLE ", StockClient.FollowByPython(xend.Folder, [], target, "one", Hello, certificates.Folder, "expired"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task NodeJs_WorksOverTheUnixSocket_AndOverTls()
    {
        if (!StockClient.HasNode)
        {
            output.WriteLine("not tested: there is no node and npm");
            return;
        }

        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        await xend.CreateAsync("one", xend.WriteTalker(Hello));
        StockClient.MakeNode(xend.Folder);
        Assert.Equal($"Domain-0 one\n{Hello}\npaused\n", StockClient.FollowByNode(xend.Folder, "unix:" + xend.Paths.ServiceSocket, "one", Hello));
        string target = $"localhost:{xend.Host.TlsEndPoint!.Port}";
        Assert.Matches(
            $"^Domain-0 one\n{Hello}\nPERMISSION_DENIED 'OU=reader, CN=reader' at 127.0.0.1:[0-9]+ may only read, and PauseDomain is for operators\\. ",
            StockClient.FollowByNode(xend.Folder, target, "one", Hello, certificates.Folder, "reader"));
        Assert.Equal($"Domain-0 one\n{Hello}\npaused\n", StockClient.FollowByNode(xend.Folder, target, "one", Hello, certificates.Folder, "operator"));
    }
}
