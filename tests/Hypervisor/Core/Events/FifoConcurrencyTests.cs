using Xen.Abi;

namespace Xen.Core.Tests.Events;

/// <summary>Senders on several threads against a guest on two vCPUs: whatever the order, the last event of every port arrives.</summary>
public sealed class FifoConcurrencyTests : IDisposable
{
    private const int Ports = 24, Senders = 3, Sends = 8000;

    private readonly TestGuest _guest = new(vcpus: 2);
    private readonly FifoGuest _fifo;
    private readonly long[] _sent = new long[Ports];
    private readonly long[] _seen = new long[Ports];
    private readonly EvtchnPort[] _ports = new EvtchnPort[Ports];
    private readonly EvtchnPort[] _hosts = new EvtchnPort[Ports];
    private int _sending;

    public FifoConcurrencyTests() => _fifo = new FifoGuest(_guest);

    private EventChannelTable Events => _guest.Domain.Events;

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public void NoEventIsLost(int seed, bool moves)
    {
        _fifo.Start(FifoEventWord.Masked);
        Connect();
        foreach (EvtchnPort port in _ports)
            _fifo.Unmask(port.Value);
        Run(seed, moves, changeOver: false);
        AssertAllSeen();
        Assert.Equal(0, Events.Fifo!.ProtocolFaults);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void NoEventIsLost_WhileTheGuestChangesItsAbi(int seed)
    {
        Connect();
        Run(seed, moves: true, changeOver: true);
        AssertAllSeen();
    }

    private void Connect()
    {
        for (int i = 0; i < Ports; i++)
        {
            Assert.Equal(XenErrno.OK, Events.AllocateUnbound(DomId.Dom0, out _ports[i]));
            Assert.Equal(XenErrno.OK, _guest.Machine.Dom0Events.BindInterdomainForHost(Events, _ports[i], static () => { }, out _hosts[i]));
            Assert.Equal(XenErrno.OK, Events.BindVcpu(_ports[i], (uint)(i & 1)));
        }
    }

    private void Run(int seed, bool moves, bool changeOver)
    {
        _sending = Senders;
        using var ready = new ManualResetEventSlim(!changeOver);
        List<Thread> threads = [];
        for (int i = 0; i < Senders; i++)
        {
            int own = i;
            threads.Add(new Thread(() => Send(new Random((seed * 10) + own), moves)));
        }

        for (int vcpu = 0; vcpu < 2; vcpu++)
        {
            int own = vcpu;
            threads.Add(new Thread(() => Serve(own, new Random((seed * 10) + 5 + own), ready)));
        }

        threads.ForEach(static thread => thread.Start());
        if (changeOver)
        {
            // Some are sent before and some after.
            SpinWait.SpinUntil(() => Volatile.Read(ref _sent[0]) > 20, TestMachine.Patience);
            _fifo.Start(FifoEventWord.Masked);
            foreach (EvtchnPort port in _ports)
                _fifo.Unmask(port.Value);
            ready.Set();
        }

        foreach (Thread thread in threads)
            Assert.True(thread.Join(TestMachine.Patience * 2), "a thread does not end");
        for (int vcpu = 0; vcpu < 2; vcpu++)
            _fifo.Drain(vcpu, See);
    }

    private void Send(Random random, bool moves)
    {
        for (int i = 0; i < Sends; i++)
        {
            int which = random.Next(Ports);
            Interlocked.Increment(ref _sent[which]);
            _ = _guest.Machine.Dom0Events.NotifyFromHost(_hosts[which]);
            if (moves && random.Next(20) == 0)
                _ = Events.BindVcpu(_ports[random.Next(Ports)], (uint)random.Next(2));
            if (moves && random.Next(20) == 0)
                _ = Events.SetPriority(_ports[random.Next(Ports)], (uint)random.Next(16));
        }

        Interlocked.Decrement(ref _sending);
    }

    private void Serve(int vcpu, Random random, ManualResetEventSlim ready)
    {
        TestMachine.WaitFor(ready);
        bool last;
        do
        {
            last = Volatile.Read(ref _sending) == 0;
            _fifo.Drain(vcpu, port =>
            {
                bool mask = random.Next(4) == 0;
                if (mask)
                    _fifo.Mask(port);
                See(port);
                if (mask)
                    _fifo.Unmask(port);
            });
            if (!last)
                Thread.Yield();
        }
        while (!last);
    }

    /// <summary>The handler: looks at what was sent up to now.</summary>
    private void See(uint port)
    {
        int which = Array.FindIndex(_ports, candidate => candidate.Value == port);
        long sent = Volatile.Read(ref _sent[which]);
        long before = Volatile.Read(ref _seen[which]);
        while (before < sent)
        {
            long found = Interlocked.CompareExchange(ref _seen[which], sent, before);
            if (found == before)
                return;
            before = found;
        }
    }

    private void AssertAllSeen()
    {
        for (int vcpu = 0; vcpu < 2; vcpu++)
            _fifo.Drain(vcpu, See);
        Assert.Equal(_sent, _seen);
        Assert.All(_ports, port => Assert.False(Events.IsPending(port)));
    }
}
