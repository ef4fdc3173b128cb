using System.Security.Cryptography;
using Xen.Contract.V1;
using Xunit.Abstractions;

namespace Xen.Boot.Tests.Service;

/// <summary>Many domains in one xend, at once and one after the other.</summary>
public sealed class ScaleTests(ITestOutputHelper output)
{
    [Fact]
    public async Task HundredTinyGuests_AtOnce()
    {
        const int guests = 100;
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=8192");
        string kernel = xend.WriteIdleKernel();
        for (int i = 1; i <= guests; i++)
            await xend.CreateAsync($"tiny{i}", kernel);
        (int code, string list, string error) = await xend.XmAsync("list");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(guests + 2, list.TrimEnd('\n').Split('\n').Length);
        Assert.Equal(guests, (await xend.ListAsync()).Count(static domain => domain.StateText is "idle" or "running"));
        long resident = xend.ResidentBytes >> 20;
        output.WriteLine($"{guests} guests: {resident} MiB");
        Assert.InRange(resident, 1, guests * 20);

        // A hundred programs ask at the same time; each is answered.
        (int Code, string Out, string Error)[] answers = await Task.WhenAll(Enumerable.Range(1, guests).Select(i => xend.XmAsync("domid", $"tiny{i}")));
        Assert.Equal(Enumerable.Range(1, guests).Select(static i => (0, $"{i}\n", "")), answers);
    }

    [Fact]
    public async Task TwentyDebianGuests_FromOneTemplate_ReachEachOther_AndShutDownTogether()
    {
        const int guests = 20;
        using DiskImage image = DiskImage.Ext4(16);
        string before = Hash(image.Path);
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=4096");
        string template = xend.WriteDebianConfig($"name = 'web'\nmemory = 96\ndisk = ['file:{image.Path},xvda,w']\nvif = ['bridge=lan']\n");
        (int code, string said, string error) = await xend.XmAsync("create", template, "--count", "20");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(Enumerable.Range(1, guests).Select(static i => $"Started domain web{i} (id={i})"), said.TrimEnd('\n').Split('\n'));

        // Each has a disk of its own, which begins as the template's.
        await Task.WhenAll(Enumerable.Range(1, guests).Select(async i =>
        {
            using ConsoleCall console = await ConsoleCall.OpenAsync(xend, $"web{i}");
            await console.WaitForShellAsync();
            await console.RunAsync($"ifconfig eth0 10.9.0.{i} netmask 255.255.255.0 && mkdir -p /m && mount -t ext4 /dev/xvda /m && test ! -e /m/me && echo {i} >/m/me && sync");
        }));
        using (ConsoleCall first = await ConsoleCall.OpenAsync(xend, "web1"))
        {
            await first.WaitForShellAsync();
            await first.RunAsync($"for i in $(seq 2 {guests}); do ping -q -c 1 -W 60 10.9.0.$i >/dev/null || exit; done");
        }

        Assert.Equal(guests, (await xend.ListAsync()).Count(static domain => domain is { MemoryMib: 96, OnlineVcpus: 1 }));
        output.WriteLine($"{guests} guests: {xend.ResidentBytes >> 20} MiB");
        (code, said, error) = await xend.XmAsync("shutdown", "-a", "-w");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal(Enumerable.Range(1, guests).Select(static i => $"Domain web{i} terminated").Order(StringComparer.Ordinal), said.TrimEnd('\n').Split('\n').Order(StringComparer.Ordinal));
        Assert.Empty(await xend.ListAsync());
        Assert.Equal(before, Hash(image.Path));
        Assert.Empty(Directory.GetDirectories(Path.Combine(xend.Folder, "state", "overlays")));
    }

    [Fact]
    public async Task ThousandLives_LeaveNothing()
    {
        const int first = 20, lives = 1000;
        await using PrivateXend xend = await PrivateXend.StartAsync("--memory=512");
        string kernel = xend.WriteIdleKernel();
        async Task LiveAsync(int number) => await xend.DestroyAsync(await xend.CreateAsync($"tiny{number}", kernel, paused: number % 2 == 0));

        // What is made once and kept has been made by then.
        for (int i = 0; i < first; i++)
            await LiveAsync(i);
        Usage before = await MeasureAsync(xend);
        for (int i = 0; i < lives; i++)
            await LiveAsync(i);
        Usage after = await MeasureAsync(xend);
        output.WriteLine($"before: {before}\nafter: {after}");
        Assert.Equal((before.FreeMiB, before.StoreNodes), (after.FreeMiB, after.StoreNodes));

        // The runtime has some of its own, and comes and goes with them; a leak would be a thousand.
        Assert.InRange(after.Descriptors, 0, before.Descriptors + 10);
        Assert.InRange(after.Threads, 0, before.Threads + 10);
        Assert.InRange(after.ResidentMiB, 0, before.ResidentMiB + 40);
    }

    private static string Hash(string path) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)));

    private static async Task<Usage> MeasureAsync(PrivateXend xend) => new(
        (await xend.Client.GetInfoAsync(new GetInfoRequest())).FreeMemoryMib, await xend.CountStoreNodesAsync(), xend.Descriptors, xend.Threads, xend.ResidentBytes >> 20);

    private sealed record Usage(long FreeMiB, int StoreNodes, int Descriptors, int Threads, long ResidentMiB);
}
