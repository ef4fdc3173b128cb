using Xen.Service;
using Xunit.Abstractions;

namespace Xen.Dom0.Tests.Service;

/// <summary>Other users at the Unix socket. As root, who can become them; otherwise the output says so, and RoleTests has what can be said without.</summary>
public sealed class PeerTests(ITestOutputHelper output)
{
    private const string Hello = "hello from the guest";

    /// <summary>Groups of numbers that nobody has.</summary>
    private const uint Operators = 54321, Readers = 54322;

    [Fact]
    public async Task Stranger_WhoCanOpenTheSocket_IsRefused()
    {
        if (!IsRoot())
            return;
        await using RunningXend xend = await StartAsync(null, null);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(xend.Paths.ServiceSocket));
        File.SetUnixFileMode(xend.Paths.ServiceSocket, (UnixFileMode)0b110_110_110);
        File.SetUnixFileMode(xend.Paths.RuntimeFolder, (UnixFileMode)0b111_101_101);
        Assert.Matches(
            "^PERMISSION_DENIED user 65534 \\(process [0-9]+\\) may not use this xend\\. The user who runs it \\(0\\) and root may do everything; xend --socket-group ",
            Follow(xend, "--clear-groups"));
        Assert.Contains("refused: user 65534", await File.ReadAllTextAsync(xend.Paths.ServiceLog), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--groups=54321", "paused")]
    [InlineData("--groups=7,54321,8", "paused")]
    [InlineData("many", "paused")]
    [InlineData("--groups=7", "UNAVAILABLE")]
    public async Task OneGroup_IsLetIn_ByMode(string groups, string last)
    {
        if (!IsRoot())
            return;
        await using RunningXend xend = await StartAsync(new UnixGroup("operators", Operators), null);
        Assert.Equal((UnixFileMode)0b110_110_000, File.GetUnixFileMode(xend.Paths.ServiceSocket));
        Assert.Equal((UnixFileMode)0b111_001_000, File.GetUnixFileMode(xend.Paths.RuntimeFolder));
        if (groups == "many")
            groups = "--groups=" + string.Join(',', Enumerable.Range(60000, 1000).Append((int)Operators));
        Assert.StartsWith(last, LastLine(Follow(xend, groups)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--groups=54321", "paused")]
    [InlineData("--groups=54322", "PERMISSION_DENIED user 65534")]
    [InlineData("--groups=54322,54321", "paused")]
    [InlineData("--groups=7", "PERMISSION_DENIED user 65534")]
    public async Task TwoGroups_AreToldApart(string groups, string last)
    {
        if (!IsRoot())
            return;
        await using RunningXend xend = await StartAsync(new UnixGroup("operators", Operators), new UnixGroup("readers", Readers));
        string all = Follow(xend, groups);
        Assert.StartsWith(last, LastLine(all), StringComparison.Ordinal);
        Assert.Equal(groups != "--groups=7", all.Contains(Hello, StringComparison.Ordinal));
    }

    [Fact]
    public async Task StrangersWhoHoldConnections_HoldUpNobody()
    {
        if (!IsRoot())
            return;
        await using RunningXend xend = await StartAsync(new UnixGroup("operators", Operators), new UnixGroup("readers", Readers));
        const string hold = "import socket,sys\nall=[]\nfor i in range(600):\n s=socket.socket(socket.AF_UNIX)\n s.connect(sys.argv[1])\n all.append(s)\n"
            + "all[0].recv(1)\nprint('the first is out')";
        Assert.Equal("the first is out\n", StockClient.Run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", hold, xend.Paths.ServiceSocket], "/"));
        Assert.StartsWith("paused", LastLine(Follow(xend, "--groups=54321")), StringComparison.Ordinal);
    }

    [Fact]
    public void GroupsThatAreNotThere_AreSaid()
    {
        Assert.Equal(0u, UnixGroup.Find("root").Id);
        Assert.Equal(1234567u, UnixGroup.Find("1234567").Id);
        Assert.StartsWith("there is no group 'no-such-group'", Assert.Throws<Toolstack.ToolstackException>(() => UnixGroup.Find("no-such-group")).Message, StringComparison.Ordinal);
    }

    private bool IsRoot()
    {
        if (!Environment.IsPrivilegedProcess)
            output.WriteLine("not tested: becoming another user needs root");
        return Environment.IsPrivilegedProcess;
    }

    private static async Task<RunningXend> StartAsync(UnixGroup? operators, UnixGroup? readers)
    {
        RunningXend xend = await RunningXend.StartAsync(reachable: true, configure: options => options with { SocketGroup = operators, ReadersGroup = readers });
        await xend.CreateAsync("one", xend.WriteTalker(Hello));
        StockClient.MakePython(xend.Folder);
        return xend;
    }

    private static string Follow(RunningXend xend, string groups) => StockClient.FollowByPython(
        xend.Folder, ["setpriv", "--reuid=65534", "--regid=65534", groups], "unix:" + xend.Paths.ServiceSocket, "one", Hello);

    private static string LastLine(string text) => text.TrimEnd('\n').Split('\n')[^1];
}
