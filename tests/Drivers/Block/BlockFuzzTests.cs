using System.Diagnostics;
using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Protocol;
using Xen.GuestKit.Harness;

namespace Xen.Drivers.Tests.Block;

/// <summary>
/// Requests by chance, near what is right: every one is answered once, the disk's model holds, and nothing leaks. XEN_FUZZ_SECONDS sets how long,
/// XEN_FUZZ_SEED repeats a run.
/// </summary>
public sealed class BlockFuzzTests
{
    private const int Batch = 24;

    [Fact]
    public void Hostile_RequestsByChance()
    {
        TimeSpan time = TimeSpan.FromSeconds(Setting("XEN_FUZZ_SECONDS", 5));
        int seed = Setting("XEN_FUZZ_SEED", Environment.TickCount);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i == 0 || Stopwatch.GetElapsedTime(start) < time; i++)
        {
            try
            {
                RunOnce(new Random(seed + i));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed + i} (XEN_FUZZ_SEED)", e);
            }
        }
    }

    private static void RunOnce(Random random)
    {
        using TempImage image = new(256 * 1024);
        using BlockPair pair = new(
            image.Open(sectorSize: random.Next(2) == 0 ? 512 : 4096),
            new BlockBackendOptions { MaxBadRequests = random.Next(10) == 0 ? 3 : 1 << 20, MaxPersistentGrants = random.Next(1, 40), Workers = random.Next(1, 4) });
        pair.Advertise();
        using RawFrontend raw = new(pair, persistent: random.Next(2) == 0);
        pair.ConnectBackend();
        List<(WorldPage Page, GrantRef Reference)> pages = [.. Enumerable.Range(0, 12).Select(i => raw.Data(readOnly: i > 8))];
        HashSet<ulong> open = [];
        ulong next = 1;
        for (int round = 0; round < 40 && pair.Failure is null; round++)
        {
            for (int i = 0; i < Batch; i++)
            {
                raw.Put(Request(random, pages) with { Id = next });
                open.Add(next++);
            }

            raw.Push();
            if (random.Next(4) == 0)
                pages[random.Next(pages.Count)].Page.Bytes.Fill((byte)random.Next(256));
            if (random.Next(20) == 0)
                pair.Guest.Grants.Revoke(pages[random.Next(pages.Count)].Reference);
            while (open.Count > 0 && pair.Failure is null)
            {
                if (!TryReceive(pair, raw, out BlkifResponse response))
                    break;
                Assert.True(open.Remove(response.Id), $"response to {response.Id}, which is not open");
                Assert.InRange((int)response.Status, -2, 0);
            }

            Assert.True(open.Count == 0 || pair.Failure is not null, "requests without answers");
        }

        Assert.Equal(image.Content.Length, new FileInfo(image.Path).Length);
        if (random.Next(3) == 0)
            pair.Guest.Die();
        pair.Backend.Disconnect();
        Assert.Empty(pair.Dom0.Held());
    }

    private static bool TryReceive(BlockPair pair, RawFrontend raw, out BlkifResponse response)
    {
        BlkifResponse taken = default;
        bool got = SpinWait.SpinUntil(() => raw.Ring.TryTake(out taken) || pair.Failure is not null, BlockPair.Patience);
        response = taken;
        return got && taken.Id != 0;
    }

    private static BlkifRequest Request(Random random, List<(WorldPage Page, GrantRef Reference)> pages)
    {
        BlkifSegment Segment()
        {
            uint gref = random.Next(30) == 0 ? (uint)random.Next() : pages[random.Next(pages.Count)].Reference.Value;
            int first = random.Next(16) == 0 ? random.Next(256) : 0, last = random.Next(8) == 0 ? random.Next(256) : 7;
            return new BlkifSegment(gref, (byte)first, (byte)last);
        }

        ulong sector = random.Next(8) == 0 ? (ulong)random.NextInt64() : (ulong)(random.Next(66) * 8);
        switch (random.Next(8))
        {
            case 0:
                return new BlkifRequest
                {
                    Operation = BlkifOperation.Discard,
                    SectorNumber = sector,
                    DiscardNrSectors = (ulong)(random.Next(8) * 8),
                    DiscardFlag = (byte)(random.Next(8) == 0 ? 1 : 0),
                };
            case 1 or 2:
                (WorldPage list, GrantRef reference) = pages[random.Next(pages.Count)];
                int count = random.Next(16) == 0 ? random.Next(65536) : random.Next(1, 20);
                for (int i = 0; i < Math.Min(count, 32); i++)
                {
                    BlkifSegment segment = Segment();
                    list[i * 8] = segment.Gref;
                    list[(i * 8) + 4] = segment.FirstSect | ((uint)segment.LastSect << 8);
                }

                return RawFrontend.Indirect((BlkifOperation)random.Next(random.Next(8) == 0 ? 256 : 2), sector, count, reference);
            default:
                BlkifRequest request = RawFrontend.Transfer((BlkifOperation)random.Next(4), sector, [.. Enumerable.Range(0, random.Next(12)).Select(_ => Segment())]);
                if (random.Next(30) == 0)
                    request.NrSegments = (byte)random.Next(256);
                if (random.Next(30) == 0)
                    request.Operation = (BlkifOperation)random.Next(256);
                return request;
        }
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
