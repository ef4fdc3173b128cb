using System.Text.Json;
using Xen.Service;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>The verbs, their prefixes and help; and those that ask about a domain in another process.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("frobnicate")]
    [InlineData("d")]
    [InlineData("creat3")]
    public async Task UnknownOrAmbiguousVerb_ExitsTwoWithHelpOnStandardError(string verb)
    {
        using XmRun xm = new();
        (int code, string output, string error) = await xm.AskAsync(verb);
        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith($"xm: '{verb}' ", error, StringComparison.Ordinal);
        Assert.Contains("create <FILE>", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoVerb_ExitsTwoWithHelp()
    {
        using XmRun xm = new();
        (int code, string output, string error) = await xm.AskAsync();
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("Usage:", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("help")]
    [InlineData("help", "create")]
    [InlineData("help", "cre")]
    [InlineData("create", "--help")]
    public async Task Help_IsOnStandardOutputAndExitsZero(params string[] arguments)
    {
        using XmRun xm = new();
        (int code, string output, string error) = await xm.AskAsync(arguments);
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("Usage:", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("li")]
    [InlineData("lis")]
    [InlineData("list")]
    public async Task UniqueBeginning_IsTheVerb(string verb)
    {
        using XmRun xm = new();
        (int code, string output, _) = await xm.AskAsync(verb);
        Assert.Equal((0, "Name                                        ID   Mem VCPUs      State  Time(s)\n"), (code, output));
    }

    [Fact]
    public async Task ArgumentWithAt_IsNoResponseFile()
    {
        using XmRun xm = new();
        (int code, _, string error) = await xm.AskAsync("create", "@" + xm.Config);
        Assert.Equal(1, code);
        Assert.Contains("does not exist", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Info_HasTheKeysThatPeopleParse()
    {
        using XmRun xm = new();
        (int code, string output, _) = await xm.AskAsync("info");
        Assert.Equal(0, code);
        string[] keys = [.. output.TrimEnd('\n').Split('\n').Select(l => l.Split(':')[0].TrimEnd())];
        Assert.Equal(
            ["host", "release", "version", "machine", "nr_cpus", "nr_nodes", "cores_per_socket", "threads_per_core", "cpu_mhz", "total_memory",
                "free_memory", "free_cpus", "xen_major", "xen_minor", "xen_extra", "xen_caps", "xen_scheduler", "xen_pagesize", "platform_params", "xend_config_format", "cpu_engine"],
            keys);
    }

    [Fact]
    public async Task Verbs_ReachTheRunningDomain()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", "-p", xm.Config));
        string list = (await xm.AskAsync("list")).Out;
        Assert.Matches("(?m)^Domain-0 {32,}    0 .* r----- ", list);
        Assert.Contains("guest                                        1   256     2     --p---      1.2\n", list, StringComparison.Ordinal);
        Assert.Equal("", (await xm.AskAsync("unpause", "guest")).Error);
        Assert.Contains(" r----- ", (await xm.AskAsync("list", "1")).Out, StringComparison.Ordinal);
        Assert.Equal(0, (await xm.AskAsync("pause", "1")).Code);
        Assert.Contains(" --p--- ", (await xm.AskAsync("list", "guest")).Out, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse((await xm.AskAsync("list", "--json", "guest")).Out);
        Assert.Equal(256, json.RootElement[0].GetProperty("memoryMiB").GetInt32());
        Assert.Equal("1\n", (await xm.AskAsync("domid", "guest")).Out);
        Assert.Equal("guest\n", (await xm.AskAsync("domname", "1")).Out);
        Assert.Equal("key q\nkey h\n", (await xm.AskAsync("debug-keys", "qh")).Out);
        Assert.Equal("d1 created: guest\n", (await xm.AskAsync("dmesg")).Out);
        Assert.Equal("d1 created: guest\n", (await xm.AskAsync("dmesg", "-c")).Out);
        Assert.Equal("", (await xm.AskAsync("dmesg")).Out);
        Assert.Contains("domain 'guest' (1) created", (await xm.AskAsync("log")).Out, StringComparison.Ordinal);
        Assert.Equal(0, (await xm.AskAsync("destroy", "guest")).Code);
        Assert.True((await xm.Machine.Domain!.Completion).Destroyed);
    }

    [Fact]
    public async Task Logs_WithoutXend_AreWhatTheLastOneLeft()
    {
        using XmRun xm = new();
        Assert.Contains("the hypervisor has left no log", (await xm.AskAsync("dmesg")).Error, StringComparison.Ordinal);
        Directory.CreateDirectory(xm.Paths.LogFolder);
        await File.WriteAllTextAsync(xm.Paths.HypervisorLog, "(XEN) last words\n");
        Assert.Equal((0, "(XEN) last words\n", ""), await xm.AskAsync("dmesg", "--clear"));
        Assert.Equal((0, "", ""), await xm.AskAsync("dmesg"));
    }

    [Theory]
    [InlineData("destroy", "nobody")]
    [InlineData("destroy", "7")]
    [InlineData("list", "nobody")]
    [InlineData("debug-keys", "q")]
    [InlineData("console", "nobody")]
    public async Task NoSuchDomain_OneSentenceAndExitOne(params string[] arguments)
    {
        using XmRun xm = new();
        (int code, string output, string error) = await xm.AskAsync(arguments);
        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith("xm: no domain ", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("save", "there is no xm save here: domains cannot be saved and restored; xm pause stops one for as long as its xend runs.")]
    [InlineData("pci-attach", "there is no xm pci-attach here: a domain's devices are disks, network interfaces and consoles.")]
    [InlineData("getlabel", "there is no xm getlabel here: there are no security labels; xend --socket-group and --readers-group say who may do what.")]
    public async Task VerbsOfXensXm_ThatAreNotHere_SayWhy(string verb, string said)
    {
        using XmRun xm = new();
        Assert.Equal((2, "", $"xm: {said}\n"), await xm.AskAsync(verb, "guest"));
    }

    [Fact]
    public async Task OldNamesOfVerbs_AreUnderstood()
    {
        using XmRun xm = new();
        await xm.AskAsync("create", xm.Config);
        Assert.Equal((0, "", ""), await xm.AskAsync("balloon", "guest", "200"));
        Assert.Equal(await xm.AskAsync("block-list", "guest"), await xm.AskAsync("vbd-list", "guest"));
    }

    [Theory]
    [InlineData(DomainState.None, "------")]
    [InlineData(DomainState.Running, "r-----")]
    [InlineData(DomainState.Blocked | DomainState.Paused, "-bp---")]
    [InlineData(DomainState.Shutdown | DomainState.Crashed | DomainState.Dying, "---scd")]
    internal void States_AreXmsSixColumns(DomainState state, string expected) => Assert.Equal(expected, new DomainStatus(0, 0, state, TimeSpan.Zero).Letters);
}
