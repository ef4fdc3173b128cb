using System.Diagnostics;
using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Net.Frontend;
using Xen.Drivers.Net.Network;
using Xen.Drivers.Net.Protocol;
using Xunit.Abstractions;

namespace Xen.Drivers.Tests.Net;

/// <summary>
/// Random requests on both data rings, most of them nearly right. XEN_FUZZ_SECONDS says for how long (5), XEN_FUZZ_SEED which
/// (random, and printed). Whatever comes, the neighbour is served and nothing leaks.
/// </summary>
public sealed class NetFuzzTests(ITestOutputHelper output)
{
    [Fact]
    public void Hostile_RandomRequests_HurtNobodyElse()
    {
        int seed = Setting("XEN_FUZZ_SEED", Environment.TickCount);
        output.WriteLine("XEN_FUZZ_SEED=" + seed.ToString(CultureInfo.InvariantCulture));
        Random random = new(seed);
        TimeSpan time = TimeSpan.FromSeconds(Setting("XEN_FUZZ_SECONDS", 5));
        long start = Stopwatch.GetTimestamp();
        do
        {
            using NetRig rig = new();
            Vif hostile = rig.Guest(3, Packets.A), one = rig.Guest(4, Packets.B), two = rig.Guest(5, Packets.C);
            for (int i = 0; i < 500 && !hostile.HasFailed; i++)
                Attack(hostile, random);
            byte[] frame = Packets.Ethernet(Packets.B, Packets.C, 0x88B5, Packets.Random(random, 100));
            one.Send(frame);
            while (!two.Receive().Bytes.AsSpan().SequenceEqual(frame))
            {
            }
        }
        while (Stopwatch.GetElapsedTime(start) < time);
    }

    private static void Attack(Vif vif, Random random)
    {
        FrontQueue queue = vif.Frontend.RawQueues[0];
        while (queue.TxRing.TryTake(out _))
        {
        }

        if (random.Next(200) == 0)
            vif.Domain.Grants.Revoke(queue.TxPages.Reference(random.Next(queue.TxPages.Count)));
        if (random.Next(20) == 0)
        {
            Packets.Transport(random.Next(2) == 0, random.Next(2) == 0, Packets.A, Packets.C, Packets.Random(random, random.Next(3000)))
                .CopyTo(queue.TxPages.Bytes(random.Next(8)));
        }

        int slots = random.Next(1, 6);
        for (int i = 0; i < slots; i++)
            queue.TxRing.TryPut(i > 0 && random.Next(3) == 0 ? RandomExtra(random).AsTxSlot() : RandomSlot(queue, random, more: i < slots - 1));

        // Now and then the frame has no end, and the device closes.
        if (queue.TxRing.Push())
            queue.TxEvents.Notify();
        if (random.Next(500) == 0)
            BitConverter.TryWriteBytes(queue.RingPages.Bytes(random.Next(2)), random.Next());
    }

    private static NetifTxRequest RandomSlot(FrontQueue queue, Random random, bool more) => new()
    {
        Gref = random.Next(50) == 0 ? new GrantRef((uint)random.Next()) : queue.TxPages.Reference(random.Next(8)),
        Offset = (ushort)(random.Next(10) == 0 ? random.Next(65536) : random.Next(64)),
        Size = (ushort)(random.Next(10) == 0 ? random.Next(65536) : random.Next(3500)),
        Id = (ushort)random.Next(256),
        Flags = (NetifTxFlags)(random.Next(4) | (random.Next(40) == 0 ? random.Next(65536) : more && random.Next(4) > 0 ? 4 : 0)),
    };

    private static NetifExtraInfo RandomExtra(Random random)
    {
        NetifExtraInfo extra = random.Next(5) switch
        {
            0 => NetifExtraInfo.Gso((NetifGsoType)random.Next(4), (ushort)random.Next(3000)),
            1 => NetifExtraInfo.Multicast(random.Next(2) == 0, (ulong)random.NextInt64(1L << 48)),
            2 => NetifExtraInfo.Hash((byte)random.Next(5), (NetifHashAlgorithm)random.Next(3), (uint)random.Next()),
            3 => NetifExtraInfo.Xdp((ushort)random.Next(65536)),
            _ => new NetifExtraInfo { Type = (NetifExtraType)random.Next(256) },
        };
        extra.Flags = (NetifExtraFlags)(random.Next(8) == 0 ? 1 : 0);
        return extra;
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
