using Xen.Abi;

namespace Xen.Core;

/// <summary>callback_op: registers the entry points of events, system calls and failed returns. <b>Source</b>: callback.h.</summary>
internal static class CallbackOp
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: command, its structure. <b>Errors</b>: EFAULT, EINVAL address not canonical or callback that cannot be taken back,
    /// ENOSYS unknown type. SYSENTER is not offered (no processor here has it), so a guest uses its other entries.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments) => (CallbackOperation)(uint)arguments.A1 switch
    {
        CallbackOperation.Register => HandleRegister(vcpu, arguments.A2),
        CallbackOperation.Unregister => HandleUnregister(vcpu, arguments.A2),
        _ => XenErrno.ENOSYS,
    };

    private static HypercallResult HandleRegister(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out CallbackRegister request))
            return XenErrno.EFAULT;
        if (!CanonicalAddress.IsCanonical(request.Address))
            return XenErrno.EINVAL;

        var callback = new GuestCallback(request.Address, (request.Flags & CallbackFlags.MaskEvents) != 0);
        switch (request.Type)
        {
            case CallbackType.Event:
                vcpu.Traps.EventCallback = callback;
                break;
            case CallbackType.Failsafe:
                vcpu.Traps.FailsafeCallback = callback;
                break;
            case CallbackType.Syscall:
                vcpu.Traps.SyscallCallback = callback;
                break;
            case CallbackType.Syscall32:
                vcpu.Traps.Syscall32Callback = callback;
                break;
            case CallbackType.Nmi:
                return NmiOp.Register(vcpu, request.Address);
            default:
                return XenErrno.ENOSYS;
        }

        return XenErrno.OK;
    }

    private static HypercallResult HandleUnregister(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryRead(vcpu, address, out ushort type))
            return XenErrno.EFAULT;
        switch ((CallbackType)type)
        {
            case CallbackType.Nmi:
                return NmiOp.Unregister(vcpu);
            case CallbackType.Event or CallbackType.Failsafe or CallbackType.Syscall or CallbackType.Sysenter or CallbackType.Syscall32:
                return XenErrno.EINVAL;
            default:
                return XenErrno.ENOSYS;
        }
    }
}
