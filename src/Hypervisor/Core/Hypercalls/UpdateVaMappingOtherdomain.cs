using Xen.Abi;

namespace Xen.Core;

/// <summary>update_va_mapping_otherdomain: the same for a page of another domain; a privilege of control domains. <b>Source</b>: xen.h.</summary>
internal static class UpdateVaMappingOtherdomain
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: address, entry, UVMF_ flags, domain. <b>Errors</b>: EPERM, ESRCH; those of update_va_mapping for DOMID_SELF.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        XenErrno error = PagingCall.CheckForeign(vcpu, (ushort)arguments.A4);
        return error == XenErrno.OK ? UpdateVaMapping.Handle(vcpu, arguments) : error;
    }
}
