using Xen.Abi;

namespace Xen.Core.Tests.Events;

/// <summary>The states of ports and how events get from one to another. "u" is a guest domain, "0" the host's domain 0.</summary>
public sealed class EventChannelTableTests : IDisposable
{
    private readonly TestGuest _guest = new(vcpus: 2);
    private readonly EventBits _bits;

    public EventChannelTableTests() => _bits = new EventBits(_guest.Machine.Memory, _guest.Domain.SharedInfoFrame);

    private EventChannelTable Events => _guest.Domain.Events;

    private EventChannelTable Dom0 => _guest.Machine.Dom0Events;

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void AllocateUnbound_GivesPortsFromOneOn()
    {
        Assert.Equal(XenErrno.OK, Events.AllocateUnbound(DomId.Dom0, out EvtchnPort first));
        Assert.Equal(XenErrno.OK, Events.AllocateUnbound(DomId.Dom0, out EvtchnPort second));
        Assert.Equal((1u, 2u), (first.Value, second.Value));
        Assert.Equal(EvtchnStatusKind.Unbound, StatusOf(first).State);
        Assert.Equal(DomId.Dom0, StatusOf(first).Remote);
    }

    [Fact]
    public void HostNotify_ReachesTheGuestAsAnUpcall()
    {
        (EvtchnPort guestPort, EvtchnPort hostPort, _) = Connect();
        Assert.Equal(XenErrno.OK, Dom0.NotifyFromHost(hostPort));
        Assert.True(_bits.IsPending(guestPort));
        Assert.Equal(1ul, SelectorOf(0));
        Assert.True(_guest.Vcpu.HasPendingUpcall);
    }

    [Fact]
    public void GuestSend_CallsTheHost()
    {
        (EvtchnPort guestPort, _, Counter calls) = Connect();
        calls.Value = 0;
        Assert.Equal(XenErrno.OK, Events.Send(guestPort));
        Assert.Equal(1, calls.Value);
    }

    [Fact]
    public void BindForHost_CallsAtOnce_BecauseEventsMayHaveComeBefore()
    {
        (_, _, Counter calls) = Connect();
        Assert.Equal(1, calls.Value);
    }

    [Fact]
    public void BindInterdomain_ByTheGuest_IsPendingAtOnce()
    {
        Assert.Equal(XenErrno.OK, Dom0.AllocateUnboundForHost(_guest.Domain.Id, static () => { }, out EvtchnPort hostPort));
        Assert.Equal(XenErrno.OK, Events.BindInterdomain(Dom0, hostPort, out EvtchnPort port));
        Assert.True(_bits.IsPending(port));
        Assert.Equal(EvtchnStatusKind.Interdomain, StatusOf(port).State);
        Assert.Equal(hostPort, StatusOf(port).RemotePort);
    }

    [Fact]
    public void BindInterdomain_ToAPortThatWaitsForSomebodyElse_IsRefused()
    {
        Assert.Equal(XenErrno.OK, Dom0.AllocateUnboundForHost(new DomId(77), static () => { }, out EvtchnPort hostPort));
        Assert.Equal(XenErrno.EINVAL, Events.BindInterdomain(Dom0, hostPort, out _));
    }

    [Fact]
    public void BindInterdomain_Twice_IsRefused()
    {
        Assert.Equal(XenErrno.OK, Dom0.AllocateUnboundForHost(_guest.Domain.Id, static () => { }, out EvtchnPort hostPort));
        Assert.Equal(XenErrno.OK, Events.BindInterdomain(Dom0, hostPort, out _));
        Assert.Equal(XenErrno.EINVAL, Events.BindInterdomain(Dom0, hostPort, out _));
    }

    [Fact]
    public void Send_OnUnboundPort_DropsSilently()
    {
        Assert.Equal(XenErrno.OK, Events.AllocateUnbound(DomId.Dom0, out EvtchnPort port));
        Assert.Equal(XenErrno.OK, Events.Send(port));
        Assert.False(_bits.IsPending(port));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(5u)]
    [InlineData(4095u)]
    [InlineData(4096u)]
    [InlineData(uint.MaxValue)]
    public void Hostile_PortsThatDoNotExist_AreInvalid(uint port)
    {
        var wrong = new EvtchnPort(port);
        Assert.Equal(XenErrno.EINVAL, Events.Send(wrong));
        Assert.Equal(XenErrno.EINVAL, Events.Close(wrong));
        Assert.Equal(port < 64 ? XenErrno.OK : XenErrno.EINVAL, Events.Unmask(wrong));
        Assert.Equal(XenErrno.EINVAL, Events.BindVcpu(wrong, 0));
        Assert.Equal(XenErrno.EINVAL, Dom0.NotifyFromHost(wrong));
        Assert.False(Events.IsPending(wrong));
    }

    [Fact]
    public void Loopback_ConnectsTwoPortsOfOneDomain()
    {
        Assert.Equal(XenErrno.OK, Events.AllocateUnbound(_guest.Domain.Id, out EvtchnPort first));
        Assert.Equal(XenErrno.OK, Events.BindInterdomain(Events, first, out EvtchnPort second));
        Assert.Equal(XenErrno.OK, Events.Send(second));
        Assert.True(_bits.IsPending(first));
        Assert.Equal(XenErrno.OK, Events.Close(second));
        Assert.Equal(EvtchnStatusKind.Unbound, StatusOf(first).State);
        Assert.Equal(EvtchnStatusKind.Closed, StatusOf(second).State);
    }

    [Fact]
    public void Close_ByTheGuest_LeavesTheHostWaitingForIt()
    {
        (EvtchnPort guestPort, EvtchnPort hostPort, _) = Connect();
        Assert.Equal(XenErrno.OK, Dom0.NotifyFromHost(hostPort));
        Assert.Equal(XenErrno.OK, Events.Close(guestPort));
        Assert.False(_bits.IsPending(guestPort));
        Assert.Equal(XenErrno.OK, Dom0.GetStatus(hostPort, out EventChannelStatus status));
        Assert.Equal((EvtchnStatusKind.Unbound, _guest.Domain.Id), (status.State, status.Remote));

        // Nobody hears it, and nobody is harmed.
        Assert.Equal(XenErrno.OK, Dom0.NotifyFromHost(hostPort));
        Assert.Equal(XenErrno.OK, Events.BindInterdomain(Dom0, hostPort, out EvtchnPort again));
        Assert.Equal(guestPort, again);
    }

    [Fact]
    public void Close_ByTheHost_MakesTheGuestsPortUnbound()
    {
        (EvtchnPort guestPort, EvtchnPort hostPort, _) = Connect();
        Assert.Equal(XenErrno.EINVAL, Dom0.Close(hostPort));
        Assert.Equal(XenErrno.OK, Dom0.CloseFromHost(hostPort));
        Assert.Equal(EvtchnStatusKind.Unbound, StatusOf(guestPort).State);
    }

    [Fact]
    public void MaskedPort_IsPendingWithoutUpcall_AndUnmaskDeliversIt()
    {
        (EvtchnPort guestPort, EvtchnPort hostPort, _) = Connect();
        SetMask(guestPort);
        Assert.Equal(XenErrno.OK, Dom0.NotifyFromHost(hostPort));
        Assert.True(Events.IsPending(guestPort));
        Assert.False(_guest.Vcpu.Info.UpcallPending);
        Assert.Equal(XenErrno.OK, Events.Unmask(guestPort));
        Assert.True(_guest.Vcpu.Info.UpcallPending);
        Assert.False(_bits.IsMasked(guestPort));
    }

    [Fact]
    public void Unmask_OfAPortThatWasNotMasked_TellsNobody()
    {
        (EvtchnPort guestPort, _, _) = Connect();
        _bits.TestAndSetPending(guestPort);
        Assert.Equal(XenErrno.OK, Events.Unmask(guestPort));
        Assert.False(_guest.Vcpu.Info.UpcallPending);
    }

    [Theory]
    [InlineData(VirtualIrq.Timer, 0u, XenErrno.OK)]
    [InlineData(VirtualIrq.Timer, 1u, XenErrno.OK)]
    [InlineData(VirtualIrq.Timer, 2u, XenErrno.ENOENT)]
    [InlineData(VirtualIrq.Timer, uint.MaxValue, XenErrno.ENOENT)]
    [InlineData(VirtualIrq.Debug, 1u, XenErrno.OK)]
    [InlineData(VirtualIrq.Xenoprof, 1u, XenErrno.OK)]
    [InlineData(VirtualIrq.Xenpmu, 1u, XenErrno.OK)]
    [InlineData(VirtualIrq.Console, 0u, XenErrno.OK)]
    [InlineData(VirtualIrq.Console, 1u, XenErrno.EINVAL)]
    [InlineData(VirtualIrq.Arch0, 1u, XenErrno.EINVAL)]
    [InlineData((VirtualIrq)24, 0u, XenErrno.EINVAL)]
    [InlineData((VirtualIrq)uint.MaxValue, 0u, XenErrno.EINVAL)]
    public void BindVirq_FollowsTheRulesOfTheLine(VirtualIrq virq, uint vcpu, XenErrno expected)
    {
        Assert.Equal(expected, Events.BindVirq(virq, vcpu, out EvtchnPort port));
        Assert.Equal(expected == XenErrno.OK ? 1u : 0u, port.Value);
        if (expected == XenErrno.OK)
            Assert.Equal(XenErrno.EEXIST, Events.BindVirq(virq, vcpu, out _));
    }

    [Fact]
    public void SendVirq_TellsItsOwnVcpu()
    {
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 0, out EvtchnPort first));
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 1, out EvtchnPort second));
        _guest.Domain.SendVirq(new VcpuId(1), VirtualIrq.Timer);
        Assert.False(_bits.IsPending(first));
        Assert.True(_bits.IsPending(second));
        Assert.False(_guest.Vcpu.Info.UpcallPending);
        Assert.True(_guest.Domain.Vcpus[1].Info.UpcallPending);
    }

    [Fact]
    public void SendVirq_ThatNobodyBound_IsDropped()
    {
        _guest.Domain.SendVirq(new VcpuId(0), VirtualIrq.Timer);
        Assert.False(_guest.Vcpu.Info.UpcallPending);
    }

    [Fact]
    public void GlobalVirq_FollowsBindVcpu_AndAPerVcpuOneDoesNot()
    {
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.DomExc, 0, out EvtchnPort global));
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 0, out EvtchnPort own));
        Assert.Equal(XenErrno.OK, Events.BindVcpu(global, 1));
        Assert.Equal(XenErrno.EINVAL, Events.BindVcpu(own, 1));
        Assert.Equal(XenErrno.ENOENT, Events.BindVcpu(global, 2));
        _guest.Domain.SendVirq(new VcpuId(0), VirtualIrq.DomExc);
        Assert.True(_guest.Domain.Vcpus[1].Info.UpcallPending);
    }

    [Fact]
    public void ClosedVirq_CanBeBoundAgain()
    {
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 1, out EvtchnPort port));
        Assert.Equal(XenErrno.OK, Events.Close(port));
        _guest.Domain.SendVirq(new VcpuId(1), VirtualIrq.Timer);
        Assert.False(_bits.IsPending(port));
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 1, out _));
    }

    [Fact]
    public void Ipi_TellsItsVcpu_AndCannotBeMoved()
    {
        Assert.Equal(XenErrno.OK, Events.BindIpi(1, out EvtchnPort port));
        Assert.Equal(XenErrno.ENOENT, Events.BindIpi(2, out _));
        Assert.Equal(XenErrno.EINVAL, Events.BindVcpu(port, 0));
        Assert.Equal(XenErrno.OK, Events.Send(port));
        Assert.True(_guest.Domain.Vcpus[1].HasPendingUpcall);
    }

    [Fact]
    public void Send_ThroughAVirq_IsRefused()
    {
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 0, out EvtchnPort port));
        Assert.Equal(XenErrno.EINVAL, Events.Send(port));
    }

    [Theory]
    [InlineData(EventChannelTable.DefaultMaxPort, 1023u)]
    [InlineData(10, 10u)]
    [InlineData(DomainSettings.MaxMaxEventChannels, 4095u)]
    public void Hostile_AllocatingWithoutEnd_StopsAtTheLimit(int limit, uint highest)
    {
        using var guest = new TestGuest(1, _guest.Machine, limit);
        EventChannelTable events = guest.Domain.Events;
        for (uint i = 1; i <= highest; i++)
        {
            Assert.Equal(XenErrno.OK, events.AllocateUnbound(DomId.Dom0, out EvtchnPort port));
            Assert.Equal(i, port.Value);
        }

        Assert.Equal((int)highest, events.PortsInUse);
        Assert.Equal(XenErrno.ENOSPC, events.AllocateUnbound(DomId.Dom0, out _));
        Assert.Equal(XenErrno.ENOSPC, events.BindIpi(0, out _));
        Assert.Equal(XenErrno.ENOSPC, events.BindVirq(VirtualIrq.Timer, 0, out _));
        Assert.Equal(XenErrno.OK, events.Close(new EvtchnPort(highest)));
        Assert.Equal(XenErrno.OK, events.BindVirq(VirtualIrq.Timer, 0, out EvtchnPort last));
        Assert.Equal(highest, last.Value);
        guest.Domain.SendVirq(new VcpuId(0), VirtualIrq.Timer);
        Assert.Equal(1ul << (int)(highest / 64), guest.Vcpu.Info.PendingSelector);
    }

    [Fact]
    public void Allocate_TakesTheLowestFreePort()
    {
        for (int i = 0; i < 200; i++)
            Assert.Equal(XenErrno.OK, Events.BindIpi(0, out _));
        foreach (uint port in new uint[] { 150, 3, 70 })
            Assert.Equal(XenErrno.OK, Events.Close(new EvtchnPort(port)));
        foreach (uint port in new uint[] { 3, 70, 150, 201 })
        {
            Assert.Equal(XenErrno.OK, Events.BindIpi(0, out EvtchnPort got));
            Assert.Equal(port, got.Value);
        }

        Assert.Equal(201, Events.PortsInUse);
    }

    [Fact]
    public void Send_AllocatesNothing()
    {
        (EvtchnPort guestPort, EvtchnPort hostPort, _) = Connect();
        Assert.Equal(XenErrno.OK, Events.BindIpi(0, out EvtchnPort ipi));
        for (int round = 0; round < 2; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                _ = Dom0.NotifyFromHost(hostPort);
                _ = Events.Send(guestPort);
                _ = Events.Send(ipi);
                _bits.TestAndClearPending(guestPort);
                _bits.TestAndClearPending(ipi);
            }

            if (round != 0)
                Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    [Fact]
    public void Reset_ClosesEverything()
    {
        (EvtchnPort guestPort, EvtchnPort hostPort, _) = Connect();
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 0, out _));
        Assert.Equal(XenErrno.OK, Events.Reset());
        Assert.False(Events.IsValid(guestPort));
        Assert.Equal(0, Events.PortsInUse);
        Assert.Equal(XenErrno.OK, Dom0.GetStatus(hostPort, out EventChannelStatus status));
        Assert.Equal(EvtchnStatusKind.Unbound, status.State);
        Assert.Equal(XenErrno.OK, Events.BindVirq(VirtualIrq.Timer, 0, out EvtchnPort port));
        Assert.Equal(1u, port.Value);
    }

    [Fact]
    public void Shut_ClosesForGood()
    {
        (EvtchnPort guestPort, EvtchnPort hostPort, _) = Connect();
        Events.Shut();
        Assert.False(Events.IsValid(guestPort));
        Assert.Equal(XenErrno.EINVAL, Events.AllocateUnbound(DomId.Dom0, out _));
        Assert.Equal(XenErrno.OK, Dom0.NotifyFromHost(hostPort));
        Assert.Equal(XenErrno.OK, Dom0.CloseFromHost(hostPort));
    }

    [Fact]
    public void ConcurrentBindSendClose_NeitherHangsNorLeavesHalfChannels()
    {
        using var other = new TestGuest(1, _guest.Machine);
        EventChannelTable[] tables = [Events, other.Domain.Events];
        Parallel.For(0, 4, thread =>
        {
            EventChannelTable mine = tables[thread & 1], theirs = tables[(thread & 1) ^ 1];
            for (int i = 0; i < 2000; i++)
            {
                if (mine.AllocateUnbound(theirs.Owner, out EvtchnPort port) != XenErrno.OK)
                    continue;
                _ = theirs.BindInterdomain(mine, port, out EvtchnPort end);
                _ = theirs.Send(end);
                _ = mine.Send(port);
                _ = (i & 1) == 0 ? mine.Close(port) : theirs.Close(end);
                _ = mine.Close(port);
                _ = theirs.Close(end);
            }
        });
        foreach (EventChannelTable table in tables)
        {
            Assert.Empty(table.FindHalfConnected());
            Assert.Equal(0, table.PortsInUse);
        }
    }

    private EventChannelStatus StatusOf(EvtchnPort port)
    {
        Assert.Equal(XenErrno.OK, Events.GetStatus(port, out EventChannelStatus status));
        return status;
    }

    /// <summary>A port of the guest, bound by the host; no event is pending.</summary>
    private (EvtchnPort Guest, EvtchnPort Host, Counter Calls) Connect()
    {
        var calls = new Counter();
        Assert.Equal(XenErrno.OK, Events.AllocateUnbound(DomId.Dom0, out EvtchnPort guestPort));
        Assert.Equal(XenErrno.OK, Dom0.BindInterdomainForHost(Events, guestPort, () => calls.Value++, out EvtchnPort hostPort));
        return (guestPort, hostPort, calls);
    }

    private ulong SelectorOf(int vcpu) =>
        _guest.Machine.Memory.ReadUInt64(_guest.Domain.Vcpus[vcpu].Info.MachineAddress + VcpuInfoLayout.PendingSel);

    private void SetMask(EvtchnPort port)
    {
        ulong address = _guest.Domain.SharedInfoFrame.Address + SharedInfoLayout.EvtchnMask + (port.Value / 64 * 8);
        _guest.Machine.Memory.WriteUInt64(address, 1ul << (int)(port.Value % 64));
    }

    private sealed class Counter
    {
        public int Value { get; set; }
    }
}
