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
