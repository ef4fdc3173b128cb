using System.Text.Json;

namespace Xen.Dom0.Tests.Xm;

/// <summary>The verbs that plug and unplug, from another terminal.</summary>
public sealed class DeviceCommandTests
{
    [Fact]
    public async Task Block_AttachListDetach()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        Assert.Equal((0, "", ""), await xm.AskAsync("block-attach", "guest", "file:/i/data.img", "xvdb", "w"));
        Assert.Equal((0, "", ""), await xm.AskAsync("block-attach", "guest", "file:/i/cd.iso,xvdc:cdrom,r"));
        Assert.Equal(
            """
            Vdev  BE handle state evt-ch ring-ref BE-path
            51728 0   0     4     7      8        /local/domain/0/backend/vbd/1/51728
            51744 0   0     2     7      8        /local/domain/0/backend/vbd/1/51744  waiting: frontend never wrote ring-ref

            """,
            (await xm.AskAsync("block-list", "guest")).Out);
        using JsonDocument json = JsonDocument.Parse((await xm.AskAsync("block-list", "guest", "--json")).Out);
        Assert.Equal("xvdb", json.RootElement[0].GetProperty("name").GetString());
        Assert.Equal("/i/data.img", json.RootElement[0].GetProperty("target").GetString());
        Assert.Equal((0, "", ""), await xm.AskAsync("block-detach", "guest", "xvdb"));
        Assert.Equal((0, "", ""), await xm.AskAsync("block-detach", "guest", "xvdc", "-f"));
        Assert.Equal(["xvdb False", "xvdc True"], ((FakeDevices)xm.Machine.Domain!.Devices).Calls);
    }

    [Fact]
    public async Task Network_AttachListDetach()
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        Assert.Equal((0, "", ""), await xm.AskAsync("network-attach", "guest", "bridge=lan0", "mac=00:16:3e:01:02:03"));
        Assert.Equal(
            """
            Idx BE     MAC Addr.     handle state evt-ch tx-/rx-ring-ref BE-path
            0   0   00:16:3e:01:02:03 0      4     9          10/11       /local/domain/0/backend/vif/1/0

            """,
            (await xm.AskAsync("network-list", "guest")).Out);
        Assert.Equal((0, "", ""), await xm.AskAsync("network-detach", "guest", "0"));
    }

    [Theory]
    [InlineData(1, "/missing does not exist", "block-attach", "guest", "file:/missing", "xvdb", "w")]
    [InlineData(1, "access must be", "block-attach", "guest", "file:/i/a.img", "xvdb", "q")]
    [InlineData(2, "three: BACKEND-DEVICE FRONTEND-DEVICE MODE", "block-attach", "guest", "file:/i/a.img", "xvdb")]
    [InlineData(2, "only domain 0 has backends", "block-attach", "guest", "file:/i/a.img", "xvdb", "w", "other")]
    [InlineData(1, "has no disk 'xvdz'", "block-detach", "guest", "xvdz")]
    [InlineData(1, "no domain 'nobody' is running", "block-list", "nobody")]
    [InlineData(1, "is no key of a network interface", "network-attach", "guest", "speed=9")]
    public async Task Wrong_OneSentence(int expected, string sentence, params string[] arguments)
    {
        using XmRun xm = new();
        Assert.Equal(0, await xm.RunAsync("create", xm.Config));
        (int code, string output, string error) = await xm.AskAsync(arguments);
        Assert.Equal((expected, ""), (code, output));
        Assert.Contains(sentence, error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd('\n').Split('\n'));
    }
}
