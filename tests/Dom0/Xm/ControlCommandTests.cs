using System.Text.Json;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>The verbs that ask something of a running domain, and those that list it in other ways.</summary>
public sealed class ControlCommandTests
{
    [Theory]
    [InlineData("shutdown Poweroff", "shutdown", "guest")]
    [InlineData("shutdown Halt", "shutdown", "-H", "1")]
    [InlineData("shutdown Reboot", "shutdown", "-R", "guest")]
    [InlineData("shutdown Reboot", "reboot", "-a")]
    [InlineData("reset", "reset", "guest")]
    [InlineData("rename other", "rename", "guest", "other")]
    [InlineData("sysrq s", "sysrq", "guest", "s")]
    [InlineData("trigger Nmi 1", "trigger", "guest", "nmi", "1")]
    [InlineData("memory 200", "mem-set", "guest", "200")]
    [InlineData("memory 200", "mem-set", "guest", "204800k")]
    [InlineData("maxmem 1024", "mem-max", "guest", "1g")]
    [InlineData("vcpus 2", "vcpu-set", "guest", "2")]
    [InlineData("pin 1 0,1,3", "vcpu-pin", "guest", "1", "0-3,^2")]
    [InlineData("pin  any", "vcpu-pin", "guest", "all", "all")]
    [InlineData("share 512 ", "sched-credit", "-d", "guest", "-w", "512")]
    [InlineData("share  50", "sched-credit", "-d", "1", "-c", "50")]
    [InlineData("dump /a/core CoreDumpOptions { Live = True, Crash = False, Reset = False }", "dump-core", "-L", "guest", "/a/core")]
    public async Task Verb_AsksTheDomain(string asked, params string[] arguments)
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        (int code, _, string error) = await xm.AskAsync(arguments);
        Assert.Equal((0, ""), (code, error));
        Assert.Equal([asked], xm.Machine.Domain!.Requests);
    }

    [Theory]
    [InlineData(2, "name one domain, or give -a", "shutdown")]
    [InlineData(2, "name one domain, or give -a", "shutdown", "-a", "guest")]
    [InlineData(1, "no domain 'nobody' is running", "shutdown", "nobody")]
    [InlineData(2, "'lots' is no size", "mem-set", "guest", "lots")]
    [InlineData(1, "a SysRq key is one character", "sysrq", "guest", "help")]
    [InlineData(1, "'pull' is no trigger: nmi, ", "trigger", "guest", "pull")]
    [InlineData(1, "'x' is no set of CPUs", "vcpu-pin", "guest", "0", "x")]
    [InlineData(2, "'x' is no vCPU", "vcpu-pin", "guest", "x", "0")]
    [InlineData(2, "-d names the domain", "sched-credit", "-w", "5")]
    public async Task Wrong_OneSentence(int expected, string sentence, params string[] arguments)
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        (int code, string output, string error) = await xm.AskAsync(arguments);
        Assert.Equal((expected, ""), (code, output));
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task Shutdown_Waits()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        Task<(int Code, string Out, string Error)> waiting = xm.AskAsync("shutdown", "-a", "-w");
        await CreateCommandTests.Eventually(() => xm.Machine.Domain!.Requests.Count == 1);
        Assert.False(waiting.IsCompleted);
        xm.Machine.Domain!.End(ShutdownReason.Poweroff);
        Assert.Equal((0, "Domain guest terminated\n", ""), await waiting);
    }

    [Fact]
    public async Task Listings_HaveXmsColumns_AndJson()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        Assert.Equal(
            """
            Name                                ID  VCPU   CPU State   Time(s) CPU Affinity
            guest                                1     0     0   -b-       0.0 any cpu
            guest                                1     1     1   -b-       1.0 any cpu

            """,
            (await xm.AskAsync("vcpu-list")).Out);
        Assert.Equal(
            """
            Name                                ID Weight  Cap
            guest                                1    256    0

            """,
            (await xm.AskAsync("sched-credit", "-d", "guest")).Out);
        Assert.Equal("running\n", (await xm.AskAsync("domstate", "guest")).Out);
        Assert.Matches("^Name {31}ID Uptime\nguest {31}1 \\d+ days, [ 12]\\d:\\d\\d:\\d\\d\n$", (await xm.AskAsync("uptime", "guest")).Out);
        foreach (string verb in (string[])["vcpu-list", "sched-credit", "uptime"])
        {
            using JsonDocument json = JsonDocument.Parse((await xm.AskAsync(verb, "--json")).Out);
            Assert.Contains(json.RootElement.EnumerateArray(), static row => row.GetProperty("name").GetString() == "guest");
        }
    }
}
