using Xen.Abi;

namespace Xen.Core.Tests.Hypercalls;

/// <summary>event_channel_op as a guest makes it: structures in its memory.</summary>
public sealed class EventChannelOpTests : IDisposable
{
    private const ulong Unmapped = 0x1234_0000;

    private readonly TestGuest _guest = new();

    private static ulong Argument => TestGuest.AddressOf(20);

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void AllocUnbound_WritesThePort()
    {
        Assert.Equal(0, Call(EventChannelOperation.AllocUnbound, new EvtchnAllocUnbound { Dom = DomId.Self, RemoteDom = DomId.Dom0 }));
        Assert.Equal(1u, _guest.Read<EvtchnAllocUnbound>(Argument).Port.Value);
    }

    [Theory]
    [InlineData((ushort)0, XenErrno.EPERM)]
    [InlineData((ushort)999, XenErrno.ESRCH)]
    [InlineData((ushort)0x7FF4, XenErrno.ESRCH)]
    public void AllocUnbound_InAnotherDomain_IsAPrivilege(ushort domain, XenErrno expected) =>
        Assert.Equal(
            -(long)expected,
            Call(EventChannelOperation.AllocUnbound, new EvtchnAllocUnbound { Dom = new DomId(domain), RemoteDom = DomId.Self }));

    [Fact]
    public void Loopback_ByHypercalls()
    {
        Assert.Equal(0, Call(EventChannelOperation.AllocUnbound, new EvtchnAllocUnbound { Dom = DomId.Self, RemoteDom = DomId.Self }));
        EvtchnPort first = _guest.Read<EvtchnAllocUnbound>(Argument).Port;
        Assert.Equal(0, Call(EventChannelOperation.BindInterdomain, new EvtchnBindInterdomain { RemoteDom = DomId.Self, RemotePort = first }));
        EvtchnPort second = _guest.Read<EvtchnBindInterdomain>(Argument).LocalPort;

        Assert.Equal(0, Call(EventChannelOperation.Status, new EvtchnStatus { Dom = DomId.Self, Port = first }));
        EvtchnStatus status = _guest.Read<EvtchnStatus>(Argument);
        Assert.Equal((EvtchnStatusKind.Interdomain, _guest.Domain.Id, second), (status.Status, status.InterdomainDom, status.InterdomainPort));

        Assert.Equal(0, Call(EventChannelOperation.Send, new EvtchnSend { Port = second }));
        Assert.True(_guest.Domain.Events.IsPending(first));
        Assert.Equal(1, _guest.Vcpu.Counters.EventsSent);
        Assert.Equal(0, Call(EventChannelOperation.Close, new EvtchnClose { Port = first }));
        Assert.Equal(0, Call(EventChannelOperation.Status, new EvtchnStatus { Dom = DomId.Self, Port = second }));
        status = _guest.Read<EvtchnStatus>(Argument);
        Assert.Equal((EvtchnStatusKind.Unbound, _guest.Domain.Id), (status.Status, status.UnboundDom));
    }

    [Fact]
    public void BindVirq_AndItsStatus()
    {
        Assert.Equal(0, Call(EventChannelOperation.BindVirq, new EvtchnBindVirq { Virq = VirtualIrq.Timer, Vcpu = 1 }));
        EvtchnPort port = _guest.Read<EvtchnBindVirq>(Argument).Port;
        Assert.Equal(0, Call(EventChannelOperation.Status, new EvtchnStatus { Dom = DomId.Self, Port = port }));
        EvtchnStatus status = _guest.Read<EvtchnStatus>(Argument);
        Assert.Equal((EvtchnStatusKind.Virq, VirtualIrq.Timer, 1u), (status.Status, status.Virq, status.Vcpu));
    }

    [Fact]
    public void BindIpi_Unmask_BindVcpu()
    {
        Assert.Equal(0, Call(EventChannelOperation.BindIpi, new EvtchnBindIpi { Vcpu = 1 }));
        EvtchnPort port = _guest.Read<EvtchnBindIpi>(Argument).Port;
        Assert.Equal(0, Call(EventChannelOperation.Unmask, new EvtchnUnmask { Port = port }));
        Assert.Equal(-(long)XenErrno.EINVAL, Call(EventChannelOperation.BindVcpu, new EvtchnBindVcpu { Port = port, Vcpu = 0 }));
    }

    [Fact]
    public void Status_OfAnotherDomain_IsAPrivilege() =>
        Assert.Equal(-(long)XenErrno.EPERM, Call(EventChannelOperation.Status, new EvtchnStatus { Dom = DomId.Dom0, Port = new EvtchnPort(1) }));

    [Fact]
    public void BindInterdomain_ToNobody_IsNoSuchDomain() =>
        Assert.Equal(
            -(long)XenErrno.ESRCH,
            Call(EventChannelOperation.BindInterdomain, new EvtchnBindInterdomain { RemoteDom = new DomId(999), RemotePort = new EvtchnPort(1) }));

    [Fact]
    public void Reset_ClosesTheCallersPorts()
    {
        Assert.Equal(0, Call(EventChannelOperation.BindIpi, new EvtchnBindIpi { Vcpu = 1 }));
        Assert.Equal(0, Call(EventChannelOperation.Reset, new EvtchnReset { Dom = DomId.Self }));
        Assert.False(_guest.Domain.Events.IsValid(new EvtchnPort(1)));
        Assert.Equal(-(long)XenErrno.EPERM, Call(EventChannelOperation.Reset, new EvtchnReset { Dom = DomId.Dom0 }));
    }

    [Theory]
    [InlineData(EventChannelOperation.InitControl, XenErrno.EINVAL)]
    [InlineData(EventChannelOperation.ExpandArray, XenErrno.EOPNOTSUPP)]
    [InlineData(EventChannelOperation.SetPriority, XenErrno.ENOSYS)]
    [InlineData(EventChannelOperation.BindPirq, XenErrno.EPERM)]
    [InlineData((EventChannelOperation)15, XenErrno.ENOSYS)]
    [InlineData((EventChannelOperation)uint.MaxValue, XenErrno.ENOSYS)]
    public void WhatIsNotOffered_IsSaid(EventChannelOperation operation, XenErrno expected) =>
        Assert.Equal(-(long)expected, Call(operation, default(EvtchnStatus)));

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(2u)]
    [InlineData(3u)]
    [InlineData(4u)]
    [InlineData(5u)]
    [InlineData(6u)]
    [InlineData(7u)]
    [InlineData(8u)]
    [InlineData(9u)]
    [InlineData(10u)]
    [InlineData(11u)]
    [InlineData(12u)]
    [InlineData(13u)]
    [InlineData(14u)]
    public void Hostile_WildPointers_ChangeNothing(uint operation)
    {
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.EventChannelOp, operation, Unmapped));
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.EventChannelOp, operation, ulong.MaxValue));
        Assert.False(_guest.Domain.Events.IsValid(new EvtchnPort(1)));
    }

    [Theory]
    [InlineData(0u, XenErrno.EPERM)]
    [InlineData(47u, XenErrno.EPERM)]
    [InlineData(48u, XenErrno.EINVAL)]
    [InlineData(uint.MaxValue, XenErrno.EINVAL)]
    public void BindPirq_IsRefused(uint pirq, XenErrno expected) =>
        Assert.Equal(-(long)expected, Call(EventChannelOperation.BindPirq, new EvtchnBindPirq { Pirq = pirq }));

    [Fact]
    public void Fifo_ByHypercalls()
    {
        Mfn control = _guest.Domain.FrameOf(new Pfn(40)), array = _guest.Domain.FrameOf(new Pfn(41));
        Assert.Equal(0, Call(EventChannelOperation.InitControl, new EvtchnInitControl { ControlGfn = new Gfn(control.Value), Vcpu = 0 }));
        Assert.Equal(17, _guest.Read<EvtchnInitControl>(Argument).LinkBits);
        Assert.Equal(
            -(long)XenErrno.EINVAL, Call(EventChannelOperation.InitControl, new EvtchnInitControl { ControlGfn = new Gfn(control.Value), Vcpu = 0 }));
        Assert.Equal(
            -(long)XenErrno.ENOENT, Call(EventChannelOperation.InitControl, new EvtchnInitControl { ControlGfn = new Gfn(control.Value), Vcpu = 2 }));
        Assert.Equal(0, Call(EventChannelOperation.ExpandArray, new EvtchnExpandArray { ArrayGfn = new Gfn(array.Value) }));
        Assert.Equal(-(long)XenErrno.EINVAL, Call(EventChannelOperation.ExpandArray, new EvtchnExpandArray { ArrayGfn = new Gfn(ulong.MaxValue) }));
        Assert.Equal(0, Call(EventChannelOperation.BindIpi, new EvtchnBindIpi { Vcpu = 0 }));
        var port = new EvtchnPort(1);
        Assert.Equal(0, Call(EventChannelOperation.SetPriority, new EvtchnSetPriority { Port = port, Priority = 2 }));
        Assert.Equal(-(long)XenErrno.EINVAL, Call(EventChannelOperation.SetPriority, new EvtchnSetPriority { Port = port, Priority = 16 }));
        Assert.Equal(0, Call(EventChannelOperation.Send, new EvtchnSend { Port = port }));
        Assert.Equal(FifoEventWord.Pending | FifoEventWord.Linked, _guest.Read<uint>(TestGuest.AddressOf(41) + 4));
        Assert.Equal(4u, _guest.Read<uint>(TestGuest.AddressOf(40)));
        Assert.Equal(-(long)XenErrno.EBUSY, Call(EventChannelOp.ResetCont, new EvtchnReset { Dom = DomId.Self }));
        Assert.Equal(0, Call(EventChannelOperation.Reset, new EvtchnReset { Dom = DomId.Self }));
        Assert.Equal(-(long)XenErrno.EOPNOTSUPP, Call(EventChannelOperation.ExpandArray, new EvtchnExpandArray { ArrayGfn = new Gfn(array.Value) }));
    }

    [Fact]
    public void Reset_OfManyPorts_IsMadeInSlices()
    {
        using var guest = new TestGuest(1, _guest.Machine, 3000);
        for (int i = 0; i < 3000; i++)
            Assert.Equal(XenErrno.OK, guest.Domain.Events.BindIpi(0, out _));
        guest.Write(Argument, new EvtchnReset { Dom = DomId.Self });
        int calls = 1;
        guest.Registers.Rip = 0x1000;
        long rax = guest.Hypercall(HypercallNumber.EventChannelOp, (ulong)EventChannelOperation.Reset, Argument);
        for (; guest.Registers.Rip < 0x1000; calls++)
        {
            guest.Registers.Rip = 0x1000;
            HypercallTable.Dispatch(guest.Vcpu);
            rax = (long)guest.Registers.Gpr[Gpr.Rax];
        }

        Assert.Equal((0L, 0), (rax, guest.Domain.Events.PortsInUse));
        Assert.InRange(calls, 3, 5);
    }

    [Fact]
    public void Compat_HasTheCommandInFront()
    {
        _guest.Write(Argument, (uint)EventChannelOperation.BindIpi);
        _guest.Write(Argument + 4, new EvtchnBindIpi { Vcpu = 1 });
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.EventChannelOpCompat, Argument));
        Assert.Equal(1u, _guest.Read<EvtchnBindIpi>(Argument + 4).Port.Value);
        _guest.Write(Argument, (uint)EventChannelOperation.Reset);
        Assert.Equal(-(long)XenErrno.ENOSYS, _guest.Hypercall(HypercallNumber.EventChannelOpCompat, Argument));
    }

    private long Call<T>(EventChannelOperation operation, in T argument)
        where T : unmanaged
    {
        _guest.Write(Argument, argument);
        return _guest.Hypercall(HypercallNumber.EventChannelOp, (ulong)operation, Argument);
    }
}
