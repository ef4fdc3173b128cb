using Xen.Abi;

namespace Xen.Core;

/// <summary>Hypercalls that are known and answered no: a control domain's privileges, and services that this machine does not offer.</summary>
internal static class Refused
{
    /// <summary>A control domain's privilege: -EPERM for the others.</summary>
    public static HypercallResult NotPrivileged(Vcpu vcpu, in HypercallArguments arguments) => XenErrno.EPERM;

    /// <summary>Not built in: -ENOSYS, as Xen answers without its security modules, for HVM operations of a PV guest, and so on.</summary>
    public static HypercallResult NotImplemented(Vcpu vcpu, in HypercallArguments arguments) => XenErrno.ENOSYS;

    /// <summary>Built in but off: -EOPNOTSUPP, as Xen answers for performance counters (<c>vpmu=off</c>, the default) and Argo.</summary>
    public static HypercallResult NotSupported(Vcpu vcpu, in HypercallArguments arguments) => XenErrno.EOPNOTSUPP;
}
