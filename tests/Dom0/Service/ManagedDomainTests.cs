using Grpc.Core;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.Service;
using Xen.Toolstack;
using Domain = Xen.Contract.V1.Domain;

namespace Xen.Dom0.Tests.Service;

/// <summary>Managed domains and what starts with xend, over several xends on one state folder.</summary>
public sealed class ManagedDomainTests
{
    [Fact]
    public async Task ManagedDomain_OutlivesItsEndAndXend()
    {
        using var world = new StateWorld();
        await using (RunningXend xend = await world.StartAsync())
        {
            Domain kept = (await xend.Client.DefineDomainAsync(xend.Request("web", xend.WriteIdleKernel()))).Domain;
            Assert.Equal((-1, "web", "shutoff", true), (kept.Id, kept.Name, kept.StateText, kept.Managed));
            Assert.Equal(["Domain-0", "web"], await world.NamesAsync(xend, withInactive: true));
            Assert.Equal(["Domain-0"], await world.NamesAsync(xend, withInactive: false));

            Domain running = (await xend.Client.StartDomainAsync(new StartDomainRequest { Domain = "web" })).Domain;
            Assert.Equal((kept.Uuid, true), (running.Uuid, running.Managed));
            Assert.Equal(["Domain-0", "web"], await world.NamesAsync(xend, withInactive: true));
            Assert.Contains("is running", (await FaultAsync(xend.Client.DeleteDomainAsync(Of("web")))).Status.Detail, StringComparison.Ordinal);
            Assert.Contains("is running already", (await FaultAsync(xend.Client.StartDomainAsync(new StartDomainRequest { Domain = "web" }))).Status.Detail, StringComparison.Ordinal);
            await xend.Client.RenameDomainAsync(new RenameDomainRequest { Domain = "web", Name = "www" });
            await xend.Client.DestroyDomainAsync(Of("www"));
            await xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = running.Handle });
        }

        await using (RunningXend xend = await world.StartAsync())
        {
            Assert.Equal(["Domain-0", "www"], await world.NamesAsync(xend, withInactive: true));
            Assert.Contains("xm start www", (await FaultAsync(xend.Client.PauseDomainAsync(Of("www")))).Status.Detail, StringComparison.Ordinal);
            Assert.Contains("xm start www", (await FaultAsync(xend.Client.CreateDomainAsync(xend.Request("www", xend.WriteIdleKernel())))).Status.Detail, StringComparison.Ordinal);
            Domain running = (await xend.Client.StartDomainAsync(new StartDomainRequest { Domain = "www", StartPaused = true })).Domain;
            Assert.Equal("--p---", running.State);
            await xend.Client.DestroyDomainAsync(Of("www"));
            await xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = running.Handle });
            await xend.Client.DeleteDomainAsync(Of("www"));
            Assert.Equal(["Domain-0"], await world.NamesAsync(xend, withInactive: true));
            Assert.Equal(StatusCode.NotFound, (await FaultAsync(xend.Client.StartDomainAsync(new StartDomainRequest { Domain = "www" }))).StatusCode);
            Assert.False(xend.Paths.HasManagedDomains);
        }
    }

    [Fact]
    public async Task WhatShallStartWithXend_Does()
    {
        using var world = new StateWorld();
        await using (RunningXend xend = await world.StartAsync())
        {
            CreateDomainRequest request = xend.Request("kept", xend.WriteIdleKernel());
            request.Overrides.Add("on_xend_start=start");
            await xend.Client.DefineDomainAsync(request);
            await xend.Client.DefineDomainAsync(xend.Request("other", xend.WriteIdleKernel()));
            Directory.CreateDirectory(Path.Combine(world.Folder, "etc", "auto"));
            await File.WriteAllTextAsync(Path.Combine(world.Folder, "etc", "auto", "fromfile.cfg"), "kernel = '../../idle'\nmemory = 64\n");
            await File.WriteAllTextAsync(Path.Combine(world.Folder, "etc", "auto", "broken.cfg"), "kernel = \n");
            await File.WriteAllTextAsync(Path.Combine(world.Folder, "etc", "auto", "fromfile.cfg~"), "what an editor left");
        }

        await using (RunningXend xend = await world.StartAsync())
        {
            await xend.WhenLoggedAsync("'fromfile'");
            Assert.Equal(["Domain-0", "kept", "fromfile"], await world.NamesAsync(xend, withInactive: false));
            Assert.Contains("broken.cfg is not started: ", await xend.ReadLogAsync(), StringComparison.Ordinal);
            Assert.DoesNotContain("cfg~", await xend.ReadLogAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task StateFiles_AreWholeOrNotThere()
    {
        using var world = new StateWorld();
        string folder;
        await using (RunningXend xend = await world.StartAsync())
        {
            await xend.Client.DefineDomainAsync(xend.Request("good", xend.WriteIdleKernel()));
            folder = xend.Paths.DomainFolder;
        }

        // What a power cut in the middle of writing would leave, what an editor's would, and another version's.
        string half = Path.Combine(folder, $"{Guid.NewGuid()}.json");
        await File.WriteAllTextAsync(half + ".new", "{ \"version\": 1,");
        await File.WriteAllTextAsync(half, "{ \"version\": 1, \"name\": \"half\"");
        string old = Path.Combine(folder, $"{Guid.NewGuid()}.json");
        string good = await File.ReadAllTextAsync(Directory.GetFiles(folder, "*.json").Single(path => path != half));
        await File.WriteAllTextAsync(old, good.Replace("\"version\": 1", "\"version\": 99", StringComparison.Ordinal));
        await using (RunningXend xend = await world.StartAsync())
        {
            Assert.Equal(["Domain-0", "good"], await world.NamesAsync(xend, withInactive: true));
            string log = await xend.ReadLogAsync();
            Assert.Contains(half + " is left out", log, StringComparison.Ordinal);
            Assert.Contains(old + " is left out", log, StringComparison.Ordinal);
            Assert.False(File.Exists(half + ".new"));
            Assert.True(File.Exists(half) && File.Exists(old));
        }
    }

    [Fact]
    public async Task WhatWasWritten_StaysWithAConfigurationThatCannotBeRead()
    {
        using var world = new StateWorld();
        string folder;
        await using (RunningXend xend = await world.StartAsync())
        {
            folder = xend.Paths.OverlayFolder;
            string image = Path.Combine(world.Folder, "disk.img");
            await File.WriteAllBytesAsync(image, new byte[1 << 20]);
            CreateDomainRequest request = xend.Request("kept", xend.WriteIdleKernel());
            request.Overrides.Add($"disk={image},raw,xvda,cow");
            await xend.Client.DefineDomainAsync(request);
            Domain running = (await xend.Client.StartDomainAsync(new StartDomainRequest { Domain = "kept", StartPaused = true })).Domain;
            await xend.Client.DestroyDomainAsync(Of("kept"));
            await xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = running.Handle });
            string definition = Directory.GetFiles(xend.Paths.DomainFolder).Single();
            await File.WriteAllTextAsync(definition, "{ damaged");
        }

        Assert.Single(Directory.GetDirectories(folder));
        await using (RunningXend xend = await world.StartAsync())
        {
            await xend.Client.DefineDomainAsync(xend.Request("other", xend.WriteIdleKernel()));
            await xend.Client.DeleteDomainAsync(Of("other"));
        }

        Assert.Single(Directory.GetDirectories(folder));
    }

    [Fact]
    public async Task UuidOfAManagedDomain_IsNobodyElses()
    {
        using var world = new StateWorld();
        await using RunningXend xend = await world.StartAsync();
        string uuid = Guid.NewGuid().ToString();
        CreateDomainRequest kept = xend.Request("kept", xend.WriteIdleKernel()), other = xend.Request("other", xend.WriteIdleKernel());
        kept.Overrides.Add("uuid=" + uuid);
        other.Overrides.Add("uuid=" + uuid);
        await xend.Client.DefineDomainAsync(kept);
        Assert.Contains("has the UUID", (await FaultAsync(xend.Client.CreateDomainAsync(other))).Status.Detail, StringComparison.Ordinal);
        Assert.Contains("has the UUID", (await FaultAsync(xend.Client.DefineDomainAsync(other))).Status.Detail, StringComparison.Ordinal);
        await xend.Client.StartDomainAsync(new StartDomainRequest { Domain = "kept" });
    }

    [Fact]
    public async Task Description_OfWhatCannotBeStarted_SaysWhy()
    {
        using var world = new StateWorld();
        await using RunningXend xend = await world.StartAsync();
        string kernel = xend.WriteIdleKernel();
        await xend.Client.DefineDomainAsync(xend.Request("kept", kernel));
        File.Delete(kernel);
        string text = (await xend.Client.DescribeDomainsAsync(new ListDomainsRequest { WithInactive = true })).Text;
        Assert.Contains("(name Domain-0)", text, StringComparison.Ordinal);
        Assert.Contains("(name kept)", text, StringComparison.Ordinal);
        Assert.Contains("does not exist", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task XendThatIsOnlyAsked_StartsDomainsWhenTheFirstIsCreated()
    {
        using var world = new StateWorld();
        await using (RunningXend xend = await world.StartAsync())
        {
            CreateDomainRequest request = xend.Request("kept", xend.WriteIdleKernel());
            request.Overrides.Add("on_xend_start=start");
            await xend.Client.DefineDomainAsync(request);
        }

        await using (RunningXend xend = await world.StartAsync(configure: static options => options with { StartsDomains = false }))
        {
            Assert.Equal(["Domain-0"], await world.NamesAsync(xend, withInactive: false));
            await xend.CreateAsync("other", xend.WriteIdleKernel());
            await xend.WhenLoggedAsync("started with xend");
            Assert.Equal(["Domain-0", "kept", "other"], (await world.NamesAsync(xend, withInactive: false)).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task Stop_GoesOnWithoutTheClientThatSaidSo_AndRestartsNothing()
    {
        using var world = new StateWorld();
        await using RunningXend xend = await world.StartAsync();

        // A guest that does not hear: it is destroyed in the end.
        CreateDomainRequest request = xend.Request("deaf", xend.WriteIdleKernel());
        request.Overrides.Add("on_poweroff=restart");
        Domain deaf = (await xend.Client.CreateDomainAsync(request)).Domain;
        using var client = new CancellationTokenSource();
        AsyncUnaryCall<Done> stop = xend.Client.StopAsync(new StopRequest { TimeoutSeconds = 1 }, cancellationToken: client.Token);
        await xend.WhenLoggedAsync("asked to shut down: 1");
        await client.CancelAsync();
        await Assert.ThrowsAsync<RpcException>(async () => await stop);
        await xend.Host.StopRequested.WaitAsync(RunningXend.Patience);
        Assert.Contains("'deaf' has not shut down in time", await xend.ReadLogAsync(), StringComparison.Ordinal);
        Assert.True((await xend.Client.WaitDomainAsync(new WaitDomainRequest { Handle = deaf.Handle })).Destroyed);
    }

    [Fact]
    public async Task TwoXends_OnOneStateFolder_TheSecondRefuses()
    {
        using var world = new StateWorld();
        await using RunningXend xend = await world.StartAsync();
        XenPaths other = xend.Paths with { RuntimeFolder = Path.Combine(world.Folder, "run2"), StateFolder = xend.Paths.StateFolder };
        ToolstackException fault = await Assert.ThrowsAsync<ToolstackException>(
            () => XendHost.StartAsync(new XendOptions(other) { MemoryMiB = 128 }, LocalToolstack.Start, watched: null));
        Assert.Contains("XEN_STATE_DIR", fault.Message, StringComparison.Ordinal);
        Assert.Equal(["Domain-0"], await world.NamesAsync(xend, withInactive: true));
    }

    [Fact]
    public async Task Instances_AreNumbered()
    {
        using var world = new StateWorld();
        await using RunningXend xend = await world.StartAsync(memoryMiB: 512);
        for (int number = 1; number <= 3; number++)
        {
            CreateDomainRequest request = xend.Request("web", xend.WriteIdleKernel());
            request.Instance = number;
            await xend.Client.CreateDomainAsync(request);
        }

        Assert.Equal(["Domain-0", "web1", "web2", "web3"], await world.NamesAsync(xend, withInactive: true));
    }

    private static DomainRequest Of(string name) => new() { Domain = name };

    private static async Task<RpcException> FaultAsync<T>(AsyncUnaryCall<T> call) => await Assert.ThrowsAsync<RpcException>(async () => await call);

    /// <summary>Folders that outlive a xend.</summary>
    private sealed class StateWorld : IDisposable
    {
        public string Folder { get; } = Directory.CreateTempSubdirectory("xend-").FullName;

        public Task<RunningXend> StartAsync(int memoryMiB = 256, Func<XendOptions, XendOptions>? configure = null) => RunningXend.StartAsync(Folder, memoryMiB, configure);

        public async Task<IEnumerable<string>> NamesAsync(RunningXend xend, bool withInactive) =>
            (await xend.Client.ListDomainsAsync(new ListDomainsRequest { WithInactive = withInactive })).Domains.Select(static domain => domain.Name);

        public void Dispose() => Directory.Delete(Folder, recursive: true);
    }
}
