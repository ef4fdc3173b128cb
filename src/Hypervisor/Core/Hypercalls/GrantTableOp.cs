using Xen.Abi;

namespace Xen.Core;

/// <summary>grant_table_op: the table's size, layout and frames. <b>Source</b>: grant_table.h.</summary>
internal static class GrantTableOp
{
    /// <summary>Set in the operation by continuations of other hypervisors; not a part of the interface.</summary>
    private const ulong OperationMask = uint.MaxValue;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: operation, list of its structures, count. Each structure has its own GNTST_ status. <b>Errors</b>: EINVAL, EFAULT, ENOSYS.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        uint count = (uint)arguments.A3;
        return (GrantTableOperation)(arguments.A1 & OperationMask) switch
        {
            GrantTableOperation.SetupTable => count == 1 ? SetupTable(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.QuerySize => count == 1 ? QuerySize(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.SetVersion => count == 1 ? SetVersion(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.GetStatusFrames => count == 1 ? GetStatusFrames(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.GetVersion => count == 1 ? GetVersion(vcpu, arguments.A2) : XenErrno.EINVAL,
            _ => XenErrno.ENOSYS,
        };
    }

    private static XenErrno SetupTable(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out GnttabSetupTable request))
            return XenErrno.EFAULT;
        request.Status = CheckDomain(vcpu, request.Dom);
        if (request.Status == GrantStatus.Okay)
        {
            request.Status = vcpu.Domain.Grants.TryGrow(request.NrFrames) ? GrantStatus.Okay : GrantStatus.GeneralError;
            Span<ulong> frames = stackalloc ulong[GrantTable.MaxFrames];
            if (request.Status == GrantStatus.Okay && vcpu.Domain.Grants.TryCopyFrames(frames[..(int)request.NrFrames]))
                request.Status = TryWriteList(vcpu, request.FrameList, frames[..(int)request.NrFrames]) ? GrantStatus.Okay : GrantStatus.BadVirtAddr;
        }

        return GuestStructs.TryWrite(vcpu, address, request) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static XenErrno GetStatusFrames(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out GnttabGetStatusFrames request))
            return XenErrno.EFAULT;
        request.Status = CheckDomain(vcpu, request.Dom);
        if (request.Status == GrantStatus.Okay)
        {
            Span<ulong> frames = stackalloc ulong[GrantTable.MaxFrames];
            if (request.NrFrames > GrantTable.MaxFrames || !vcpu.Domain.Grants.TryCopyStatusFrames(frames[..(int)request.NrFrames]))
                request.Status = GrantStatus.GeneralError;
            else if (!TryWriteList(vcpu, request.FrameList, frames[..(int)request.NrFrames]))
                request.Status = GrantStatus.BadVirtAddr;
        }

        return GuestStructs.TryWrite(vcpu, address, request) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static XenErrno QuerySize(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out GnttabQuerySize request))
            return XenErrno.EFAULT;
        request.Status = CheckDomain(vcpu, request.Dom);
        if (request.Status == GrantStatus.Okay)
        {
            request.NrFrames = (uint)vcpu.Domain.Grants.FrameCount;
            request.MaxNrFrames = GrantTable.MaxFrames;
        }

        return GuestStructs.TryWrite(vcpu, address, request) ? XenErrno.OK : XenErrno.EFAULT;
    }

    private static XenErrno SetVersion(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out GnttabSetVersion request))
            return XenErrno.EFAULT;
        XenErrno error = vcpu.Domain.Grants.SetVersion(request.Version);
        request.Version = (uint)vcpu.Domain.Grants.Version;
        return GuestStructs.TryWrite(vcpu, address, request) ? error : XenErrno.EFAULT;
    }

    private static XenErrno GetVersion(Vcpu vcpu, ulong address)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, address, out GnttabGetVersion request))
            return XenErrno.EFAULT;
        if (CheckDomain(vcpu, request.Dom) != GrantStatus.Okay)
            return vcpu.Domain.Machine.FindDomain(request.Dom) == null ? XenErrno.ESRCH : XenErrno.EPERM;
        request.Version = (uint)vcpu.Domain.Grants.Version;
        return GuestStructs.TryWrite(vcpu, address, request) ? XenErrno.OK : XenErrno.EFAULT;
    }

    /// <summary>A domain manages its own table only.</summary>
    private static GrantStatus CheckDomain(Vcpu vcpu, DomId id)
    {
        if (id == DomId.Self || id == vcpu.Domain.Id)
            return GrantStatus.Okay;
        return vcpu.Domain.Machine.FindDomain(id) == null ? GrantStatus.BadDomain : GrantStatus.PermissionDenied;
    }

    private static bool TryWriteList(Vcpu vcpu, ulong address, ReadOnlySpan<ulong> list)
    {
        for (int i = 0; i < list.Length; i++)
        {
            if (!GuestStructs.TryWrite(vcpu, address + ((ulong)i * sizeof(ulong)), list[i]))
                return false;
        }

        return true;
    }
}
