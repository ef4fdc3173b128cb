using Xen.Abi;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.Rings;

namespace Xen.Drivers.Tests.Net;

/// <summary>A network that can wait loses nothing to a slow guest, and is never left waiting for one that is gone.</summary>
public sealed class BackpressureTests
{
    private const int Count = 8000;

    [Fact]
    public void Sender_ThatWaits_LosesNothing()
    {
        using NetRig rig = new();
        using StreamNetwork network = new();
        Vif vif = rig.Guest(3, Packets.A, network);
        network.Begin(Count, wait: true);
        for (int i = 0; i < Count; i++)
            Assert.Equal(i, BitConverter.ToInt32(vif.Receive().Bytes, 14));
        Assert.Equal((Count, 0), (vif.Total.RxPackets, vif.Total.RxDropped));
    }

    [Fact]
    public void Sender_ThatDoesNotWait_IsNeverHeldUp()
    {
        using NetRig rig = new();
        using StreamNetwork network = new();
        Vif vif = rig.Guest(3, Packets.A, network);
        network.Begin(Count, wait: false);
        Assert.True(network.Join(), "the sender waits");
        Assert.NotEqual(0, vif.Total.RxDropped);
    }

    [Fact]
    public void Frontend_ThatTellsOfNoBuffers_IsNotWaitedFor()
    {
        using NetRig rig = new();
        using StreamNetwork network = new();
        Vif vif = rig.Guest(3, Packets.A, network, new NetFrontendOptions { RxNotify = false });
        network.Begin(Count, wait: true);
        Assert.True(network.Join(), "the sender waits");
        Assert.NotEqual(0, vif.Total.RxDropped);
    }

    [Fact]
    public void Device_ThatCloses_LetsTheSenderGo()
    {
        using NetRig rig = new();
        using StreamNetwork network = new();
        Vif vif = rig.Guest(3, Packets.A, network);
        network.Begin(Count, wait: true);
        UntilFramesCome(vif);

        // Joins the sender, who waits for buffers that will never be posted.
        vif.Backend.Disconnect();
        Assert.True(network.Join(), "the sender waits");
    }

    [Fact]
    public void Hostile_BrokenRing_LetsTheSenderGo()
    {
        using NetRig rig = new();
        using StreamNetwork network = new();
        Vif vif = rig.Guest(3, Packets.A, network);
        network.Begin(Count, wait: true);
        UntilFramesCome(vif);
        FrontQueue queue = vif.Frontend.RawQueues[0];
        BitConverter.TryWriteBytes(queue.RingPages.Bytes(1)[RingLayout.ReqProd..], 100_000u);
        queue.RxEvents.Notify();
        Assert.Contains("rx ring: ", vif.Failure(), StringComparison.Ordinal);
        Assert.True(network.Join(), "the sender waits");
    }

    /// <summary>A frontend that takes nothing is notified of the first frame only, so its events say nothing of the others.</summary>
    private static void UntilFramesCome(Vif vif) =>
        Assert.True(SpinWait.SpinUntil(() => vif.Total.RxPackets > 200, NetRig.Patience), "frames come");

    /// <summary>Sends frames that are numbered, from a thread of its own, as a user-mode network does.</summary>
    private sealed class StreamNetwork : INetwork, INetPort
    {
        private INetStation _station = null!;
        private Thread? _thread;
        private volatile bool _closed;

        public string? Connect(INetStation station, out INetPort? port)
        {
            _station = station;
            port = this;
            return null;
        }

        public void Begin(int count, bool wait)
        {
            _thread = new Thread(() =>
            {
                Frame frame = new();
                for (int i = 0; i < count && !_closed; i++)
                {
                    frame.Set(Packets.Ethernet(Packets.B, Packets.A, 0x88B5, [.. BitConverter.GetBytes(i), .. new byte[996]]));
                    frame.DeliverTo(_station, wait);
                }
            });
            _thread.Start();
        }

        public bool Join() => _thread!.Join(NetRig.Patience);

        public void Send(Frame frame)
        {
        }

        public void Dispose()
        {
            // Not an assertion: it would hide the one that failed before. A sender that is still held up goes when its device closes.
            _closed = true;
        }
    }
}
