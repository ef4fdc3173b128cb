using Xen.Contract.V1;

namespace Xen.Boot.Tests.Service;

/// <summary>xend ends, by order or by force, with a Debian guest that has a disk.</summary>
public sealed class FaultTests
{
    [Fact]
    public async Task KilledXend_IsAPowerCut_AndTheNextSaysSo_AndStartsWhatShallRun()
    {
        using DiskImage image = DiskImage.Ext4(64);
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=512");
        string config = xend.WriteDebianConfig($"name = 'web'\nmemory = 128\non_xend_start = 'start'\ndisk = ['file:{image.Path},xvda,w']\n");
        Assert.Equal(0, (await xend.XmAsync("new", config)).Code);
        Assert.Equal(0, (await xend.XmAsync("start", "web")).Code);
        using (ConsoleCall console = await ConsoleCall.OpenAsync(xend, "web"))
        {
            await console.WaitForShellAsync();
            await console.RunAsync("mkdir -p /m && mount -t ext4 /dev/xvda /m && echo before the cut >/m/file && sync");
            await console.TypeAsync("while :; do dd if=/dev/zero of=/m/more bs=64k count=64 2>/dev/null; done\n");
            await console.WaitForAsync("\n");
        }

        await xend.KillAsync();
        Assert.Equal((1, "", "xm: no domain 'web' is running, and no xend: start a domain with xm create.\n"), await xend.XmAsync("domid", "web"));

        // The journal is replayed; there is nothing else to mend.
        Assert.InRange((await xend.RunAsync("e2fsck", "-p", image.Path)).Code, 0, 1);
        image.AssertClean();

        await xend.RestartAsync("--memory=512");
        Assert.Contains("did not end by itself: its domains ended as by a power cut", await xend.ReadLogAsync(), StringComparison.Ordinal);
        await xend.WhenRunningAsync("web");
        using ConsoleCall again = await ConsoleCall.OpenAsync(xend, "web");
        await again.WaitForShellAsync();
        Assert.Equal("before the cut", await again.RunAsync("mkdir -p /m && mount -t ext4 /dev/xvda /m && cat /m/file"));

        // Told to stop, it has the guest shut down, and leaves nothing but what it shall keep.
        await xend.Client.StopAsync(new StopRequest());
        Assert.Equal(0, await xend.WaitForExitAsync());
        Assert.DoesNotContain("has not shut down in time", await xend.ReadLogAsync(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(xend.Folder, "run")));
        Assert.Equal(["domains"], Directory.GetFileSystemEntries(Path.Combine(xend.Folder, "state")).Select(Path.GetFileName));
        Assert.Equal(0, (await xend.RunAsync("e2fsck", "-p", image.Path)).Code);
    }

    [Fact]
    public async Task OneImage_ForTwoWriters_IsRefused_UnlessTheyShareIt()
    {
        using DiskImage image = DiskImage.Empty(4);
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=512");
        string kernel = xend.WriteIdleKernel();
        await xend.CreateAsync("writer", kernel, paused: true, $"disk=file:{image.Path},xvda,w");
        await xend.CreateAsync("other", kernel, paused: true);
        foreach (string access in (string[])["w", "r", "cow"])
        {
            (int code, _, string error) = await xend.XmAsync("block-attach", "other", $"file:{image.Path}", "xvda", access);
            Assert.Equal(1, code);
            Assert.Matches("is in use (for writing )?by another domain or program", error);
        }

        Assert.Equal((0, "", ""), await xend.XmAsync("block-attach", "other", $"file:{image.Path}", "xvda", "w!"));
        Assert.Equal(2, (await xend.ListAsync()).Count);
    }

    [Fact]
    public async Task KilledXm_InAnyCommand_LeavesXendAndGuestsWell()
    {
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=512");
        string kernel = xend.WriteKernel("talker", static guest =>
        {
            guest.PrintRing("hello\r\n");
            PrivateXend.Idle(guest);
        });
        await xend.CreateAsync("one", kernel);
        string config = Path.Combine(xend.Folder, "two.cfg");
        await File.WriteAllTextAsync(config, $"name = 'two'\nkernel = '{kernel}'\nmemory = 64\n");

        // Each is killed when it has said something: it is at its work then.
        await xend.KillXmAsync("hello", "console", "one");
        await xend.KillXmAsync("hello", "create", "-c", config);
        await xend.KillXmAsync("NAME", "top", "-b", "-d", "0.1");
        await xend.KillXmAsync("", "shutdown", "-w", "one");
        await xend.KillXmAsync("", "dump-core", "one", Path.Combine(xend.Folder, "core"));

        (int code, string list, string error) = await xend.XmAsync("list");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(4, list.TrimEnd('\n').Split('\n').Length);
        await xend.KillXmAsync("hello", "console", "two");
    }

    [Fact]
    public async Task KilledXend_LeavesNoCopies()
    {
        using DiskImage image = DiskImage.Empty(16);
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=256");
        await xend.CreateAsync("one", xend.WriteIdleKernel(), paused: true, $"disk=file:{image.Path},xvda,cow");
        string overlays = Path.Combine(xend.Folder, "state", "overlays");
        Assert.Single(Directory.GetDirectories(overlays));
        await xend.KillAsync();
        await xend.RestartAsync("--memory=256");
        Assert.Empty(Directory.GetDirectories(overlays));
    }
}
