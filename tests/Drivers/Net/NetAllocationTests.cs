using Xen.Drivers.Net.Backend;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xen.Rings;

namespace Xen.Drivers.Tests.Net;

/// <summary>In steady state a packet costs no managed memory, from the sender's ring to the receiver's pages.</summary>
public sealed class NetAllocationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Packets_BetweenGuests_AllocateNothing(bool offloads)
    {
        using NetRig rig = new();
        Vif a = rig.Offered(3, Packets.A);
        Vif b = rig.Guest(4, Packets.B, new NetFrontendOptions { Features = offloads ? FrameFeatures.All : FrameFeatures.None });
        Assert.Null(a.Publish(new NetFrontendOptions()));
        FrontQueue queue = a.Frontend.RawQueues[0];
        GrantedPages.TryMap(rig.Dom0.Grants, a.Domain.Id, [queue.RingPages.Reference(0)], false, out GrantedPages? pages, out _);
        using GrantedPages ring = pages!;
        using INetPort port = rig.Switch.Connect(new RecordingStation(), new SwitchPortOptions(Packets.A));
        TxPath path = new(
            a.Context, BackRing<NetifTxRequest, NetifTxResponse>.Attach(ring, 12), new QuietPort(), port, new MulticastFilter(), null, new NetCounters());
        byte[] small = Packets.Transport(false, true, Packets.A, Packets.B, new byte[1000], blank: true);
        byte[] big = Packets.Transport(true, true, Packets.A, Packets.B, new byte[20_000], blank: true);
        Frame frame = new();
        int allocating = 0;
        const int Warm = 200, Rounds = 600;
        for (int i = 0; i < Rounds; i++)
        {
            a.Send(small, new FrameOffload(CsumBlank: true));
            a.Send(big, new FrameOffload(CsumBlank: true, Gso: NetifGsoType.TcpV6, GsoSize: 1400));
            long before = GC.GetAllocatedBytesForCurrentThread();
            TxRound round = path.Work(out _);
            long after = GC.GetAllocatedBytesForCurrentThread();
            Assert.Equal(TxRound.Idle, round);
            if (i >= Warm && after != before)
                allocating++;
            while (b.Frontend.TryReceive(frame))
            {
            }
        }

        // The harness queues work to the thread pool for events, and the pool's queue grows now and then, by as much as is waiting. What a
        // packet allocates would show in each round.
        Assert.InRange(allocating, 0, (Rounds - Warm) / 10);
        Assert.Null(path.Fault);
    }

    private sealed class QuietPort : IEventPort
    {
        public void Notify()
        {
        }

        public void SetHandler(Action? handler)
        {
        }

        public void Dispose()
        {
        }
    }
}
