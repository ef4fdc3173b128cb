using Xen.Abi;

namespace Xen.Core.Tests.Events;

/// <summary>Host ports: what is promised about the calls of their handlers.</summary>
public sealed class HostPortTests : IDisposable
{
    private readonly TestGuest _guest = new(vcpus: 1);

    private EventChannelTable Events => _guest.Domain.Events;

    private EventChannelTable Dom0 => _guest.Machine.Dom0Events;

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void ClosingInsideOfTheHandler_DoesNotDeadlock()
    {
        EvtchnPort host = default;
        int calls = 0;
        EvtchnPort port = Connect(() =>
        {
            if (++calls == 2)
                Assert.Equal(XenErrno.OK, Dom0.CloseFromHost(host));
        }, out host);
        _ = Events.Send(port);
        _ = Events.Send(port);
        Assert.Equal(2, calls);
        Assert.False(Dom0.IsValid(host));
    }

    [Fact]
    public void NoHandlerRuns_AfterCloseFromHostHasReturned()
    {
        for (int round = 0; round < 200; round++)
        {
            int closed = 0, late = 0, calls = 0;
            EvtchnPort port = Connect(
                () =>
                {
                    Interlocked.Increment(ref calls);
                    Thread.SpinWait(50);
                    late |= Volatile.Read(ref closed);
                },
                out EvtchnPort host);
            int stop = 0;
            var sender = new Thread(() =>
            {
                while (Volatile.Read(ref stop) == 0)
                    _ = Events.Send(port);
            });
            sender.Start();
            SpinWait.SpinUntil(() => Volatile.Read(ref calls) > 3, TestMachine.Patience);
            Assert.Equal(XenErrno.OK, Dom0.CloseFromHost(host));
            Volatile.Write(ref closed, 1);
            Volatile.Write(ref stop, 1);
            Assert.True(sender.Join(TestMachine.Patience));
            Assert.Equal(0, late);
            Assert.Equal(XenErrno.OK, Events.Close(port));
        }
    }

    [Fact]
    public void TwoHandlersThatCloseEachOther_DoNotDeadlock()
    {
        using var both = new Barrier(2);
        EvtchnPort first = default, second = default;
        bool armed = false;
        EvtchnPort one = Connect(() => CloseOther(ref second), out first);
        EvtchnPort two = Connect(() => CloseOther(ref first), out second);
        armed = true;
        var threads = new Thread[] { new(() => Events.Send(one)), new(() => Events.Send(two)) };
        foreach (Thread thread in threads)
            thread.Start();
        Assert.All(threads, static thread => Assert.True(thread.Join(TestMachine.Patience)));
        Assert.Equal(0, Dom0.PortsInUse);

        void CloseOther(ref EvtchnPort other)
        {
            if (!armed)
                return;
            Assert.True(both.SignalAndWait(TestMachine.Patience));
            _ = Dom0.CloseFromHost(other);
        }
    }

    [Fact]
    public void AHandlerThatThrows_LeavesThePortInOrder()
    {
        bool armed = false;
        EvtchnPort port = Connect(() => _ = armed ? throw new InvalidOperationException("test") : 0, out EvtchnPort host);
        armed = true;
        Assert.Throws<InvalidOperationException>(() => Events.Send(port));
        Assert.Equal(XenErrno.OK, Dom0.CloseFromHost(host));
        Assert.Equal(XenErrno.EINVAL, Dom0.CloseFromHost(host));
    }

    [Fact]
    public void EveryNotification_IsFollowedByACallThatBeginsAfterIt()
    {
        long sent = 0, seen = 0;
        EvtchnPort port = Connect(() => Volatile.Write(ref seen, Math.Max(Volatile.Read(ref sent), Volatile.Read(ref seen))), out _);
        for (int i = 0; i < 1000; i++)
        {
            Volatile.Write(ref sent, i);
            _ = Events.Send(port);
            Assert.Equal(i, Volatile.Read(ref seen));
        }
    }

    private EvtchnPort Connect(Action handler, out EvtchnPort host)
    {
        Assert.Equal(XenErrno.OK, Events.AllocateUnbound(DomId.Dom0, out EvtchnPort port));
        Assert.Equal(XenErrno.OK, Dom0.BindInterdomainForHost(Events, port, handler, out host));
        return port;
    }
}
