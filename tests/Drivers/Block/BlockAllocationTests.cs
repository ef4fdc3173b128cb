using Xen.Abi;
using Xen.Drivers.Block.Backend;
using Xen.Drivers.Block.Protocol;

namespace Xen.Drivers.Tests.Block;

/// <summary>A request in steady state allocates nothing in the backend.</summary>
public sealed class BlockAllocationTests
{
    private const int WarmUp = 2000;
    private const int Measured = 5000;

    [Theory]
    [InlineData(BlkifOperation.Read, false, false)]
    [InlineData(BlkifOperation.Write, false, true)]
    [InlineData(BlkifOperation.Write, true, false)]
    [InlineData(BlkifOperation.Read, true, true)]
    public void Requests_AllocateNothing(BlkifOperation operation, bool indirect, bool persistent)
    {
        long calls = 0, start = 0, end = 0;
        FakeStorage storage = new()
        {
            Records = false,

            // On the worker's own thread: what it allocated from one request's I/O to another's.
            Before = (_, _) =>
            {
                calls++;
                if (calls == WarmUp)
                    start = GC.GetAllocatedBytesForCurrentThread();
                else if (calls == WarmUp + Measured)
                    end = GC.GetAllocatedBytesForCurrentThread();
                return XenErrno.OK;
            },
        };
        using BlockPair pair = new(storage, new BlockBackendOptions { Workers = 1, Log = null });
        pair.Advertise();
        using RawFrontend raw = new(pair, persistent);
        raw.Channel.SetHandler(null);
        pair.ConnectBackend();
        BlkifRequest request = Request(raw, operation, indirect);
        for (int i = 0; i < WarmUp + Measured; i++)
        {
            raw.Put(request);
            raw.Push();
            BlkifResponse response = default;
            Assert.True(SpinWait.SpinUntil(() => raw.Ring.TryTake(out response), BlockPair.Patience));
            Assert.Equal(BlkifStatus.Okay, response.Status);
        }

        Assert.Equal(0, end - start);
        pair.Backend.Disconnect();
    }

    private static BlkifRequest Request(RawFrontend raw, BlkifOperation operation, bool indirect)
    {
        BlkifSegment[] segments = [.. Enumerable.Range(0, 8).Select(_ => new BlkifSegment(raw.Data().Reference.Value, 0, 7))];
        if (!indirect)
            return RawFrontend.Transfer(operation, 0, segments);
        var (list, reference) = raw.Data();
        for (int i = 0; i < segments.Length; i++)
        {
            list[i * BlkifSegment.Size] = segments[i].Gref;
            list[(i * BlkifSegment.Size) + 4] = 7u << 8;
        }

        return RawFrontend.Indirect(operation, 0, segments.Length, reference);
    }
}
