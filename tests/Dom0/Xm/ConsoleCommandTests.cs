using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>xm console.</summary>
public sealed class ConsoleCommandTests
{
    [Fact]
    public async Task Console_CarriesBothWays_EachToItsNumber_UntilTheDomainEnds()
    {
        using XmRun xm = new(), one = Beside(xm), two = Beside(xm);
        Assert.Equal(0, await xm.RunAsync("create", xm.Config, "console=['','','']"));
        Task<int> first = one.RunAsync("console", "-n", "1", "guest"), second = two.RunAsync("console", "guest", "--num=2");
        FakeDomain domain = xm.Machine.Domain!;
        domain[1].Print("for one");
        domain[2].Print("for two");
        one.Type("typed at one");
        await domain[1].ExpectAsync("typed at one");
        await CreateCommandTests.Eventually(() => one.ConsoleText == "for one" && two.ConsoleText == "for two");

        // The end of a pipe is not the end of the session; what the guest says last is read.
        await one.Input.Writer.CompleteAsync();
        domain[1].Print(", to the end");
        domain.End(ShutdownReason.Poweroff);
        Assert.Equal(0, await first);
        Assert.Equal(0, await second);
        Assert.Equal("for one, to the end", one.ConsoleText);
    }

    [Fact]
    public async Task ReadOnlyConsole_SendsNothing()
    {
        using XmRun xm = new(), one = Beside(xm, new FakeTerminal()), two = Beside(xm);
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        FakeDomain domain = xm.Machine.Domain!;
        Task<int> first = one.RunAsync("console", "-r", "guest"), second = two.RunAsync("console", "guest");
        domain.Print("login: ");
        await CreateCommandTests.Eventually(() => one.ConsoleText == "login: " && two.ConsoleText == "login: ");

        // Ctrl-] ends it when all before that has been read.
        one.Type("not sent\u001d");
        Assert.Equal(0, await first);
        two.Type("sent");
        Assert.Equal("sent", await domain.Typed.Reader.ReadAsync());
        domain.End(ShutdownReason.Poweroff);
        Assert.Equal(0, await second);
    }

    [Fact]
    public async Task Console_IsForMany_WhoComesLaterSeesWhatWas()
    {
        FakeTerminal terminal = new();
        using XmRun xm = new(), one = Beside(xm, terminal), two = Beside(xm);
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        FakeDomain domain = xm.Machine.Domain!;
        Task<int> first = one.RunAsync("console", "guest");
        domain.Print("login: ");
        await CreateCommandTests.Eventually(() => one.ConsoleText == "login: ");
        Task<int> second = two.RunAsync("console", "guest");
        await CreateCommandTests.Eventually(() => two.ConsoleText == "login: ");
        two.Type("root\n");
        await domain.ExpectAsync("root\n");
        one.Type("\x1d");
        Assert.Equal(0, await first);
        Assert.Equal((0, 1), (terminal.Raw, terminal.Entered));
        domain.Print("# ");
        await CreateCommandTests.Eventually(() => two.ConsoleText == "login: # ");
        Assert.Equal(DomainState.Running, domain.Status.State);
        domain.End(ShutdownReason.Poweroff);
        Assert.Equal(0, await second);
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
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        (int code, string output, string error) = await xm.AskAsync(arguments);
        Assert.Equal((expected, ""), (code, output));
        Assert.Contains(sentence, error, StringComparison.Ordinal);
    }

    private static XmRun Beside(XmRun other, FakeTerminal? terminal = null) => new() { Paths = other.Paths, Terminal = terminal };
}
