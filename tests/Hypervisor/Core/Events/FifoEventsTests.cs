using Xen.Abi;

namespace Xen.Core.Tests.Events;

/// <summary>The FIFO ABI as one well-behaved guest sees it.</summary>
public sealed class FifoEventsTests : IDisposable
{
    private readonly TestGuest _guest = new(vcpus: 2);
    private readonly FifoGuest _fifo;

    public FifoEventsTests() => _fifo = new FifoGuest(_guest);

    private EventChannelTable Events => _guest.Domain.Events;

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void InitControl_ChangesTheAbi_AndEachVcpuHasOneBlock()
    {
        Assert.False(Events.UsesFifo);
        Assert.Equal(XenErrno.OK, _fifo.Init(1));
        Assert.True(Events.UsesFifo);
        Assert.Equal(XenErrno.EINVAL, _fifo.Init(1));
        Assert.Equal(XenErrno.OK, _fifo.Init(0));
        Assert.Equal(XenErrno.ENOENT, Events.InitControl(2, _fifo.Frame(42), 0, null));
        Assert.Equal(XenErrno.ENOENT, Events.InitControl(uint.MaxValue, _fifo.Frame(42), 0, null));
    }

    [Theory]
    [InlineData(0u, XenErrno.OK)]
    [InlineData(8u, XenErrno.OK)]
    [InlineData(4u, XenErrno.EINVAL)]
    [InlineData(4024u, XenErrno.OK)]
    [InlineData(4032u, XenErrno.EINVAL)]
    [InlineData(uint.MaxValue - 7, XenErrno.EINVAL)]
    public void InitControl_WantsAnAlignedBlockWithinAPage(uint offset, XenErrno expected)
    {
        Assert.Equal(expected, Events.InitControl(0, _fifo.Frame(FifoGuest.ControlPage), offset, null));
        Assert.Equal(expected == XenErrno.OK, Events.UsesFifo);
    }

    [Fact]
    public void Hostile_FramesThatAreNotTheGuestsToWrite_AreRefused()
    {
        using var other = new TestGuest(1, _guest.Machine);
        Mfn[] wrong =
        [
            new(0), new(1), new(4096), new(ulong.MaxValue), new(ulong.MaxValue >> 12), _fifo.Frame(0), _fifo.Frame(3), other.Domain.FrameOf(new Pfn(20)),
        ];
        foreach (Mfn frame in wrong)
            Assert.Equal(XenErrno.EINVAL, Events.InitControl(0, frame, 0, null));
        Assert.Equal(XenErrno.OK, _fifo.Init(0));
        foreach (Mfn frame in wrong)
            Assert.Equal(XenErrno.EINVAL, Events.ExpandArray(frame, null));
    }

    [Fact]
    public void ExpandArray_NeedsTheAbi_AndEndsAtItsSize()
    {
        Assert.Equal(XenErrno.EOPNOTSUPP, Events.ExpandArray(_fifo.Frame(50), null));
        Assert.Equal(XenErrno.OK, _fifo.Init(0));
        for (int i = 0; i < FifoEvents.MostPages; i++)
            Assert.Equal(XenErrno.OK, Events.ExpandArray(_fifo.Frame(50), null));
        uint users = _guest.Machine.Frames.TypeUsers(_fifo.Frame(50));
        Assert.Equal(XenErrno.ENOSPC, Events.ExpandArray(_fifo.Frame(50), null));
        Assert.Equal(users, _guest.Machine.Frames.TypeUsers(_fifo.Frame(50)));
    }

    [Fact]
    public void SetPriority_HasXensErrors()
    {
        EvtchnPort port = Ipi(0);
        Assert.Equal(XenErrno.ENOSYS, Events.SetPriority(port, 0));
        _fifo.Start();
        Assert.Equal(XenErrno.OK, Events.SetPriority(port, 0));
        Assert.Equal(XenErrno.OK, Events.SetPriority(port, 15));
        Assert.Equal(XenErrno.EINVAL, Events.SetPriority(port, 16));
        Assert.Equal(XenErrno.EINVAL, Events.SetPriority(port, uint.MaxValue));
        Assert.Equal(XenErrno.EINVAL, Events.SetPriority(new EvtchnPort(uint.MaxValue), 0));
        Assert.Equal(XenErrno.EACCES, Events.SetPriority(new EvtchnPort(33), 0));
    }

    [Fact]
    public void Send_LinksTheWord_SetsHeadReadyAndUpcall()
    {
        _fifo.Start();
        EvtchnPort port = Ipi(1);
        Assert.Equal(XenErrno.OK, Events.Send(port));
        Assert.Equal(FifoEventWord.Pending | FifoEventWord.Linked, _fifo.Word(port.Value));
        Assert.Equal(1u << 7, _fifo.Control(1, FifoControlBlockLayout.Ready));
        Assert.Equal(port.Value, _fifo.Control(1, FifoControlBlockLayout.Head + (7 * 4)));
        Assert.True(_guest.Domain.Vcpus[1].HasPendingUpcall);
        Assert.False(_guest.Vcpu.HasPendingUpcall);
        Assert.Equal([port.Value], _fifo.Drain(1));
        Assert.Equal(0u, _fifo.Word(port.Value));
        Assert.False(Events.IsPending(port));
    }

    [Fact]
    public void Events_OfOneQueue_ComeInOrder_AndOnce()
    {
        _fifo.Start();
        EvtchnPort[] ports = [Ipi(0), Ipi(0), Ipi(0)];
        foreach (int i in new[] { 2, 0, 1, 0, 2 })
            Assert.Equal(XenErrno.OK, Events.Send(ports[i]));
        Assert.Equal([ports[2].Value, ports[0].Value, ports[1].Value], _fifo.Drain(0));
        Assert.Equal(XenErrno.OK, Events.Send(ports[1]));
        Assert.Equal([ports[1].Value], _fifo.Drain(0));
        Assert.Empty(_fifo.Drain(0));
    }

    [Fact]
    public void Priorities_ComeMostUrgentFirst()
    {
        _fifo.Start();
        EvtchnPort[] ports = [Ipi(0), Ipi(0), Ipi(0), Ipi(0)];
        uint[] priorities = [15, 7, 0, 3];
        for (int i = 0; i < ports.Length; i++)
        {
            Assert.Equal(XenErrno.OK, Events.SetPriority(ports[i], priorities[i]));
            Assert.Equal(XenErrno.OK, Events.Send(ports[i]));
        }

        Assert.Equal([ports[2].Value, ports[3].Value, ports[1].Value, ports[0].Value], _fifo.Drain(0));
    }

    [Fact]
    public void PriorityChange_OfALinkedPort_TakesEffectWithItsNextEvent()
    {
        _fifo.Start();
        EvtchnPort first = Ipi(0), second = Ipi(0);
        _ = Events.Send(first);
        _ = Events.Send(second);
        Assert.Equal(XenErrno.OK, Events.SetPriority(second, 0));
        _ = Events.Send(second);
        Assert.Equal([first.Value, second.Value], _fifo.Drain(0));
        _ = Events.Send(first);
        _ = Events.Send(second);
        Assert.Equal([second.Value, first.Value], _fifo.Drain(0));
    }

    [Fact]
    public void MoveToAnotherVcpu_WhileLinked_DrainsTheOldQueueFirst()
    {
        _fifo.Start();
        (EvtchnPort port, EvtchnPort host) = Connect();
        EvtchnPort other = Ipi(0);
        _ = _fifo.Drain(0);
        Notify(host);
        Assert.Equal(XenErrno.OK, Events.BindVcpu(port, 1));
        Notify(host);
        Assert.Empty(_fifo.Drain(1));
        Assert.Equal([port.Value], _fifo.Drain(0));

        // It was the tail of the old queue: what comes there next must not be linked to it in the new one.
        Notify(host);
        _ = Events.Send(other);
        Assert.Equal([other.Value], _fifo.Drain(0));
        Assert.Equal([port.Value], _fifo.Drain(1));
    }

    [Fact]
    public void APortThatWasClosedAndOpenedAgain_DoesNotCorruptItsOldQueue()
    {
        _fifo.Start();
        EvtchnPort port = Ipi(1);
        _ = Events.Send(port);
        Assert.Equal([port.Value], _fifo.Drain(1));
        Assert.Equal(XenErrno.OK, Events.Close(port));
        Assert.Equal(port, Ipi(0));
        EvtchnPort other = Ipi(1);
        _ = Events.Send(port);
        _ = Events.Send(other);
        Assert.Equal([other.Value], _fifo.Drain(1));
        Assert.Equal([port.Value], _fifo.Drain(0));
    }

    [Fact]
    public void AClosedPort_ThatIsStillLinked_IsNotUsedAgain()
    {
        _fifo.Start();
        EvtchnPort port = Ipi(0);
        _ = Events.Send(port);
        Assert.Equal(XenErrno.OK, Events.Close(port));
        EvtchnPort next = Ipi(0);
        Assert.NotEqual(port, next);
        Assert.Empty(_fifo.Drain(0));
        Assert.Equal(port, Ipi(0));
    }

    [Fact]
    public void MaskedPort_IsPendingOnly_AndUnmaskLinksIt()
    {
        _fifo.Start(FifoEventWord.Masked);
        EvtchnPort port = Ipi(0);
        _ = Events.Send(port);
        Assert.True(Events.IsPending(port));
        Assert.False(_guest.Vcpu.Info.UpcallPending);
        _fifo.Unmask(port.Value);
        Assert.Equal([port.Value], _fifo.Drain(0));
        _fifo.Mask(port.Value);
        _fifo.Unmask(port.Value);
        Assert.Empty(_fifo.Drain(0));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(FifoEventWord.Masked)]
    public void EventsPendingAtTheChangeOver_AreCarriedOver(uint word)
    {
        (EvtchnPort first, EvtchnPort host) = Connect();
        EvtchnPort second = Ipi(1), quiet = Ipi(0);
        Notify(host);
        _ = Events.Send(second);
        Assert.Equal(XenErrno.OK, _fifo.Init(0));
        Assert.True(Events.IsPending(first) && Events.IsPending(second));
        Assert.False(Events.IsPending(quiet));
        Assert.Equal(XenErrno.OK, _fifo.Expand(0, word));
        Assert.Equal(XenErrno.OK, _fifo.Init(1));
        foreach (EvtchnPort port in new[] { first, second, quiet })
            _fifo.Unmask(port.Value);
        Assert.Equal([first.Value], _fifo.Drain(0));
        Assert.Equal([second.Value], _fifo.Drain(1));
    }

    [Fact]
    public void EventsForAVcpuWithoutAControlBlock_WaitForIt()
    {
        Assert.Equal(XenErrno.OK, _fifo.Init(0));
        Assert.Equal(XenErrno.OK, _fifo.Expand(0, 0));
        EvtchnPort port = Ipi(1);
        _ = Events.Send(port);
        Assert.False(_guest.Domain.Vcpus[1].Info.UpcallPending);
        Assert.Equal(XenErrno.OK, _fifo.Init(1));
        Assert.Equal([port.Value], _fifo.Drain(1));
    }

    [Fact]
    public void MorePortsThanTwoLevelsHave_InSeveralPages()
    {
        using var guest = new TestGuest(1, _guest.Machine, 6000);
        FifoGuest fifo = new FifoGuest(guest).Start(pages: 6);
        EvtchnPort last = default;
        for (int i = 0; i < 6000; i++)
            Assert.Equal(XenErrno.OK, guest.Domain.Events.BindIpi(0, out last));
        Assert.Equal(6000u, last.Value);
        Assert.Equal(XenErrno.ENOSPC, guest.Domain.Events.BindIpi(0, out _));
        foreach (uint port in new uint[] { 5999, 1, 4096, 6000 })
            Assert.Equal(XenErrno.OK, guest.Domain.Events.Send(new EvtchnPort(port)));
        Assert.Equal([5999, 1, 4096], fifo.Drain(0).Where(static port => port != 6000));
        Assert.Equal(XenErrno.OK, guest.Domain.Events.Reset());
        Assert.Equal(0, guest.Domain.Events.PortsInUse);
    }

    [Fact]
    public void Reset_GoesBackToTwoLevels_AndLetsTheFramesGo()
    {
        uint users = _guest.Machine.Frames.TypeUsers(_fifo.Frame(FifoGuest.ControlPage));
        _fifo.Start();
        Assert.Equal(users + 1, _guest.Machine.Frames.TypeUsers(_fifo.Frame(FifoGuest.ControlPage)));
        Assert.Equal(users + 1, _guest.Machine.Frames.TypeUsers(_fifo.Frame(FifoGuest.ArrayPage)));
        (EvtchnPort port, EvtchnPort host) = Connect();
        Notify(host);
        Assert.Equal(XenErrno.OK, Events.Reset());
        Assert.False(Events.UsesFifo);
        foreach (int page in new[] { FifoGuest.ControlPage, FifoGuest.ControlPage + 1, FifoGuest.ArrayPage })
            Assert.Equal(users, _guest.Machine.Frames.TypeUsers(_fifo.Frame(page)));

        _ = _fifo.TakeUpcall(0);
        uint old = _fifo.Word(port.Value);
        EvtchnPort again = Ipi(0);
        Assert.Equal(XenErrno.OK, Events.Send(again));
        Assert.Equal((1ul, true), (_guest.Vcpu.Info.PendingSelector, _guest.Vcpu.Info.UpcallPending));
        Assert.Equal(old, _fifo.Word(port.Value));
        Assert.Equal(XenErrno.OK, _fifo.Init(0));
        Assert.True(Events.UsesFifo);
    }

    [Fact]
    public void Reset_InSlices_GoesOn_AndOnlyOneAtATime()
    {
        for (int i = 0; i < 100; i++)
            _ = Ipi(0);
        Assert.Equal(XenErrno.EBUSY, Events.Reset(resuming: true, 10, null, out _));
        Assert.Equal(XenErrno.OK, Events.Reset(resuming: false, 50, null, out bool isDone));
        Assert.False(isDone);
        Assert.Equal(50, Events.PortsInUse);
        Assert.Equal(XenErrno.EBUSY, Events.Reset());
        while (!isDone)
            Assert.Equal(XenErrno.OK, Events.Reset(resuming: true, 50, null, out isDone));
        Assert.Equal(0, Events.PortsInUse);
    }

    [Fact]
    public void Destroy_LetsTheFramesGo()
    {
        ulong free = _guest.Machine.Allocator.FreeFrames;
        var other = new TestGuest(2, _guest.Machine);
        new FifoGuest(other).Start();
        Assert.Equal(XenErrno.OK, other.Domain.Events.AllocateUnbound(DomId.Dom0, out EvtchnPort port));
        Assert.Equal(XenErrno.OK, _guest.Machine.Dom0Events.BindInterdomainForHost(other.Domain.Events, port, static () => { }, out EvtchnPort host));
        new DomainControl(_guest.Machine).Destroy(other.Domain);
        Assert.Equal(free, _guest.Machine.Allocator.FreeFrames);
        Assert.DoesNotContain(_guest.Machine.Log.Read(), static line => line.Contains("not destroyed cleanly", StringComparison.Ordinal));
        Assert.Empty(_guest.Machine.Dom0Events.FindHalfConnected());

        // A late sender touches nothing of it.
        Assert.Equal(XenErrno.OK, _guest.Machine.Dom0Events.NotifyFromHost(host));
        other.Domain.SendVirq(new VcpuId(0), VirtualIrq.Timer);
        Assert.False(other.Domain.Events.IsPending(port));
        Assert.Equal(XenErrno.EINVAL, other.Domain.Events.InitControl(0, new Mfn(100), 0, null));
    }

    [Fact]
    public void Poll_SeesAndIsWokenByQueuedPorts()
    {
        _fifo.Start(FifoEventWord.Masked);
        EvtchnPort port = Ipi(1);
        _guest.Vcpu.Poll([port], 0);
        Assert.True(_guest.Vcpu.IsBlocked);
        _ = Events.Send(port);
        Assert.False(_guest.Vcpu.IsBlocked);
        _guest.Vcpu.Poll([port], 0);
        Assert.False(_guest.Vcpu.IsBlocked);
    }

    [Fact]
    public void Send_AllocatesNothing()
    {
        _fifo.Start();
        (EvtchnPort port, EvtchnPort host) = Connect();
        Action<uint> ignore = static _ => { };
        for (int round = 0; round < 2; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                Notify(host);
                _fifo.Drain(0, ignore);
            }

            if (round != 0)
                Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.False(Events.IsPending(port));
    }

    private EvtchnPort Ipi(uint vcpu)
    {
        Assert.Equal(XenErrno.OK, Events.BindIpi(vcpu, out EvtchnPort port));
        return port;
    }

    private void Notify(EvtchnPort host) => Assert.True(_guest.Machine.Dom0Events.NotifyFromHost(host) == XenErrno.OK);

    private (EvtchnPort Guest, EvtchnPort Host) Connect()
    {
        Assert.Equal(XenErrno.OK, Events.AllocateUnbound(DomId.Dom0, out EvtchnPort port));
        Assert.Equal(XenErrno.OK, _guest.Machine.Dom0Events.BindInterdomainForHost(Events, port, static () => { }, out EvtchnPort host));
        return (port, host);
    }
}
