using System.Collections.Concurrent;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Storage;
using Xen.GuestKit.Harness;
using Xen.Rings.Xenbus;

namespace Xen.Drivers.Tests.Block;

/// <summary>A disk with both its halves, in a world of their own; the test plays the handshake.</summary>
internal sealed class BlockPair : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private const int DeviceId = 51712;

    private readonly ManualResetEventSlim _failed = new();

    public BlockPair(IBlockStorage storage, BlockBackendOptions? options = null)
    {
        Dom0 = World.Domain(0);
        Guest = World.Domain(3);
        (BackendPath, FrontendPath) = World.Link(Dom0, Guest, "vbd", DeviceId);
        World.Store.Write(BackendPath + "/mode", storage.ReadOnly ? "r" : "w");
        options ??= new BlockBackendOptions();
        Backend = new BlockBackend(storage, options with { Log = Log.Enqueue, SizeCheck = Timeout.InfiniteTimeSpan });
        FrontendContext = new XenbusFrontendContext(
            Guest.Store, Guest.Grants, Guest.Events, FrontendPath, BackendPath, Dom0.Id, DeviceId, Fail);
        Context = new XenbusBackendContext(Dom0.Store, Dom0.Grants, Dom0.Events, BackendPath, FrontendPath, Guest.Id, DeviceId, Fail);
    }

    public World World { get; } = new();

    public WorldDomain Dom0 { get; }

    public WorldDomain Guest { get; }

    public BlockBackend Backend { get; }

    public XenbusBackendContext Context { get; }

    public XenbusFrontendContext FrontendContext { get; }

    public string BackendPath { get; }

    public string FrontendPath { get; }

    public ConcurrentQueue<string> Log { get; } = [];

    /// <summary>Why the backend gave the device up, or null.</summary>
    public string? Failure { get; private set; }

    public string? Offered(string node) => World.Store.Read($"{BackendPath}/{node}");

    public void Advertise()
    {
        Assert.Null(Backend.Advertise(Context));
        World.Store.Write(BackendPath + "/state", "2");
    }

    public BlockFrontend Connect(BlockFrontendOptions? options = null)
    {
        Advertise();
        BlockFrontend frontend = new(options);
        Assert.Null(frontend.Publish(FrontendContext));
        World.Store.Write(FrontendPath + "/state", "3");
        ConnectBackend();
        Assert.Null(frontend.Connect(FrontendContext));
        return frontend;
    }

    public void ConnectBackend()
    {
        Assert.Null(Backend.Connect(Context));
        World.Store.Write(BackendPath + "/state", "4");
    }

    /// <summary>The end as the protocol has it; nothing may be left.</summary>
    public void Close(BlockFrontend frontend)
    {
        frontend.Disconnect();
        Backend.Disconnect();
        AssertNothingHeld();
    }

    public void AssertNothingHeld()
    {
        Assert.Empty(World.Held());
        Assert.Equal(0, Guest.Grants.Pages);
    }

    public bool WaitForFailure() => _failed.Wait(Patience);

    public void Dispose()
    {
        Backend.Dispose();
        Assert.Empty(Dom0.Held());
        World.Dispose();
        _failed.Dispose();
    }

    private void Fail(string reason)
    {
        Failure = reason;
        _failed.Set();
    }
}
