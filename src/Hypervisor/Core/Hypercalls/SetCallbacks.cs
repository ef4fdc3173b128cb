using Xen.Abi;

namespace Xen.Core;

/// <summary>set_callbacks: event, failsafe and system call entry at once, the older form of callback_op. <b>Source</b>: arch-x86/xen.h.</summary>
internal static class SetCallbacks
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: the three addresses. <b>Errors</b>: EINVAL for one that is not canonical; then none is changed.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (!CanonicalAddress.IsCanonical(arguments.A1) || !CanonicalAddress.IsCanonical(arguments.A2) || !CanonicalAddress.IsCanonical(arguments.A3))
            return XenErrno.EINVAL;
        vcpu.Traps.EventCallback = new GuestCallback(arguments.A1, false);
        vcpu.Traps.FailsafeCallback = new GuestCallback(arguments.A2, false);
        vcpu.Traps.SyscallCallback = new GuestCallback(arguments.A3, false);
        return XenErrno.OK;
    }
}
