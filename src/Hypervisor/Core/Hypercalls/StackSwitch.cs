using Xen.Abi;

namespace Xen.Core;

/// <summary>stack_switch: where traps from user mode are pushed. <b>Source</b>: arch-x86/xen.h.</summary>
internal static class StackSwitch
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: ss, rsp. A bad stack is found when it is used.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        vcpu.Traps.KernelSs = (ushort)(arguments.A1 | 3);
        vcpu.Traps.KernelSp = arguments.A2;
        return XenErrno.OK;
    }
}
