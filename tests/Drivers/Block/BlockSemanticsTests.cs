using Xen.Abi;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Tests.Block;

/// <summary>What the protocol promises beyond reading and writing.</summary>
public sealed class BlockSemanticsTests
{
    [Fact]
    public void Advertise_OffersEveryFeatureByItsName()
    {
        using BlockPair pair = new(new FakeStorage(), new BlockBackendOptions { Removable = true });
        pair.Advertise();
        Dictionary<string, string> expected = new()
        {
            ["feature-barrier"] = "1",
            ["feature-flush-cache"] = "1",
            ["feature-discard"] = "1",
            ["discard-granularity"] = "512",
            ["discard-alignment"] = "0",
            ["discard-secure"] = "0",
            ["feature-persistent"] = "1",
            ["feature-max-indirect-segments"] = "256",
            ["max-ring-page-order"] = "4",
            ["max-ring-pages"] = "16",
            ["multi-queue-max-queues"] = "4",
            ["sectors"] = "2048",
            ["sector-size"] = "512",
            ["physical-sector-size"] = "512",
            ["info"] = "2",
        };
        Assert.All(expected, node => Assert.Equal(node.Value, pair.Offered(node.Key)));
    }

    [Fact]
    public async Task Cdrom_IsReadOnly()
    {
        using TempImage image = new();
        using BlockPair pair = new(image.Open(readOnly: true), new BlockBackendOptions { Cdrom = true, Removable = true });
        using BlockFrontend frontend = pair.Connect();
        Assert.Equal(VdiskInfo.Cdrom | VdiskInfo.Removable | VdiskInfo.ReadOnly, frontend.Properties.Info);
        Assert.False(frontend.Properties.Discard);
        byte[] data = new byte[512];
        Assert.Equal(BlkifStatus.Okay, await frontend.ReadAsync(1, data).WaitAsync(BlockPair.Patience));
        Assert.Equal(image.Content[512..1024], data);
        Assert.Equal(BlkifStatus.Error, await frontend.WriteAsync(1, data).WaitAsync(BlockPair.Patience));
        Assert.Equal(BlkifStatus.NotSupported, await frontend.DiscardAsync(0, 8).WaitAsync(BlockPair.Patience));
        Assert.Equal(BlkifStatus.Okay, await frontend.FlushAsync().WaitAsync(BlockPair.Patience));
        pair.Close(frontend);
    }

    [Fact]
    public void Advertise_OfAReadOnlyStorageForWriting_IsRefused()
    {
        using TempImage image = new();
        using BlockPair pair = new(image.Open(readOnly: true));
        pair.World.Store.Write(pair.BackendPath + "/mode", "w");
        Assert.Contains("opened for reading only", pair.Backend.Advertise(pair.Context), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ModeR_OfAWritableStorage_IsReadOnly()
    {
        using BlockPair pair = new(new FakeStorage());
        pair.World.Store.Write(pair.BackendPath + "/mode", "r");
        using BlockFrontend frontend = pair.Connect();
        Assert.Equal(VdiskInfo.ReadOnly, frontend.Properties.Info);
        Assert.Equal(BlkifStatus.Error, await frontend.WriteAsync(0, new byte[512]).WaitAsync(BlockPair.Patience));
        pair.Close(frontend);
    }

    [Fact]
    public async Task Discard_PunchesAHole_AndASecureOneIsNotSupported()
    {
        using TempImage image = new();
        using BlockPair pair = new(image.Open());
        using BlockFrontend frontend = pair.Connect();
        Assert.Equal(BlkifStatus.Okay, await frontend.DiscardAsync(8, 16).WaitAsync(BlockPair.Patience));
        Assert.Equal(BlkifStatus.NotSupported, await frontend.DiscardAsync(100, 16, secure: true).WaitAsync(BlockPair.Patience));
        byte[] expected = [.. image.Content];
        expected.AsSpan(8 * 512, 16 * 512).Clear();
        Assert.Equal(expected, File.ReadAllBytes(image.Path));
        pair.Close(frontend);
    }

    [Fact]
    public async Task DiscardEnableOff_OffersNone()
    {
        using BlockPair pair = new(new FakeStorage());
        pair.World.Store.Write(pair.BackendPath + "/discard-enable", "0");
        using BlockFrontend frontend = pair.Connect();
        Assert.Equal("0", pair.Offered("feature-discard"));
        Assert.Null(pair.Offered("discard-granularity"));
        Assert.Equal(BlkifStatus.NotSupported, await frontend.DiscardAsync(0, 8).WaitAsync(BlockPair.Patience));
        pair.Close(frontend);
    }

    [Fact]
    public async Task Resize_RewritesSectorsAndStaysConnected()
    {
        using TempImage image = new();
        using BlockPair pair = new(image.Open());
        using BlockFrontend frontend = pair.Connect();
        Assert.Equal(BlkifStatus.Error, await frontend.WriteAsync(2048, new byte[512]).WaitAsync(BlockPair.Patience));
        using (FileStream file = new(image.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(2 << 20);
        using ManualResetEventSlim told = new();
        Assert.Equal(XenErrno.OK, pair.Guest.Store.Watch(pair.BackendPath + "/state", _ =>
        {
            if (pair.Offered("sectors") == "4096")
                told.Set();
        }, out IDisposable? watch));
        pair.Backend.Refresh();
        Assert.True(told.Wait(BlockPair.Patience), "the frontend is not told of the new size");
        watch!.Dispose();
        Assert.Equal("4", pair.Offered("state"));
        frontend.BackendChanged(pair.FrontendContext);
        Assert.Equal(4096, frontend.Properties.Sectors);
        Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(4095, new byte[512]).WaitAsync(BlockPair.Patience));
        pair.Close(frontend);
    }

    [Fact]
    public async Task Resize_BeforeItIsConnected_IsKnownWhenItIs()
    {
        FakeStorage storage = new();
        using BlockPair pair = new(storage);
        pair.Advertise();
        storage.NextSize = 512 * 100;
        using BlockFrontend frontend = pair.Connect();
        Assert.Equal(100, frontend.Properties.Sectors);
        Assert.Equal(BlkifStatus.Error, await frontend.ReadAsync(100, new byte[512]).WaitAsync(BlockPair.Patience));
        pair.Close(frontend);
    }

    [Fact]
    public async Task Flush_CoversEveryWriteThatWasAnswered()
    {
        FakeStorage storage = new();
        using BlockPair pair = new(storage, new BlockBackendOptions { Workers = 4 });
        using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { Queues = 4 });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(WriteAndFlush)).WaitAsync(BlockPair.Patience);
        pair.Close(frontend);

        async Task WriteAndFlush(int who)
        {
            for (int i = 0; i < 50; i++)
            {
                long sector = (who * 256) + i;
                byte[] data = new byte[512];
                new Random((who * 1000) + i).NextBytes(data);
                Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(sector, data));
                Assert.Equal(BlkifStatus.Okay, await frontend.FlushAsync());
                Assert.Equal(data, storage.Stable[(int)(sector * 512)..(int)((sector + 1) * 512)]);
            }
        }
    }

    [Fact]
    public async Task Barrier_WaitsForWhatIsBeforeIt_AndWhatIsAfterItWaits()
    {
        FakeStorage storage = new();
        using ManualResetEventSlim began = new(), goOn = new();
        storage.Before = (operation, offset) =>
        {
            if (operation == "write" && offset == 0)
            {
                began.Set();
                goOn.Wait(BlockPair.Patience);
            }

            return XenErrno.OK;
        };
        using BlockPair pair = new(storage, new BlockBackendOptions { Workers = 4 });
        using BlockFrontend frontend = pair.Connect();
        Task<BlkifStatus> before = frontend.WriteAsync(0, new byte[512]);
        Assert.True(began.Wait(BlockPair.Patience));
        Task<BlkifStatus> beside = frontend.WriteAsync(1, new byte[512]);
        Assert.Equal(BlkifStatus.Okay, await beside.WaitAsync(BlockPair.Patience));
        Task<BlkifStatus> barrier = frontend.BarrierAsync(8, new byte[512]);
        Task<BlkifStatus> after = frontend.WriteAsync(16, new byte[512]);
        Task<BlkifStatus> empty = frontend.BarrierAsync(0, default);
        Assert.False(barrier.IsCompleted || after.IsCompleted);
        goOn.Set();
        Assert.All(await Task.WhenAll(before, barrier, after, empty).WaitAsync(BlockPair.Patience), s => Assert.Equal(BlkifStatus.Okay, s));
        Assert.Equal(["write 512", "write 0", "flush", "write 4096", "flush", "write 8192", "flush"], storage.Done);
        pair.Close(frontend);
    }

    [Theory]
    [InlineData(XenErrno.EIO, BlkifStatus.Error, "I/O error")]
    [InlineData(XenErrno.ENOSPC, BlkifStatus.Error, "no space")]
    [InlineData(XenErrno.ENODATA, BlkifStatus.Error, "truncated")]
    [InlineData(XenErrno.EOPNOTSUPP, BlkifStatus.NotSupported, "EOPNOTSUPP")]
    public async Task StorageThatFails_FailsTheRequestAndTellsTheOperator(XenErrno errno, BlkifStatus status, string said)
    {
        FakeStorage storage = new() { Before = (_, offset) => offset == 4096 ? errno : XenErrno.OK };
        using BlockPair pair = new(storage);
        using BlockFrontend frontend = pair.Connect();
        for (int i = 0; i < 100; i++)
            Assert.Equal(status, await frontend.WriteAsync(8, new byte[512]).WaitAsync(BlockPair.Patience));
        Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(9, new byte[512]).WaitAsync(BlockPair.Patience));
        Assert.Equal(100, pair.Backend.Counters.Failed);
        Assert.Contains(said, pair.Log.First(), StringComparison.Ordinal);
        Assert.InRange(pair.Log.Count, 1, 60);
        Assert.Null(pair.Failure);
        pair.Close(frontend);
    }

    [Fact]
    public async Task TruncatedImage_FailsForGoodWhatItLost()
    {
        using TempImage image = new();
        using BlockPair pair = new(image.Open());
        using BlockFrontend frontend = pair.Connect();
        using (FileStream file = new(image.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(512 * 1024);
        byte[] data = new byte[4096];
        Assert.Equal(BlkifStatus.Error, await frontend.ReadAsync(1500, data).WaitAsync(BlockPair.Patience));
        Assert.Equal(BlkifStatus.Error, await frontend.WriteAsync(2040, data).WaitAsync(BlockPair.Patience));
        Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(8, data).WaitAsync(BlockPair.Patience));
        Assert.Equal(512 * 1024, new FileInfo(image.Path).Length);
        using (FileStream file = new(image.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(1 << 20);
        Assert.Equal(BlkifStatus.Error, await frontend.ReadAsync(1500, data).WaitAsync(BlockPair.Patience));
        Assert.Contains(pair.Log, line => line.Contains("truncated", StringComparison.Ordinal));
        pair.Close(frontend);
    }

    [Fact]
    public async Task Disconnect_WaitsForWhatIsUnderWay()
    {
        FakeStorage storage = new();
        using ManualResetEventSlim began = new(), goOn = new();
        storage.Before = (_, _) =>
        {
            began.Set();
            goOn.Wait(BlockPair.Patience);
            return XenErrno.OK;
        };
        using BlockPair pair = new(storage);
        using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { Persistent = false });
        Task<BlkifStatus> write = frontend.WriteAsync(0, new byte[4096]);
        Assert.True(began.Wait(BlockPair.Patience));
        Task disconnected = Task.Run(pair.Backend.Disconnect);
        Assert.True(pair.Dom0.Grants.Mapped > 1);
        Assert.False(disconnected.IsCompleted);
        goOn.Set();
        await disconnected.WaitAsync(BlockPair.Patience);
        Assert.Equal(BlkifStatus.Okay, await write.WaitAsync(BlockPair.Patience));
        Assert.Equal(0, pair.Dom0.Grants.Mapped);
        pair.Close(frontend);
    }

    [Fact]
    public async Task Queues_WorkBesideEachOther()
    {
        FakeStorage storage = new();
        using Barrier together = new(4);
        storage.Before = (_, _) => together.SignalAndWait(BlockPair.Patience) ? XenErrno.OK : XenErrno.EIO;
        using BlockPair pair = new(storage, new BlockBackendOptions { Workers = 4 });
        using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { Queues = 4 });
        for (int i = 0; i < 20; i++)
        {
            BlkifStatus[] all = await Task.WhenAll(
                Enumerable.Range(0, 4).Select(q => frontend.WriteAsync(q * 8, new byte[512], queue: q))).WaitAsync(BlockPair.Patience);
            Assert.All(all, status => Assert.Equal(BlkifStatus.Okay, status));
        }

        pair.Close(frontend);
    }

    [Fact]
    public async Task OneQueue_WorksOnManyRequestsAtOnce()
    {
        FakeStorage storage = new();
        using Barrier together = new(3);
        storage.Before = (_, _) => together.SignalAndWait(BlockPair.Patience) ? XenErrno.OK : XenErrno.EIO;
        using BlockPair pair = new(storage, new BlockBackendOptions { Workers = 3 });
        using BlockFrontend frontend = pair.Connect();
        for (int i = 0; i < 20; i++)
        {
            // One by one: the backend sees each in an event of its own, or does not.
            BlkifStatus[] all = await Task.WhenAll(
                Enumerable.Range(0, 3).Select(n => frontend.WriteAsync(n * 8, new byte[512]))).WaitAsync(BlockPair.Patience);
            Assert.All(all, status => Assert.Equal(BlkifStatus.Okay, status));
        }

        pair.Close(frontend);
    }
}
