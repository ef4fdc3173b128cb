using System.Net.Sockets;
using System.Text;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>xm console, from another terminal.</summary>
public sealed class ConsoleCommandTests
{
    [Fact]
    public async Task Console_CarriesBothWays_EachToItsNumber_UntilTheDomainEnds()
    {
        using XmRun xm = new(), one = Beside(xm), two = Beside(xm);
        Task<int> run = await StartAsync(xm, "console=['','','']");
        Task<int> first = one.RunAsync("console", "-n", "1", "guest"), second = two.RunAsync("console", "guest", "--num=2");
        FakeDomain domain = xm.Machine.Domain!;
        domain[1].Print("for one");
        domain[2].Print("for two");
        one.Type("typed at one");
        await domain[1].ExpectAsync("typed at one");
        await CreateCommandTests.Eventually(() => one.ConsoleText == "for one" && two.ConsoleText == "for two");

        // The end of a pipe is not the end of the session; what the guest says last is read, though its process ends at once.
        await one.Input.Writer.CompleteAsync();
        domain[1].Print(", to the end");
        domain.End(ShutdownReason.Poweroff);
        int[] codes = await Task.WhenAll(run, first, second);
        Assert.Equal([0, 0, 0], codes);
        Assert.Equal("for one, to the end", one.ConsoleText);
        Assert.Empty(xm.Leftovers);
    }

    [Fact]
    public async Task Console_IsForOne_UntilTheyLeave()
    {
        using XmRun xm = new(), one = Beside(xm, new FakeTerminal());
        Task<int> run = await StartAsync(xm);
        Task<int> first = one.RunAsync("console", "guest");
        await CreateCommandTests.Eventually(() => xm.Machine.Domain![0].IsTaken);
        (int code, _, string error) = await xm.AskAsync("console", "guest");
        Assert.Equal(1, code);
        Assert.Contains("console 0 of domain 'guest' is in use", error, StringComparison.Ordinal);
        one.Type("\x1d");
        Assert.Equal(0, await first);
        await CreateCommandTests.Eventually(() => !xm.Machine.Domain![0].IsTaken);
        Assert.Equal(DomainState.Running, xm.Machine.Domain!.Status.State);
        using XmRun again = Beside(xm, new FakeTerminal());
        Task<int> next = again.RunAsync("console", "guest");
        again.Type("\x1d");
        Assert.Equal(0, await next);
        await EndAsync(xm, run);
    }

    [Fact]
    public async Task Create_WithItsConsole_HasIt()
    {
        using XmRun xm = new() { Terminal = new FakeTerminal() };
        Task<int> run = xm.RunAsync("create", "-c", xm.Config);
        await CreateCommandTests.Eventually(() => File.Exists(xm.Paths.SocketOf("guest")) && xm.Machine.Domain?[0].IsTaken == true);
        Assert.Contains("is in use", (await xm.AskAsync("console", "guest")).Error, StringComparison.Ordinal);
        await EndAsync(xm, run);
    }

    [Theory]
    [InlineData(1, "domain 'guest' has no console 1, but only console 0", "console", "-n", "1", "guest")]
    [InlineData(1, "no domain 'nobody' is running", "console", "nobody")]
    [InlineData(2, "-n is the number of a console, 0 to 7, and is 8", "console", "-n", "8", "guest")]
    [InlineData(2, "-n is the number of a console", "console", "-n", "-1", "guest")]
    [InlineData(2, "xm help console says more", "console", "-n", "x", "guest")]
    [InlineData(2, "xm help console says more", "console")]
    public async Task Wrong_OneSentence(int expected, string sentence, params string[] arguments)
    {
        using XmRun xm = new();
        Task<int> run = await StartAsync(xm);
        (int code, string output, string error) = await xm.AskAsync(arguments);
        Assert.Equal((expected, ""), (code, output));
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        await EndAsync(xm, run);
    }

    /// <summary>Clients that vanish, or that are no xm at all, keep neither consoles nor the other commands.</summary>
    [Fact]
    public async Task Hostile_ClientsThatVanishOrSayNonsense_LeaveTheConsoleFree()
    {
        using XmRun xm = new();
        Task<int> run = await StartAsync(xm, "console=['','','','','','','','']");
        FakeDomain domain = xm.Machine.Domain!;
        Socket[] clients = new Socket[8];
        for (int n = 0; n < clients.Length; n++)
        {
            clients[n] = await ConnectAsync(xm, $"console\t{n}\n");
            Assert.Equal("ok\n", await ReceiveAsync(clients[n], 3));
        }

        // All of them in use: other commands are answered.
        Assert.StartsWith("guest\n", (await xm.AskAsync("domname", "guest")).Out, StringComparison.Ordinal);
        foreach (string request in new[] { "console\t99999999999\n", "console\t\n", "console\t1\t2\n", "console\t-1\n" })
        {
            using Socket wrong = await ConnectAsync(xm, request);
            Assert.Equal("error", await ReceiveAsync(wrong, 5));
        }

        foreach (Socket client in clients)
            client.Dispose();
        await CreateCommandTests.Eventually(() => Enumerable.Range(0, 8).All(n => !domain[n].IsTaken));
        await EndAsync(xm, run);
    }

    private static XmRun Beside(XmRun other, FakeTerminal? terminal = null) => new() { Paths = other.Paths, Terminal = terminal };

    private static async Task<Socket> ConnectAsync(XmRun xm, string request)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(xm.Paths.SocketOf("guest")));
        await socket.SendAsync(Encoding.UTF8.GetBytes(request));
        return socket;
    }

    private static async Task<string> ReceiveAsync(Socket socket, int length)
    {
        byte[] bytes = new byte[length];
        for (int at = 0, count; at < length; at += count)
        {
            count = await socket.ReceiveAsync(bytes.AsMemory(at));
            Assert.NotEqual(0, count);
        }

        return Encoding.UTF8.GetString(bytes);
    }

    private static async Task<Task<int>> StartAsync(XmRun xm, params string[] overrides)
    {
        Task<int> run = xm.RunAsync(["create", xm.Config, .. overrides]);
        await CreateCommandTests.Eventually(() => File.Exists(xm.Paths.SocketOf("guest")) && xm.Machine.Domain?.Status.State == DomainState.Running);
        return run;
    }

    private static async Task EndAsync(XmRun xm, Task<int> run)
    {
        await xm.AskAsync("destroy", "guest");
        await run;
    }
}
