using Xen.Abi;

namespace Xen.Core;

/// <summary>sched_op: giving up the processor, waiting, ending the domain. <b>Source</b>: sched.h.</summary>
internal static class SchedOp
{
    /// <summary>Most ports of one poll.</summary>
    private const int MaxPollPorts = 128;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: operation, its structure. <b>Errors</b>: EFAULT, EINVAL, EPERM, ESRCH, ENOSPC, ENOSYS.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        switch ((SchedOperation)(uint)arguments.A1)
        {
            case SchedOperation.Yield:
                vcpu.Yield();
                return XenErrno.OK;
            case SchedOperation.Block:
                vcpu.Block();
                return XenErrno.OK;
            case SchedOperation.Shutdown:
                return Shutdown(vcpu, arguments.A2);
            case SchedOperation.Poll:
                return Poll(vcpu, arguments.A2);
            case SchedOperation.RemoteShutdown:
                return RemoteShutdown(vcpu, arguments.A2);
            case SchedOperation.ShutdownCode:
                return LatchReason(vcpu, arguments.A2);
            case SchedOperation.Watchdog:
                return GuestStructs.TryRead(vcpu, arguments.A2, out SchedWatchdog watchdog)
                    ? vcpu.Domain.Watchdogs.Set(watchdog.Id, watchdog.Timeout)
                    : XenErrno.EFAULT;
            case SchedOperation.PinOverride:
                return XenErrno.EPERM;
            default:
                return XenErrno.ENOSYS;
        }
    }

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>sched_op_compat. Arguments: yield, block or shutdown; the latter's reason.</remarks>
    public static HypercallResult HandleCompat(Vcpu vcpu, in HypercallArguments arguments)
    {
        switch ((SchedOperation)(uint)arguments.A1)
        {
            case SchedOperation.Yield:
                vcpu.Yield();
                return XenErrno.OK;
            case SchedOperation.Block:
                vcpu.Block();
                return XenErrno.OK;
            case SchedOperation.Shutdown:
                return Shutdown(vcpu, (ShutdownReason)(uint)arguments.A2);
            default:
                return XenErrno.ENOSYS;
        }
    }

    private static HypercallResult Shutdown(Vcpu vcpu, ulong address) =>
        GuestStructs.TryRead(vcpu, address, out SchedShutdown request) ? Shutdown(vcpu, request.Reason) : XenErrno.EFAULT;

    private static HypercallResult Shutdown(Vcpu vcpu, ShutdownReason reason)
    {
        if (reason > ShutdownReason.SoftReset)
            return XenErrno.EINVAL;
        vcpu.Trace.Record(TraceKind.Shutdown, (ulong)reason);
        if (reason == ShutdownReason.Crash)
            vcpu.Domain.Crash("the guest reports a crash", vcpu);
        else
            vcpu.Domain.Shutdown(reason);
        return XenErrno.OK;
    }

    private static HypercallResult LatchReason(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out SchedShutdown request))
            return XenErrno.EFAULT;
        if (request.Reason > ShutdownReason.SoftReset)
            return XenErrno.EINVAL;
        vcpu.Domain.LatchedReason ??= request.Reason;
        return XenErrno.OK;
    }

    /// <summary>Only a privileged domain may; the difference between "not there" and "not allowed" is Xen's.</summary>
    private static HypercallResult RemoteShutdown(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out SchedRemoteShutdown request))
            return XenErrno.EFAULT;
        bool known = request.DomainId == vcpu.Domain.Id || vcpu.Domain.Machine.FindDomain(request.DomainId) is not null;
        return known ? XenErrno.EPERM : XenErrno.ESRCH;
    }

    private static HypercallResult Poll(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out SchedPoll request))
            return XenErrno.EFAULT;
        if (request.NrPorts > MaxPollPorts)
            return XenErrno.EINVAL;
        Span<EvtchnPort> ports = stackalloc EvtchnPort[(int)request.NrPorts];
        for (int i = 0; i < ports.Length; i++)
        {
            if (!GuestStructs.TryRead(vcpu, request.Ports + ((ulong)i * sizeof(uint)), out uint port))
                return XenErrno.EFAULT;
            ports[i] = new EvtchnPort(port);
            if (!vcpu.Domain.Events.HasPort(ports[i]))
                return XenErrno.EINVAL;
        }

        vcpu.Poll(ports, request.Timeout);
        return XenErrno.OK;
    }
}
