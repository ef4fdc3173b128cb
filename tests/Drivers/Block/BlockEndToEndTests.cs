using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Protocol;
using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

/// <summary>Both halves against a model of the disk, in many combinations of features.</summary>
public sealed class BlockEndToEndTests
{
    private const int Size = 1 << 20;
    private const int Rounds = 12;
    private const int RequestsPerRound = 24;

    public static TheoryData<bool, int, bool, int, bool, int, int> Features => new()
    {
        // 32 bits, ring order, num-ring-pages, queues, persistent, segments, sector size
        { false, 0, false, 1, false, 11, 512 },
        { false, 0, false, 1, true, 11, 512 },
        { true, 0, false, 1, false, 11, 512 },
        { true, 0, false, 1, true, 64, 512 },
        { false, 1, false, 1, true, 32, 512 },
        { false, 4, false, 1, false, 256, 512 },
        { true, 3, true, 2, true, 256, 512 },
        { false, 0, false, 4, true, 32, 512 },
        { false, 2, true, 3, false, 256, 512 },
        { false, 0, false, 1, true, 32, 4096 },
        { true, 1, false, 2, false, 256, 4096 },
    };

    [Theory]
    [MemberData(nameof(Features))]
    public async Task Disk_HoldsWhatWasWritten(bool is32Bit, int order, bool numRingPages, int queues, bool persistent, int segments, int sectorSize)
    {
        using TempImage image = new(Size);
        byte[] model = [.. image.Content];
        using (BlockPair pair = new(image.Open(sectorSize: sectorSize)))
        {
            using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions
            {
                Is32Bit = is32Bit,
                RingPageOrder = order,
                NumRingPages = numRingPages,
                Queues = queues,
                Persistent = persistent,
                MaxSegments = segments,
            });
            Assert.Equal((Size / 512, sectorSize, queues), (frontend.Properties.Sectors, frontend.Properties.SectorSize, frontend.Queues));
            Random random = new(HashCode.Combine(order, queues, segments));
            for (int round = 0; round < Rounds; round++)
                await RunRound(frontend, model, random, frontend.Properties.MaxSegments, sectorSize / 512);
            Assert.Equal(BlkifStatus.Okay, await frontend.FlushAsync().WaitAsync(BlockPair.Patience));
            Assert.Equal(persistent, pair.Backend.PersistentGrants > 0);
            Assert.Null(frontend.Fault);
            Assert.Null(pair.Failure);
            Assert.Empty(pair.Log);
            pair.Close(frontend);
        }

        Assert.Equal(model, File.ReadAllBytes(image.Path));
    }

    [Fact]
    public async Task Disk_ConnectsAgainAfterItWasClosed()
    {
        using TempImage image = new(Size);
        using BlockPair pair = new(image.Open());
        for (int i = 0; i < 5; i++)
        {
            using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { Queues = 1 + (i % 2), RingPageOrder = 0 });
            byte[] written = new byte[4096], read = new byte[4096];
            new Random(i).NextBytes(written);
            Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(i * 8, written).WaitAsync(BlockPair.Patience));
            Assert.Equal(BlkifStatus.Okay, await frontend.ReadAsync(i * 8, read).WaitAsync(BlockPair.Patience));
            Assert.Equal(written, read);
            pair.Close(frontend);
            foreach (string node in (string[])["multi-queue-num-queues", "ring-ref", "event-channel", "queue-0", "queue-1"])
                pair.World.Store.Remove($"{pair.FrontendPath}/{node}");
        }
    }

    [Fact]
    public async Task PersistentGrants_AreBoundedAndTheLeastRecentlyUsedGoes()
    {
        FakeStorage storage = new();
        using BlockPair pair = new(storage, new BlockBackendOptions { MaxPersistentGrants = 5 });
        using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { MaxSegments = 11 });
        byte[] data = new byte[44 * 1024];
        for (int i = 0; i < 20; i++)
        {
            new Random(i).NextBytes(data);
            Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(0, data).WaitAsync(BlockPair.Patience));
            Assert.Equal(data, storage.Volatile[..data.Length]);
            Assert.InRange(pair.Backend.PersistentGrants, 1, 5);
        }

        pair.Close(frontend);
    }

    [Fact]
    public async Task Counters_TellWhatWasDone()
    {
        using BlockPair pair = new(new FakeStorage());
        using BlockFrontend frontend = pair.Connect();
        byte[] data = new byte[8192];
        await frontend.WriteAsync(0, data).WaitAsync(BlockPair.Patience);
        await frontend.ReadAsync(0, data).WaitAsync(BlockPair.Patience);
        await frontend.ReadAsync(8, data).WaitAsync(BlockPair.Patience);
        await frontend.FlushAsync().WaitAsync(BlockPair.Patience);
        await frontend.DiscardAsync(0, 24).WaitAsync(BlockPair.Patience);
        await frontend.ReadAsync(1L << 40, data).WaitAsync(BlockPair.Patience);
        BlockCounters counters = pair.Backend.Counters;
        Assert.Equal((6L, 2L, 1L, 1L, 1L), (counters.Requests, counters.Reads, counters.Writes, counters.Flushes, counters.Discards));
        Assert.Equal((32L, 16L, 24L), (counters.ReadSectors, counters.WrittenSectors, counters.DiscardedSectors));
        Assert.Equal((0L, 1L), (counters.Failed, counters.Bad));
        pair.Close(frontend);
    }

    /// <summary>A round: requests that are under way at once and do not overlap.</summary>
    private static async Task RunRound(BlockFrontend frontend, byte[] model, Random random, int maxSegments, int block)
    {
        List<Func<Task>> checks = [];
        List<Task> all = [];
        int sector = 0;
        for (int i = 0; i < RequestsPerRound; i++)
        {
            int lead = random.Next(8 / block) * block;
            sector += random.Next(4) * block;
            int most = Math.Min((maxSegments * 8) - lead, (Size / 512) - sector) / block;
            if (most < 1)
                break;
            int count = random.Next(1, 1 + Math.Min(most, random.Next(2) == 0 ? 16 : 512)) * block;
            all.Add(RunOne(frontend, model, random, sector, count, lead));
            sector += count;
        }

        await Task.WhenAll(all).WaitAsync(BlockPair.Patience);
    }

    private static async Task RunOne(BlockFrontend frontend, byte[] model, Random random, int sector, int count, int lead)
    {
        byte[] data = new byte[count * 512];
        int at = sector * 512, kind = random.Next(20);
        if (kind < 9)
        {
            Assert.Equal(BlkifStatus.Okay, await frontend.ReadAsync(sector, data, lead));
            Assert.True(data.AsSpan().SequenceEqual(model.AsSpan(at, data.Length)), $"sectors {sector}+{count} differ");
        }
        else if (kind == 9)
        {
            Assert.Equal(BlkifStatus.Okay, await frontend.DiscardAsync(sector, count));
            model.AsSpan(at, data.Length).Clear();
        }
        else
        {
            random.NextBytes(data);
            data.CopyTo(model, at);
            bool barrier = kind == 19 && count <= 80 && lead == 0;
            Assert.Equal(BlkifStatus.Okay, await (barrier ? frontend.BarrierAsync(sector, data) : frontend.WriteAsync(sector, data, lead)));
        }
    }
}
