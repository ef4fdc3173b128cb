using System.Diagnostics;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Tests.Net;

/// <summary>What a device tells about how long frames are on their way.</summary>
public sealed class NetLatencyTests
{
    /// <summary>Where 20 ms are: the entry from 16384 µs on.</summary>
    private const int LateEntry = 15;

    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(20);

    [Fact]
    public void Frames_AreCountedOnceEachWay()
    {
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A), b = rig.Guest(4, Packets.B);
        const int count = 100;
        for (int i = 0; i < count; i++)
        {
            a.Send(Packets.Transport(false, true, Packets.A, Packets.B, new byte[100]));
            b.Receive();
        }

        // The sender's worker counts when the frame is there already.
        Assert.True(SpinWait.SpinUntil(() => a.Backend.Counters[0].TxLatency.Read().Sum() == count, NetRig.Patience));
        Assert.Equal(count, b.Backend.Counters[0].RxLatency.Read().Sum());
        Assert.Equal((0, 0), (a.Backend.Counters[0].RxLatency.Read().Sum(), b.Backend.Counters[0].TxLatency.Read().Sum()));
        Assert.True(a.Backend.Counters[0].TxLatency.Sum > TimeSpan.Zero);
        Assert.True(b.Backend.Counters[0].RxLatency.Sum > TimeSpan.Zero);
    }

    [Fact]
    public void Received_WhatWaitsForBuffersIsLate()
    {
        using NetRig rig = new();
        using SlowNetwork network = new();
        const int buffers = 8, waiting = 5;
        Vif vif = rig.Guest(3, Packets.A, network, new NetFrontendOptions { RxBuffers = buffers });
        for (int i = 0; i < buffers + waiting; i++)
            network.Deliver(Packets.Transport(false, true, Packets.B, Packets.A, new byte[100]));
        Assert.Equal(buffers, vif.Total.RxPackets);
        long begin = Stopwatch.GetTimestamp();
        Assert.True(SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(begin) > Late, NetRig.Patience));
        for (int i = 0; i < buffers + waiting; i++)
            vif.Receive();

        long[] counts = vif.Backend.Counters[0].RxLatency.Read();
        Assert.Equal(buffers + waiting, counts.Sum());
        Assert.InRange(counts[LateEntry..].Sum(), waiting, buffers + waiting);
        Assert.True(vif.Backend.Counters[0].RxLatency.Sum >= Late * waiting);
    }

    [Fact]
    public void Transmitted_WhatTheNetworkDoesNotTakeIsLate()
    {
        using NetRig rig = new();
        using SlowNetwork network = new();
        Vif vif = rig.Guest(3, Packets.A, network);
        vif.Send(Packets.Transport(false, true, Packets.A, Packets.B, new byte[100]));
        Assert.True(network.Begun.Wait(NetRig.Patience));
        long begin = Stopwatch.GetTimestamp();
        Assert.True(SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(begin) > Late, NetRig.Patience));
        Assert.Equal(0, vif.Backend.Counters[0].TxLatency.Read().Sum());
        network.Go.Set();
        Assert.True(SpinWait.SpinUntil(() => vif.Backend.Counters[0].TxLatency.Read().Sum() == 1, NetRig.Patience));
        Assert.Equal(1, vif.Backend.Counters[0].TxLatency.Read()[LateEntry..].Sum());
    }

    /// <summary>A network that takes a frame when the test lets it.</summary>
    private sealed class SlowNetwork : INetwork, INetPort
    {
        private readonly Frame _frame = new();
        private INetStation? _station;

        public ManualResetEventSlim Begun { get; } = new();

        public ManualResetEventSlim Go { get; } = new();

        public string? Connect(INetStation station, out INetPort? port)
        {
            (_station, port) = (station, this);
            return null;
        }

        public void Deliver(byte[] bytes)
        {
            bytes.CopyTo(_frame.Room);
            Assert.True(_frame.Set(bytes.Length, default));
            _station!.Receive(_frame);
        }

        public void Send(Frame frame)
        {
            Begun.Set();
            Go.Wait();
        }

        public void Dispose() => Go.Set();
    }
}
