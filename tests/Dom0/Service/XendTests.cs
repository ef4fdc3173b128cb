using System.Text;
using Grpc.Core;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.Service;
using Xen.Toolstack;
using Domain = Xen.Contract.V1.Domain;
using DomainOutcome = Xen.Contract.V1.DomainOutcome;

namespace Xen.Dom0.Tests.Service;

/// <summary>A whole xend, by its contract, with small guests.</summary>
public sealed class XendTests
{
    [Fact]
    public async Task Domains_LiveAndEnd()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        using AsyncServerStreamingCall<DomainEvent> events = xend.Client.WatchDomains(new WatchDomainsRequest());
        await events.ResponseHeadersAsync;

        Domain made = (await xend.CreateAsync("one", xend.WriteIdleKernel(), paused: true)).Domain;
        Assert.Equal(("one", 64, 1), (made.Name, made.MemoryMib, made.OnlineVcpus));
        Assert.Equal("--p---", made.State);
        await xend.Client.UnpauseDomainAsync(Of("one"));
        await xend.Client.PauseDomainAsync(Of(made.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Equal(["Domain-0", "one"], (await ListAsync(xend)).Select(static d => d.Name));
        await xend.Client.DestroyDomainAsync(Of("one"));
        DomainOutcome outcome = await xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = made.Handle });
        Assert.True(outcome.Destroyed);

        List<DomainEvent.Types.Kind> seen = [];
        while (seen.LastOrDefault() != DomainEvent.Types.Kind.Ended)
        {
            Assert.True(await events.ResponseStream.MoveNext(new CancellationTokenSource(RunningXend.Patience).Token));
            Assert.Equal("one", events.ResponseStream.Current.Name);
            seen.Add(events.ResponseStream.Current.Kind);
        }

        Assert.Equal([DomainEvent.Types.Kind.Created, DomainEvent.Types.Kind.Unpaused, DomainEvent.Types.Kind.Paused, DomainEvent.Types.Kind.Ended], seen);
        Assert.Equal(["Domain-0"], (await ListAsync(xend)).Select(static d => d.Name));
    }

    [Fact]
    public async Task PowerOff_IsToldWhoWaits_AndWhoAsksLate()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        Domain made = (await xend.CreateAsync("one", xend.WriteKernel("off", static guest => guest.PowerOff()))).Domain;
        for (int i = 0; i < 2; i++)
        {
            DomainOutcome outcome = await xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = made.Handle }, deadline: DateTime.UtcNow + RunningXend.Patience);
            Assert.Equal((DomainOutcome.Types.Reason.Poweroff, false), (outcome.Reason, outcome.Destroyed));
        }
    }

    [Fact]
    public async Task TwoReaders_SeeTheConsole_OldOutputFirst()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        string kernel = xend.WriteKernel("talker", static guest =>
        {
            guest.PrintRing("hello from the guest\r\n");
            RunningXend.Idle(guest);
        });
        await xend.CreateAsync("one", kernel);
        using AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> first = await OpenConsoleAsync(xend, "one");
        Assert.Equal("hello from the guest\r\n", await ReadAsync(first, 22));

        // The second comes when all has been said.
        using AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> second = await OpenConsoleAsync(xend, "one");
        Assert.Equal("hello from the guest\r\n", await ReadAsync(second, 22));
        await xend.Client.DestroyDomainAsync(Of("one"));
        Assert.False(await first.ResponseStream.MoveNext(CancellationToken.None));
        Assert.False(await second.ResponseStream.MoveNext(CancellationToken.None));
    }

    [Theory]
    [InlineData("kernel = '/nowhere'", StatusCode.InvalidArgument, "/nowhere")]
    [InlineData("kernle = '/nowhere'", StatusCode.InvalidArgument, "did you mean 'kernel'?")]
    [InlineData("kernel = ", StatusCode.InvalidArgument, "test.cfg:1")]
    public async Task WrongConfigurations_AreExplained(string text, StatusCode code, string said)
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        RpcException fault = await Assert.ThrowsAsync<RpcException>(async () => await xend.Client.CreateDomainAsync(
            new CreateDomainRequest { Config = text, Source = "test.cfg", WorkingFolder = xend.Folder, Overrides = { "name=one" } }));
        Assert.Equal(code, fault.StatusCode);
        Assert.Contains(said, fault.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIsNotThere_IsSaid()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        RpcException fault = await Assert.ThrowsAsync<RpcException>(async () => await xend.Client.PauseDomainAsync(Of("nobody")));
        Assert.Equal(StatusCode.NotFound, fault.StatusCode);
        Assert.Equal("no domain 'nobody' is running: xm list shows those that are.", fault.Status.Detail);
        fault = await Assert.ThrowsAsync<RpcException>(async () => await xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = 7 }));
        Assert.Equal(StatusCode.NotFound, fault.StatusCode);
    }

    [Fact]
    public async Task SecondXend_IsRefused_AndAKilledOneIsTakenOver()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        ToolstackException fault = await Assert.ThrowsAsync<ToolstackException>(() => RunningXend.StartIn(xend.Folder));
        Assert.Contains("another xend uses", fault.Message, StringComparison.Ordinal);
        Assert.Equal(["Domain-0"], (await ListAsync(xend)).Select(static d => d.Name));

        // What a killed one leaves behind: an unlocked lock file with its number, and a socket that nobody listens on.
        DirectoryInfo folder = Directory.CreateTempSubdirectory("xend-");
        try
        {
            var paths = new XenPaths(Path.Combine(folder.FullName, "run"), Path.Combine(folder.FullName, "log"), []);
            Directory.CreateDirectory(paths.RuntimeFolder);
            await File.WriteAllTextAsync(paths.ServiceLock, "12345");
            await File.WriteAllTextAsync(paths.ServiceSocket, "");
            XendHost host = await RunningXend.StartIn(folder.FullName);
            await host.DisposeAsync();
            Assert.Contains("the xend before (process 12345) did not end by itself", await File.ReadAllTextAsync(paths.ServiceLog), StringComparison.Ordinal);
            Assert.Empty(Directory.GetFiles(paths.RuntimeFolder));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Clients that connect and say nothing, that talk nonsense, that open a console and never read: nobody else waits.</summary>
    [Fact]
    public async Task RudeClients_HoldUpNobody()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        string kernel = xend.WriteKernel("chatter", static guest =>
        {
            Iced.Intel.Label again = guest.Code.CreateLabel();
            guest.Code.Label(ref again);
            guest.PrintRing(new string('x', 500) + "\r\n");
            guest.Code.jmp(again);
        });
        await xend.CreateAsync("one", kernel);
        List<IDisposable> rude = [];
        for (int i = 0; i < 20; i++)
        {
            var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
            rude.Add(socket);
            await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(xend.Paths.ServiceSocket));
            if (i % 2 == 0)
                await socket.SendAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\n\r\n\0\0\0"));
            rude.Add(await OpenConsoleAsync(xend, "one"));
        }

        await Task.WhenAll(Enumerable.Range(0, 100).Select(async _ =>
        {
            using XendConnection other = await xend.ConnectAsync();
            Assert.Equal(2, (await other.Client.ListDomainsAsync(new ListDomainsRequest(), deadline: DateTime.UtcNow + RunningXend.Patience)).Domains.Count);
        }));

        // A reader that reads goes on to get what is new.
        using AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> reader = await OpenConsoleAsync(xend, "one");
        await ReadAsync(reader, 1 << 18);
        await xend.Client.DestroyDomainAsync(Of("one"));
        rude.ForEach(static one => one.Dispose());
    }

    [Fact]
    public async Task Stop_EndsDomainsAndXend()
    {
        await using RunningXend xend = await RunningXend.StartAsync();
        Domain made = (await xend.CreateAsync("one", xend.WriteIdleKernel())).Domain;
        Task<DomainOutcome> ended = xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = made.Handle }).ResponseAsync;
        using var signals = new StopSignals();
        Task running = xend.Host.RunAsync(signals);
        await xend.Client.StopAsync(new StopRequest { TimeoutSeconds = 1 });
        await running.WaitAsync(RunningXend.Patience);
        Assert.True((await ended).Destroyed);
        RpcException fault = await Assert.ThrowsAsync<RpcException>(async () => await xend.CreateAsync("two", xend.WriteIdleKernel()));
        Assert.Contains("xend is stopping", fault.Status.Detail, StringComparison.Ordinal);
    }

    private static DomainRequest Of(string domain) => new() { Domain = domain };

    private static async Task<IReadOnlyList<Domain>> ListAsync(RunningXend xend) => (await xend.Client.ListDomainsAsync(new ListDomainsRequest())).Domains;

    private static async Task<AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput>> OpenConsoleAsync(RunningXend xend, string domain)
    {
        AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> console = xend.Client.Console();
        await console.RequestStream.WriteAsync(new ConsoleInput { Open = new ConsoleOpen { Domain = domain } });
        await console.ResponseHeadersAsync;
        return console;
    }

    private static async Task<string> ReadAsync(AsyncDuplexStreamingCall<ConsoleInput, ConsoleOutput> console, int bytes)
    {
        using var patience = new CancellationTokenSource(RunningXend.Patience);
        var text = new StringBuilder();
        while (text.Length < bytes && await console.ResponseStream.MoveNext(patience.Token))
            text.Append(Encoding.ASCII.GetString(console.ResponseStream.Current.Data.Span));
        return text.ToString();
    }
}
