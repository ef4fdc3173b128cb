using Xen.Abi;

namespace Xen.Core;

/// <summary>fpu_taskswitch: sets or clears CR0.TS. <b>Source</b>: arch-x86/xen.h.</summary>
internal static class FpuTaskswitch
{
    /// <inheritdoc cref="HypercallHandler"/>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        vcpu.State.TaskSwitched = (int)arguments.A1 != 0;
        return XenErrno.OK;
    }
}
