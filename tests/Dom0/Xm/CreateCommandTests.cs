using System.Globalization;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>xm create as the person who types it sees it: output, exit status, and what is left behind.</summary>
public sealed class CreateCommandTests
{
    [Fact]
    public async Task Create_WithConsole_CarriesBytesBothWaysAndExitsZeroAtPoweroff()
    {
        using XmRun xm = new() { Machine = new FakeToolstack { Guest = d => _ = Shell(d) } };
        Task<int> run = xm.RunAsync("create", "-c", xm.Config);
        xm.Type("uname -r\npoweroff -f\n");
        Assert.Equal(0, await run);
        Assert.Equal("# 6.1.0\r\nbye\r\n", xm.ConsoleText);
        Assert.Equal("", xm.Out.ToString());
        Assert.Equal("Started domain guest (id=1)\n", xm.Error.ToString());
        await Eventually(() => xm.Machine.Domain!.IsDisposed);

        static async Task Shell(FakeDomain domain)
        {
            domain.Print("# ");
            await domain.ExpectAsync("poweroff -f\n");
            domain.Print("6.1.0\r\n");
            domain.Print("bye\r\n");
            domain.End(ShutdownReason.Poweroff);
        }
    }

    [Fact]
    public async Task Create_InputPipeEnds_DomainRunsOn()
    {
        using XmRun xm = new();
        Task<int> run = xm.RunAsync("create", "-c", xm.Config);
        xm.Type("work\n");
        await xm.Input.Writer.CompleteAsync();
        await Eventually(() => xm.Machine.Domain is not null);
        await xm.Machine.Domain!.ExpectAsync("work\n");
        xm.Machine.Domain.Print("still here");
        await Eventually(() => xm.ConsoleText == "still here");
        Assert.False(run.IsCompleted);
        xm.Machine.Domain.End(ShutdownReason.Poweroff);
        Assert.Equal(0, await run);
    }

    [Fact]
    public async Task Create_EscapeKeyInAPipe_IsData()
    {
        using XmRun xm = new() { Machine = new FakeToolstack { Guest = d => _ = d.ExpectAsync("a\x1d\n").ContinueWith(_ => d.End(ShutdownReason.Poweroff), TaskScheduler.Default) } };
        Task<int> run = xm.RunAsync("create", "-c", xm.Config);
        xm.Type("a\x1d\n");
        Assert.Equal(0, await run);
    }

    [Fact]
    public async Task Create_EscapeKeyAtATerminal_LeavesTheDomainAndRestoresTheTerminal()
    {
        FakeTerminal terminal = new();
        using XmRun xm = new() { Terminal = terminal };
        Task<int> run = xm.RunAsync("create", "-c", xm.Config);
        await Eventually(() => terminal.Raw == 1);
        xm.Type("ls\x1d never sent");
        Assert.Equal(0, await run);
        Assert.True(xm.Machine.Domain!.Typed.Reader.TryRead(out string? typed));
        Assert.Equal("ls", typed);
        Assert.Equal((0, 1), (terminal.Raw, terminal.Entered));
        Assert.Contains("left the console; domain 'guest' runs on.", xm.Error.ToString(), StringComparison.Ordinal);
        Assert.Equal(DomainState.Running, xm.Machine.Domain.Status.State);
    }

    [Fact]
    public async Task Create_TerminalHangsUp_LeavesTheDomain()
    {
        FakeTerminal terminal = new();
        using XmRun xm = new() { Terminal = terminal };
        Task<int> run = xm.RunAsync("create", "-c", xm.Config);
        await xm.Input.Writer.CompleteAsync();
        Assert.Equal(1, await run);
        Assert.Equal(0, terminal.Raw);
        Assert.False(xm.Machine.Domain!.Completion.IsCompleted);
    }

    [Fact]
    public async Task Create_NobodyReadsTheOutput_LeavesTheDomain()
    {
        using XmRun xm = new() { Output = new BrokenPipe(), Machine = new FakeToolstack { Guest = d => d.Print("x") } };
        Assert.Equal(1, await xm.RunAsync("create", "-c", xm.Config));
        Assert.Contains("the console's reader went away", xm.Error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Create_Interrupted_LeavesTheDomainAndRestoresTheTerminal()
    {
        FakeTerminal terminal = new();
        using XmRun xm = new() { Terminal = terminal };
        Task<int> run = xm.RunAsync("create", "-c", xm.Config);
        await Eventually(() => xm.Machine.Domain?.Status.State == DomainState.Running);
        xm.Stop();
        Assert.Equal(128 + 15, await run);
        Assert.Equal((0, 1), (terminal.Raw, terminal.Entered));
        Assert.Contains("domain 'guest' runs on: xm destroy guest ends it.", xm.Error.ToString(), StringComparison.Ordinal);
        Assert.False(xm.Machine.Domain!.Completion.IsCompleted);
    }

    [Fact]
    public async Task Create_DomainCrashes_ReportsOnStandardErrorAndExitsOne()
    {
        using XmRun xm = new() { Machine = new FakeToolstack { Guest = d => d.End(ShutdownReason.Crash, "rip ffffffff81000000\ntrace: pf") } };
        Assert.Equal(1, await xm.RunAsync("create", "-c", xm.Config));
        Assert.Contains("domain 'guest' crashed", xm.Error.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("rip ffffffff81000000\ntrace: pf\n", xm.Error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ShutdownReason.Poweroff, 0)]
    [InlineData(ShutdownReason.Reboot, 0)]
    [InlineData(ShutdownReason.Suspend, 0)]
    [InlineData(ShutdownReason.Crash, 1)]
    [InlineData(ShutdownReason.Watchdog, 1)]
    public async Task Create_WithConsole_ExitsAsTheDomainEnds(ShutdownReason reason, int expected)
    {
        using XmRun xm = new() { Machine = new FakeToolstack { Guest = d => d.End(reason) } };
        Assert.Equal(expected, await xm.RunAsync("create", "-c", xm.Config));
    }

    [Fact]
    public async Task Create_WithoutConsole_ReturnsWhenTheDomainRuns()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        Assert.Equal("Started domain guest (id=1)\n", xm.Out.ToString());
        Assert.Equal(DomainState.Running, xm.Machine.Domain!.Status.State);
    }

    [Fact]
    public async Task Create_MachineRefuses_OneSentenceExitOneNothingLeft()
    {
        using XmRun xm = new() { Machine = new FakeToolstack { Refusal = "vmlinuz: not an ELF image: give a PV kernel." } };
        Assert.Equal(1, await xm.RunAsync("create", "-c", xm.Config));
        Assert.Equal("xm: vmlinuz: not an ELF image: give a PV kernel.\n", xm.Error.ToString());
    }

    [Fact]
    public async Task Create_DryRun_PrintsTheExpressionAndStartsNothing()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", "-n", xm.Config, "memory=512", "extra=console=hvc0 it's"));
        Assert.Contains("(memory 512)\n", xm.Out.ToString(), StringComparison.Ordinal);
        Assert.Contains("(args 'console=hvc0 it\\'s')\n", xm.Out.ToString(), StringComparison.Ordinal);
        Assert.Null(xm.Machine.Domain);
    }

    [Fact]
    public async Task Create_FileInAConfigFolder_IsFoundByItsName()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", "-n", "guest.cfg"));
        Assert.Contains("(name guest)", xm.Out.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Create_Quiet_SaysNothing()
    {
        using XmRun xm = new() { Machine = new FakeToolstack { Guest = d => d.End(ShutdownReason.Poweroff) } };
        Assert.Equal(0, await xm.RunAsync("create", "-q", xm.Config, "vif=['bridge=x']"));
        Assert.Equal("", xm.Out.ToString() + xm.Error);
    }

    [Theory]
    [InlineData(1, "memroy=5", "did you mean 'memory'?")]
    [InlineData(1, "memory=lots", "memory must be an integer from 64")]
    [InlineData(1, "vcpus=64", "from 1 to 32")]
    [InlineData(2, "memory", "is not KEY=VALUE")]
    [InlineData(2, "--fast", "xm help create")]
    public async Task Create_WrongArgument_SaysWhatIsWrong(int code, string argument, string expected)
    {
        using XmRun xm = new();
        Assert.Equal(code, await xm.RunAsync("create", xm.Config, argument));
        Assert.StartsWith("xm: ", xm.Error.ToString(), StringComparison.Ordinal);
        Assert.Contains(expected, xm.Error.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, xm.Error.ToString().Count(c => c == '\n'));
    }

    [Fact]
    public async Task Create_NameThatRuns_IsRefusedAndTheFirstRunsOn()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        (int code, _, string error) = await xm.AskAsync("create", xm.Config);
        Assert.Equal(1, code);
        Assert.Contains("a domain named 'guest' exists already", error, StringComparison.Ordinal);
        Assert.Equal(0, (await xm.AskAsync("list", "guest")).Code);
        Assert.False(xm.Machine.Domain!.Completion.IsCompleted);
    }

    /// <summary>Waits for what another thread is about to do; fails rather than hang.</summary>
    internal static async Task Eventually(Func<bool> condition)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        while (!condition())
        {
            Assert.False(limit.IsCancellationRequested, string.Create(CultureInfo.InvariantCulture, $"did not happen within 30 s"));
            await Task.Yield();
        }
    }

    private sealed class BrokenPipe : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("Broken pipe.");
    }
}
