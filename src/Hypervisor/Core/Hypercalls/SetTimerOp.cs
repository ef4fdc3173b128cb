using Xen.Abi;

namespace Xen.Core;

/// <summary>set_timer_op: the vCPU's one-shot timer. <b>Source</b>: xen.h.</summary>
internal static class SetTimerOp
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Argument: the deadline, in ns of system time; 0 cancels.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        vcpu.Trace.Record(TraceKind.TimerSet, arguments.A1);
        if (arguments.A1 == 0)
            vcpu.StopSingleshot();
        else
            vcpu.SetSingleshot(arguments.A1);
        return XenErrno.OK;
    }
}
