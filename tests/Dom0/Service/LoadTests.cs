using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Net.Client;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.Dom0.Tests.Xm;
using Xen.Service;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Service;

/// <summary>What one client can cost the others.</summary>
public sealed class LoadTests
{
    [Fact]
    public async Task Names_AreCounted()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        var request = new ListDomainsRequest { Domains = { Enumerable.Repeat("0", 1024) } };
        Assert.Equal(1024, (await xend.Client.ListDomainsAsync(request)).Domains.Count);
        await xend.Client.DescribeDomainsAsync(request);
        request.Domains.Add("0");
        foreach (Func<Task> call in new Func<Task>[]
        {
            async () => await xend.Client.ListDomainsAsync(request), async () => await xend.Client.ListVcpusAsync(request), async () => await xend.Client.DescribeDomainsAsync(request),
        })
        {
            RpcException fault = await Assert.ThrowsAsync<RpcException>(call);
            Assert.Equal((StatusCode.InvalidArgument, "a call may name 1024 domains, and not 1025: name none for all of them, or ask more than once."), (fault.StatusCode, fault.Status.Detail));
        }
    }

    [Fact]
    public async Task LongText_ComesBackShortened()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        RpcException fault = await Assert.ThrowsAsync<RpcException>(async () => await xend.Client.PauseDomainAsync(new DomainRequest { Domain = "\u001b[2J" + new string('x', 1 << 20) }));
        Assert.Equal(StatusCode.NotFound, fault.StatusCode);
        Assert.StartsWith("no domain '?[2Jxxx", fault.Status.Detail, StringComparison.Ordinal);
        Assert.InRange(fault.Status.Detail.Length, 1000, 3000);
    }

    [Fact]
    public async Task Operators_GetIn_HoweverManyConnectionsReadersHave()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        List<GrpcChannel> readers = [];
        try
        {
            for (int i = 0; i < ControlServer.MostConnections + 40; i++)
            {
                GrpcChannel reader = certificates.Connect(xend.Host.TlsEndPoint!.Port, "reader");
                readers.Add(reader);
                await new Xend.XendClient(reader).GetInfoAsync(new GetInfoRequest(), deadline: DateTime.UtcNow + RunningXend.Patience);
            }

            using XendConnection remote = await TlsTests.OpenAsync(certificates, xend, "127.0.0.1"), local = await xend.ConnectAsync();
            await remote.Client.GetInfoAsync(new GetInfoRequest());
            await local.Client.GetInfoAsync(new GetInfoRequest());
        }
        finally
        {
            readers.ForEach(static reader => reader.Dispose());
        }
    }

    [Fact]
    public async Task ReadersCalls_AreCounted_AndOperatorsAreNot()
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        List<GrpcChannel> readers = [];
        List<AsyncServerStreamingCall<DomainEvent>> watching = [];
        try
        {
            for (int i = 0; i < AccessGate.MostReading; i++)
            {
                if (i % 100 == 0)
                    readers.Add(certificates.Connect(xend.Host.TlsEndPoint!.Port, "reader"));
                watching.Add(new Xend.XendClient(readers[^1]).WatchDomains(new WatchDomainsRequest()));
                await watching[^1].ResponseHeadersAsync;
            }

            RpcException fault = await Assert.ThrowsAsync<RpcException>(async () => await new Xend.XendClient(readers[^1]).GetInfoAsync(new GetInfoRequest()));
            Assert.Equal(StatusCode.ResourceExhausted, fault.StatusCode);
            using XendConnection remote = await TlsTests.OpenAsync(certificates, xend, "127.0.0.1");
            await remote.Client.GetInfoAsync(new GetInfoRequest());
        }
        finally
        {
            watching.ForEach(static call => call.Dispose());
            readers.ForEach(static reader => reader.Dispose());
        }
    }

    /// <summary>The path of a call is decoded by the server: what it says is nobody's line of the log.</summary>
    [Theory]
    [InlineData("Stop%0A[2026-01-01 00:00:00.000] started, process 1")]
    [InlineData("%1B]0;title%07")]
    public async Task RefusedCalls_WriteNothingOfTheirOwn(string call)
    {
        using var certificates = new TestCertificates();
        await using RunningXend xend = await RunningXend.StartAsync(configure: certificates.Listen);
        int before = (await File.ReadAllLinesAsync(xend.Paths.ServiceLog)).Length;
        using HttpClient client = certificates.ConnectPlainly("reader");
        foreach (string path in new[] { call, new string('x', 4000) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"https://127.0.0.1:{xend.Host.TlsEndPoint!.Port}/xen.xend.v1.Xend/{path}")
            {
                Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent([]),
            };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
            using HttpResponseMessage response = await client.SendAsync(request);
            Assert.Equal("7", Assert.Single(response.Headers.GetValues("grpc-status")));
            Assert.Contains("a call that this xend does not know is for operators", Assert.Single(response.Headers.GetValues("grpc-message")), StringComparison.Ordinal);
        }

        string[] lines = await File.ReadAllLinesAsync(xend.Paths.ServiceLog);
        Assert.Equal(before + 2, lines.Length);
        Assert.All(lines, static line => Assert.InRange(line.Length, 1, 500));
        Assert.DoesNotContain(lines, static line => line.Contains("process 1", StringComparison.Ordinal) && !line.Contains($"process {Environment.ProcessId}", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("a\nb\u001b[1m\u0085\u2028\u202e", "a?b?[1m???")]
    [InlineData("Grüße, 世界 😀", "Grüße, 世界 😀")]
    [InlineData("0123456789012345678901234567890", "01234567890123456789...")]
    public void Text_IsMadePrintable(string text, string expected) => Assert.Equal(expected, PrintableText.Of(text, 20));

    /// <summary>What it would write is a folder: a sentence, and nothing is left.</summary>
    [Theory]
    [InlineData("hypervisor")]
    [InlineData("service")]
    public async Task Start_ThatFails_LeavesNothing(string what)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("xend-");
        try
        {
            var paths = new XenPaths(Path.Combine(folder.FullName, "run"), Path.Combine(folder.FullName, "log"), []) { StateFolder = Path.Combine(folder.FullName, "state") };
            const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            Directory.CreateDirectory(paths.LogFolder, own);
            string path = what == "hypervisor" ? paths.HypervisorLog : paths.ServiceLog;
            Directory.CreateDirectory(path);
            var machine = new FakeToolstack();
            bool made = false;
            ToolstackException fault = await Assert.ThrowsAsync<ToolstackException>(() => XendHost.StartAsync(new XendOptions(paths) { MemoryMiB = 64 }, _ =>
            {
                made = true;
                return machine;
            }, watched: null));
            Assert.Contains(path, fault.Message, StringComparison.Ordinal);
            Assert.Equal(made, machine.IsDisposed);
            Assert.Equal(what != "service", made);

            // What was in the way is gone: the next one has all that it needs.
            Directory.Delete(path);
            XendHost host = await XendHost.StartAsync(new XendOptions(paths) { MemoryMiB = 64 }, static _ => new FakeToolstack(), watched: null);
            await host.DisposeAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
