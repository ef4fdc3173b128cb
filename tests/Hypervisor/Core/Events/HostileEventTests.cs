using Xen.Abi;

namespace Xen.Core.Tests.Events;

/// <summary>Guests that lie in their event words and make random calls: they harm themselves only.</summary>
public sealed class HostileEventTests : IDisposable
{
    private readonly TestGuest _guest = new(vcpus: 2);

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Hostile_WordsAndControlBlocksThatChangeAllTheTime_NeitherHangNorThrow(int seed)
    {
        FifoGuest fifo = new FifoGuest(_guest).Start();
        EventChannelTable events = _guest.Domain.Events;
        List<EvtchnPort> ports = [];
        for (int i = 0; i < 32; i++)
        {
            Assert.Equal(XenErrno.OK, events.BindIpi((uint)(i & 1), out EvtchnPort port));
            ports.Add(port);
        }

        int stop = 0;
        var scribbler = new Thread(() =>
        {
            var random = new Random(seed);
            while (Volatile.Read(ref stop) == 0)
            {
                uint word = random.Next(3) switch { 0 => FifoEventWord.Linked | FifoEventWord.Busy, 1 => 0, _ => (uint)random.NextInt64() };
                Volatile.Write(ref fifo.Word((uint)random.Next(40)), word);
                Volatile.Write(ref fifo.Control(random.Next(2), random.Next(18) * 4), (uint)random.NextInt64());
            }
        });
        scribbler.Start();
        Parallel.For(0, 3, thread =>
        {
            var random = new Random((seed * 100) + thread);
            for (int i = 0; i < 20_000; i++)
            {
                EvtchnPort port = ports[random.Next(ports.Count)];
                _ = random.Next(4) == 0 ? events.Unmask(port) : events.Send(port);
                if (random.Next(50) == 0)
                    _ = events.SetPriority(port, (uint)random.Next(20));
            }
        });
        Volatile.Write(ref stop, 1);
        Assert.True(scribbler.Join(TestMachine.Patience));
        Assert.Equal(XenErrno.OK, events.Reset());
        Assert.False(events.UsesFifo);
    }

    [Fact]
    public void Hostile_AGuestThatKeepsAllClosedPortsLinked_RunsOutOfItsOwn()
    {
        FifoGuest fifo = new FifoGuest(_guest).Start();
        EventChannelTable events = _guest.Domain.Events;
        for (uint port = 1; port < FifoEvents.WordsPerPage; port++)
            fifo.Word(port) = uint.MaxValue;
        Assert.Equal(XenErrno.ENOSPC, events.BindIpi(0, out _));
        Assert.Equal(0, events.PortsInUse);
        fifo.Word(500) = 0;
        Assert.Equal(XenErrno.OK, events.BindIpi(0, out EvtchnPort free));
        Assert.Equal(500u, free.Value);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Hostile_RandomOperations_LeaveNoHalfChannelsAndNoFrames(int seed)
    {
        ulong free = _guest.Machine.Allocator.FreeFrames;
        TestGuest[] guests = [new TestGuest(2, _guest.Machine), new TestGuest(2, _guest.Machine)];
        Parallel.For(0, 4, thread =>
        {
            var random = new Random((seed * 10) + thread);
            EventChannelTable mine = guests[thread & 1].Domain.Events, theirs = guests[random.Next(2)].Domain.Events;
            for (int i = 0; i < 4000; i++)
                CallOnce(random, guests[thread & 1], mine, theirs);
        });
        foreach (TestGuest guest in guests)
        {
            EventChannelTable events = guest.Domain.Events;
            Assert.Empty(events.FindHalfConnected());
            Assert.Equal(Enumerable.Range(1, 1100).Count(port => events.IsValid(new EvtchnPort((uint)port))), events.PortsInUse);
        }

        new DomainControl(_guest.Machine).Destroy(guests[0].Domain);
        Assert.Empty(guests[1].Domain.Events.FindHalfConnected());
        new DomainControl(_guest.Machine).Destroy(guests[1].Domain);
        Assert.Equal((0, 0), (guests[0].Domain.Events.PortsInUse, guests[1].Domain.Events.PortsInUse));
        Assert.Equal(free, _guest.Machine.Allocator.FreeFrames);
    }

    private static void CallOnce(Random random, TestGuest guest, EventChannelTable mine, EventChannelTable theirs)
    {
        var port = new EvtchnPort((uint)random.Next(random.Next(10) == 0 ? int.MaxValue : 48));
        uint vcpu = (uint)random.Next(3);
        Mfn frame = guest.Domain.FrameOf(new Pfn((ulong)random.Next(TestGuest.PageCount)));
        _ = random.Next(16) switch
        {
            0 => mine.AllocateUnbound(theirs.Owner, out _),
            1 or 2 => mine.BindInterdomain(theirs, port, out _),
            3 => mine.BindVirq((VirtualIrq)random.Next(26), vcpu, out _),
            4 => mine.BindIpi(vcpu, out _),
            5 => mine.BindVcpu(port, vcpu),
            6 or 7 or 8 => mine.Close(port),
            9 or 10 => mine.Send(port),
            11 => mine.Unmask(port),
            12 => mine.SetPriority(port, (uint)random.Next(20)),
            13 => mine.InitControl(vcpu, frame, (uint)random.Next(600) * 8, null),
            14 => mine.ExpandArray(frame, null),
            _ => random.Next(20) == 0 ? mine.Reset() : mine.GetStatus(port, out _),
        };
        guest.Domain.SendVirq(new VcpuId(random.Next(2)), (VirtualIrq)random.Next(24));
    }
}
