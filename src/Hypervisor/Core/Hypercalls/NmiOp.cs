using Xen.Abi;

namespace Xen.Core;

/// <summary>nmi_op: the handler of non-maskable interrupts, which is gate 2 of the trap table. <b>Source</b>: nmi.h.</summary>
internal static class NmiOp
{
    private const ulong CommandRegister = 0, CommandUnregister = 1;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: command, xennmi_callback. <b>Errors</b>: EFAULT, EINVAL address not canonical, ENOSYS.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        switch (arguments.A1)
        {
            case CommandRegister:
                return GuestStructs.TryRead(vcpu, arguments.A2, out ulong handler) ? Register(vcpu, handler) : XenErrno.EFAULT;
            case CommandUnregister:
                return Unregister(vcpu);
            default:
                return XenErrno.ENOSYS;
        }
    }

    /// <summary>Sets the handler.</summary>
    public static HypercallResult Register(Vcpu vcpu, ulong handler)
    {
        if (!CanonicalAddress.IsCanonical(handler))
            return XenErrno.EINVAL;
        vcpu.Traps.SetGate(new TrapInfo
        {
            Vector = (byte)TrapVector.Nmi, Flags = TrapInfo.MaskEventsFlag, Cs = FlatSelectors.KernelCs, Address = handler,
        });
        return XenErrno.OK;
    }

    /// <summary>Removes it.</summary>
    public static HypercallResult Unregister(Vcpu vcpu)
    {
        vcpu.Traps.SetGate(new TrapInfo { Vector = (byte)TrapVector.Nmi });
        return XenErrno.OK;
    }
}
