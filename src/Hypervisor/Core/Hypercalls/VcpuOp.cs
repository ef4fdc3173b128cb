using Xen.Abi;

namespace Xen.Core;

/// <summary>vcpu_op: bringing vCPUs up and down, their timers, and what they want to read without asking. <b>Source</b>: vcpu.h.</summary>
internal static class VcpuOp
{
    /// <summary>Shortest period of the repeating timer. <b>Units</b>: ns.</summary>
    private const ulong MinPeriod = 1_000_000;

    /// <summary>Longest period. <b>Units</b>: ns.</summary>
    private const ulong MaxPeriod = long.MaxValue;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: operation, vCPU, structure. <b>Errors</b>: ENOENT for a vCPU that does not exist; EFAULT, EINVAL, EEXIST, ETIME, ENOSYS.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        // Like Xen's int: a number with rubbish above bit 31 is still that vCPU.
        uint id = (uint)arguments.A2;
        if (id >= (uint)vcpu.Domain.Vcpus.Count)
            return XenErrno.ENOENT;
        Vcpu target = vcpu.Domain.Vcpus[(int)id];
        ulong argument = arguments.A3;
        switch ((VcpuOperation)(uint)arguments.A1)
        {
            case VcpuOperation.Initialise:
                return Initialise(vcpu, target, argument);
            case VcpuOperation.Up:
                return target.BringUp() ? XenErrno.OK : XenErrno.EINVAL;
            case VcpuOperation.Down:
                return Down(target);
            case VcpuOperation.IsUp:
                return target.IsUp ? 1L : 0L;
            case VcpuOperation.GetRunstateInfo:
                return GuestStructs.TryWrite(vcpu, argument, vcpu.Domain.Machine.Scheduler.ReadRunstate(target)) ? XenErrno.OK : XenErrno.EFAULT;
            case VcpuOperation.RegisterRunstateMemoryArea:
            case VcpuOperation.RegisterVcpuTimeMemoryArea:
                return RegisterArea(vcpu, target, (VcpuOperation)(uint)arguments.A1, argument);
            case VcpuOperation.RegisterVcpuInfo:
                return RegisterInfo(vcpu, target, argument);
            case VcpuOperation.SendNmi:
                if (argument != 0)
                    return XenErrno.EINVAL;
                target.SendNmi();
                return XenErrno.OK;
            case VcpuOperation.GetPhysid:
                // Only for the domain that the hardware belongs to.
                return XenErrno.EINVAL;
            default:
                return HandleTimer(vcpu, target, (VcpuOperation)(uint)arguments.A1, argument);
        }
    }

    private static HypercallResult HandleTimer(Vcpu vcpu, Vcpu target, VcpuOperation operation, ulong argument)
    {
        switch (operation)
        {
            case VcpuOperation.SetPeriodicTimer:
                if (!GuestStructs.TryRead(vcpu, argument, out VcpuSetPeriodicTimer periodic))
                    return XenErrno.EFAULT;
                if (periodic.PeriodNs is < MinPeriod or > MaxPeriod)
                    return XenErrno.EINVAL;
                target.SetPeriod(periodic.PeriodNs);
                return XenErrno.OK;
            case VcpuOperation.StopPeriodicTimer:
                target.SetPeriod(0);
                return XenErrno.OK;
            case VcpuOperation.SetSingleshotTimer:
                return target == vcpu ? SetSingleshot(vcpu, argument) : XenErrno.EINVAL;
            case VcpuOperation.StopSingleshotTimer:
                if (target != vcpu)
                    return XenErrno.EINVAL;
                vcpu.StopSingleshot();
                return XenErrno.OK;
            default:
                return XenErrno.ENOSYS;
        }
    }

    private static HypercallResult Initialise(Vcpu vcpu, Vcpu target, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out VcpuGuestContext context))
            return XenErrno.EFAULT;
        lock (vcpu.Domain.LifecycleLock)
            return target.IsUp ? XenErrno.EEXIST : VcpuContext.Apply(target, context, vcpu);
    }

    /// <summary>Who takes down the last vCPU ends the domain: nothing could ever wake it.</summary>
    private static HypercallResult Down(Vcpu target)
    {
        target.TakeDown();
        foreach (Vcpu vcpu in target.Domain.Vcpus)
        {
            if (vcpu.IsUp)
                return XenErrno.OK;
        }

        target.Domain.Shutdown(ShutdownReason.Poweroff);
        return XenErrno.OK;
    }

    private static HypercallResult SetSingleshot(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out VcpuSetSingleshotTimer request))
            return XenErrno.EFAULT;
        if ((request.Flags & SingleshotTimerFlags.Future) != 0 && request.TimeoutAbsNs < vcpu.Domain.Machine.Clock.Now)
            return XenErrno.ETIME;
        vcpu.Trace.Record(TraceKind.TimerSet, request.TimeoutAbsNs);
        vcpu.SetSingleshot(request.TimeoutAbsNs);
        return XenErrno.OK;
    }

    private static HypercallResult RegisterArea(Vcpu vcpu, Vcpu target, VcpuOperation operation, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out VcpuRegisterMemoryArea request))
            return XenErrno.EFAULT;
        if (operation == VcpuOperation.RegisterRunstateMemoryArea)
            target.RegisterRunstateArea(request.Addr, isCurrent: target == vcpu);
        else
            target.RegisterTimeArea(request.Addr, isCurrent: target == vcpu);
        return XenErrno.OK;
    }

    private static HypercallResult RegisterInfo(Vcpu vcpu, Vcpu target, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out VcpuRegisterVcpuInfo request))
            return XenErrno.EFAULT;
        const int Alignment = sizeof(ulong);
        var frame = new Mfn(request.Mfn.Value);
        Domain domain = vcpu.Domain;
        bool lawful = request.Offset <= Page.Size - VcpuInfoLayout.Size && request.Offset % Alignment == 0
            && (target == vcpu || !target.IsUp) && domain.Machine.Memory.Contains(frame);
        lock (domain.LifecycleLock)
        {
            if (!lawful || target.Info.Frame != domain.SharedInfoFrame || !domain.TryHoldWritable(frame, vcpu))
                return XenErrno.EINVAL;
            lock (domain.EventLock)
                target.Info.MoveTo(frame.Address + request.Offset);
        }

        target.PublishClock(domain.Machine.Clock.Now);
        return XenErrno.OK;
    }
}
