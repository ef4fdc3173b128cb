using Xen.Abi;

namespace Xen.Core;

/// <summary>event_channel_op: a guest's requests to its event channels. <b>Source</b>: event_channel.h.</summary>
/// <remarks>Structures with results are checked to be writable before anything is changed.</remarks>
internal static class EventChannelOp
{
    /// <summary>How a reset goes on that was interrupted (EVTCHNOP_reset_cont): only the hypervisor makes guests ask for it, so public headers hide it.</summary>
    internal const EventChannelOperation ResetCont = (EventChannelOperation)14;

    private const ulong LastCompatCommand = 9;

    /// <summary>The union of evtchn_op stands behind its command.</summary>
    private const ulong CompatArgument = 4;

    /// <summary>Ports that a reset looks at before events and the scheduler get their turn.</summary>
    private const int ResetSlice = 1024;

    /// <summary>Physical interrupts that there could be (nr_pirqs): the legacy ones and 32 for devices that are passed through. There are none.</summary>
    private const uint PirqCount = 16 + 32;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: command, its structure. <b>Errors</b>: those of the operations in <see cref="EventChannelTable"/>; EFAULT, EPERM, ESRCH, ENOSYS.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        ulong address = arguments.A2;
        return (EventChannelOperation)(uint)arguments.A1 switch
        {
            EventChannelOperation.Send or EventChannelOperation.Unmask or EventChannelOperation.Close => WithPort(vcpu, (EventChannelOperation)(uint)arguments.A1, address),
            EventChannelOperation.AllocUnbound => AllocUnbound(vcpu, address),
            EventChannelOperation.BindInterdomain => BindInterdomain(vcpu, address),
            EventChannelOperation.BindVirq => BindVirq(vcpu, address),
            EventChannelOperation.BindIpi => BindIpi(vcpu, address),
            EventChannelOperation.BindVcpu => BindVcpu(vcpu, address),
            EventChannelOperation.Status => Status(vcpu, address),
            EventChannelOperation.Reset or ResetCont => Reset(vcpu, arguments),
            EventChannelOperation.BindPirq => BindPirq(vcpu, address),
            EventChannelOperation.InitControl => InitControl(vcpu, address),
            EventChannelOperation.ExpandArray => ExpandArray(vcpu, address),
            EventChannelOperation.SetPriority => SetPriority(vcpu, address),
            _ => XenErrno.ENOSYS,
        };
    }

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>event_channel_op_compat. Argument: evtchn_op, a command and its structure.</remarks>
    public static HypercallResult HandleCompat(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (!GuestStructs.TryRead(vcpu, arguments.A1, out uint command))
            return XenErrno.EFAULT;
        return command <= LastCompatCommand
            ? Handle(vcpu, arguments with { A1 = command, A2 = arguments.A1 + CompatArgument })
            : XenErrno.ENOSYS;
    }

    private static HypercallResult WithPort(Vcpu vcpu, EventChannelOperation command, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out EvtchnPort port))
            return XenErrno.EFAULT;
        EventChannelTable events = vcpu.Domain.Events;
        return command switch
        {
            EventChannelOperation.Send => Send(vcpu, port),
            EventChannelOperation.Unmask => events.Unmask(port),
            _ => events.Close(port),
        };
    }

    private static XenErrno Send(Vcpu vcpu, EvtchnPort port)
    {
        XenErrno errno = vcpu.Domain.Events.Send(port);
        vcpu.Counters.EventsSent++;
        vcpu.Trace.Record(TraceKind.EventSend, port.Value, (ulong)errno);
        return errno;
    }

    private static HypercallResult AllocUnbound(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out EvtchnAllocUnbound request))
            return XenErrno.EFAULT;
        XenErrno errno = Resolve(vcpu, request.Dom, out EventChannelTable table);
        if (errno != XenErrno.OK)
            return errno;
        errno = table.AllocateUnbound(RealId(vcpu, request.RemoteDom), out EvtchnPort port);
        request.Port = port;
        return Finish(vcpu, address, errno, request);
    }

    private static HypercallResult BindInterdomain(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out EvtchnBindInterdomain request))
            return XenErrno.EFAULT;
        EventChannelTable? remote = vcpu.Domain.Machine.FindEvents(RealId(vcpu, request.RemoteDom));
        if (remote is null)
            return XenErrno.ESRCH;
        XenErrno errno = vcpu.Domain.Events.BindInterdomain(remote, request.RemotePort, out EvtchnPort port);
        request.LocalPort = port;
        return Finish(vcpu, address, errno, request);
    }

    private static HypercallResult BindVirq(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out EvtchnBindVirq request))
            return XenErrno.EFAULT;
        XenErrno errno = vcpu.Domain.Events.BindVirq(request.Virq, request.Vcpu, out EvtchnPort port);
        request.Port = port;
        return Finish(vcpu, address, errno, request);
    }

    private static HypercallResult BindIpi(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out EvtchnBindIpi request))
            return XenErrno.EFAULT;
        XenErrno errno = vcpu.Domain.Events.BindIpi(request.Vcpu, out EvtchnPort port);
        request.Port = port;
        return Finish(vcpu, address, errno, request);
    }

    private static HypercallResult BindVcpu(Vcpu vcpu, ulong address) =>
        GuestStructs.TryRead(vcpu, address, out EvtchnBindVcpu request)
            ? vcpu.Domain.Events.BindVcpu(request.Port, request.Vcpu)
            : XenErrno.EFAULT;

    private static HypercallResult Status(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out EvtchnStatus request))
            return XenErrno.EFAULT;
        XenErrno errno = Resolve(vcpu, request.Dom, out EventChannelTable table);
        if (errno != XenErrno.OK)
            return errno;
        errno = table.GetStatus(request.Port, out EventChannelStatus status);
        request.Status = status.State;
        request.Vcpu = (uint)status.NotifyVcpu;
        switch (status.State)
        {
            case EvtchnStatusKind.Unbound:
                request.UnboundDom = status.Remote;
                break;
            case EvtchnStatusKind.Interdomain:
                request.InterdomainDom = status.Remote;
                request.InterdomainPort = status.RemotePort;
                break;
            case EvtchnStatusKind.Virq:
                request.Virq = status.Virq;
                break;
            default:
                break;
        }

        return Finish(vcpu, address, errno, request);
    }

    /// <summary>No physical interrupt is anybody's here.</summary>
    private static HypercallResult BindPirq(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out EvtchnBindPirq request))
            return XenErrno.EFAULT;
        return request.Pirq < PirqCount ? XenErrno.EPERM : XenErrno.EINVAL;
    }

    private static HypercallResult InitControl(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out EvtchnInitControl request))
            return XenErrno.EFAULT;
        request.LinkBits = FifoEventWord.LinkBits;
        XenErrno errno = vcpu.Domain.Events.InitControl(request.Vcpu, new Mfn(request.ControlGfn.Value), request.Offset, vcpu);
        return Finish(vcpu, address, errno, request);
    }

    private static HypercallResult ExpandArray(Vcpu vcpu, ulong address) =>
        GuestStructs.TryRead(vcpu, address, out EvtchnExpandArray request)
            ? vcpu.Domain.Events.ExpandArray(new Mfn(request.ArrayGfn.Value), vcpu)
            : XenErrno.EFAULT;

    private static HypercallResult SetPriority(Vcpu vcpu, ulong address) =>
        GuestStructs.TryRead(vcpu, address, out EvtchnSetPriority request)
            ? vcpu.Domain.Events.SetPriority(request.Port, request.Priority)
            : XenErrno.EFAULT;

    /// <summary>Another domain's must be paused meanwhile.</summary>
    private static HypercallResult Reset(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (!GuestStructs.TryRead(vcpu, arguments.A2, out DomId domain))
            return XenErrno.EFAULT;
        XenErrno errno = Resolve(vcpu, domain, out EventChannelTable table);
        if (errno != XenErrno.OK)
            return errno;
        if (table != vcpu.Domain.Events && vcpu.Domain.Machine.FindDomain(table.Owner) is not { PauseCount: > 0 })
            return XenErrno.EINVAL;
        bool resuming = (EventChannelOperation)(uint)arguments.A1 == ResetCont;
        errno = table.Reset(resuming, ResetSlice, vcpu, out bool isDone);
        if (errno != XenErrno.OK || isDone)
            return errno;
        HypercallTable.SetArguments(ref vcpu.State.Registers, arguments with { A1 = (ulong)ResetCont });
        return HypercallResult.Restart;
    }

    /// <summary>The table of a domain that the caller may work on: its own, or for a control domain any.</summary>
    private static XenErrno Resolve(Vcpu vcpu, DomId domain, out EventChannelTable table)
    {
        table = vcpu.Domain.Events;
        DomId id = RealId(vcpu, domain);
        if (id == vcpu.Domain.Id)
            return XenErrno.OK;
        EventChannelTable? found = vcpu.Domain.Machine.FindEvents(id);
        if (found is null)
            return XenErrno.ESRCH;
        if (vcpu.Domain.Id != DomId.Dom0)
            return XenErrno.EPERM;
        table = found;
        return XenErrno.OK;
    }

    private static DomId RealId(Vcpu vcpu, DomId domain) =>
        domain == DomId.Self ? vcpu.Domain.Id : domain;

    private static HypercallResult Finish<T>(Vcpu vcpu, ulong address, XenErrno errno, in T result)
        where T : unmanaged
    {
        if (errno != XenErrno.OK)
            return errno;
        return GuestStructs.TryWrite(vcpu, address, result) ? XenErrno.OK : XenErrno.EFAULT;
    }
}
