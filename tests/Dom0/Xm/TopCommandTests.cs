using System.Text.Json;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary><c>xm top</c> where it prints lines.</summary>
public sealed class TopCommandTests
{
    private const string Titles =
        "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID";

    private static readonly LatencyHistogram None = new([], TimeSpan.Zero);

    private static readonly DomainStatistics Used = new(
        TimeSpan.FromSeconds(12.9), 256 << 10, 512 << 10, 2,
        [new VifStatistics(0, 10_240, 11, 1, 2_047, 22, 2, 3, None, None)],
        [new VbdStatistics(51712, "xvda", 100, 50, 3, 1, 800, 400, 7, 0, new LatencyHistogram([0, 0, 90, 10], TimeSpan.FromMilliseconds(1)), None, None)]);

    [Fact]
    public async Task Batch_PrintsXentopsLines()
    {
        using XmRun xm = await WithGuestAsync();
        (int code, string output, string error) = await xm.AskAsync("top", "-b", "-i", "1", "-n", "-x", "-v");
        Assert.Equal((0, ""), (code, error));
        string[] lines = output.Split('\n');
        Assert.Equal(Titles, lines[0]);
        Assert.StartsWith("  Domain-0 -----r ", lines[1], StringComparison.Ordinal);
        Assert.Contains("   no limit       n/a     2    0        0        0    0        0        0        0          0          0    0", lines[1], StringComparison.Ordinal);
        Assert.Equal(
            [
                "     guest -----r         12    0.0     262144   25.0     524288      50.0     2    1       10        1    1        7      100       50        800        400    0",
                "VCPUs(sec):   0:          0s  1:          1s",
                "Net0 RX:     2047bytes       22pkts        2err        3drop  TX:    10240bytes       11pkts        1err        0drop",
                "VBD BlkBack 51712 [ca: 0]  OO:        7   RD:      100   WR:       50  RSECT:        800  WSECT:        400",
                "",
            ],
            lines[2..]);
        Assert.DoesNotContain('\x1b', output);
    }

    [Fact]
    public async Task Batch_IteratesAndRepeatsTitles()
    {
        using XmRun xm = await WithGuestAsync();
        string output = (await xm.AskAsync("top", "-b", "-i", "2", "-d", "0.1", "-r")).Out;
        string[] lines = output.TrimEnd('\n').Split('\n');
        Assert.Equal(8, lines.Length);
        Assert.Equal(4, lines.Count(static line => line == Titles));
    }

    [Fact]
    public async Task NoTerminal_PrintsLines()
    {
        using XmRun xm = await WithGuestAsync();
        Assert.StartsWith(Titles + "\n", (await xm.AskAsync("top", "-i", "1")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sort_OrdersAndReverses()
    {
        using XmRun xm = await WithGuestAsync();
        Assert.Equal(["Domain-0", "guest"], Names((await xm.AskAsync("top", "-b", "-i", "1", "-S", "NAME")).Out));
        Assert.Equal(["guest", "Domain-0"], Names((await xm.AskAsync("top", "-b", "-i", "1", "--sort", "NAME", "-R")).Out));
        Assert.Equal(["guest", "Domain-0"], Names((await xm.AskAsync("top", "-b", "-i", "1", "-S", "VBD_RD")).Out));
        Assert.Equal(["Domain-0", "guest"], Names((await xm.AskAsync("top", "-b", "-i", "1", "-S", "vbd_rd", "-z")).Out));
    }

    [Fact]
    public async Task Json_IsADocumentALine()
    {
        using XmRun xm = await WithGuestAsync();
        string[] lines = (await xm.AskAsync("top", "--json", "-i", "2", "-d", "0.1")).Out.TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        foreach (string line in lines)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            Assert.Equal(1 << 20, document.RootElement.GetProperty("totalMemoryKiB").GetInt64());
            JsonElement dom0 = document.RootElement.GetProperty("domains")[0], guest = document.RootElement.GetProperty("domains")[1];
            Assert.Equal(JsonValueKind.Null, dom0.GetProperty("maxMemoryKiB").ValueKind);
            Assert.Equal(("guest", 12.9), (guest.GetProperty("name").GetString(), guest.GetProperty("cpuSeconds").GetDouble()));
            Assert.Equal(11, guest.GetProperty("networks")[0].GetProperty("txPackets").GetInt64());
            JsonElement latency = guest.GetProperty("vbds")[0].GetProperty("readLatency");
            Assert.Equal((100, 0.001), (latency.GetProperty("count").GetInt64(), latency.GetProperty("sumSeconds").GetDouble()));
            Assert.Equal((4e-6, 8e-6), (latency.GetProperty("p50Seconds").GetDouble(), latency.GetProperty("p99Seconds").GetDouble()));
        }
    }

    [Theory]
    [InlineData(2, "'nosuch' is no column; those are: id, name, state, cpusec, cpu%", "-b", "-S", "nosuch")]
    [InlineData(2, "-d is a number of seconds, 0.1 to 3600", "-b", "-d", "0.01")]
    [InlineData(2, "-d is a number of seconds", "-b", "-d", "NaN")]
    [InlineData(2, "-i is a number of samples", "-b", "-i", "0")]
    [InlineData(2, "xm help top", "-b", "-i", "x")]
    public async Task Wrong_OneSentence(int expected, string sentence, params string[] arguments)
    {
        using XmRun xm = await WithGuestAsync();
        (int code, string output, string error) = await xm.AskAsync(["top", .. arguments]);
        Assert.Equal((expected, ""), (code, output));
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task NoXend_OneSentence()
    {
        using XmRun xm = new();
        (int code, string output, string error) = await xm.AskAsync("top", "-b");
        Assert.Equal((1, ""), (code, output));
        Assert.Contains("no xend", error, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Names(string output) => output.TrimEnd('\n').Split('\n').Skip(1).Select(static line => line.TrimStart().Split(' ')[0]);

    private static async Task<XmRun> WithGuestAsync()
    {
        var xm = new XmRun();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        xm.Machine.Domain!.Used = Used;
        return xm;
    }
}
