using Xen.Abi;

namespace Xen.Core;

/// <summary>vm_assist: switches assistances on and off. <b>Source</b>: xen.h.</summary>
internal static class VmAssist
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: command, type. <b>Errors</b>: EINVAL unknown type, ENOSYS unknown command.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (arguments.A2 > (ulong)VmAssistType.M2pStrict || !Enum.IsDefined((VmAssistType)arguments.A2))
            return XenErrno.EINVAL;
        var type = (VmAssistType)arguments.A2;
        switch ((VmAssistCommand)(uint)arguments.A1)
        {
            case VmAssistCommand.Enable:
                vcpu.Domain.SetAssist(type, true);
                return XenErrno.OK;
            case VmAssistCommand.Disable:
                vcpu.Domain.SetAssist(type, false);
                return XenErrno.OK;
            default:
                return XenErrno.ENOSYS;
        }
    }
}
