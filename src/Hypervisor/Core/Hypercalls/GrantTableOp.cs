using Xen.Abi;

namespace Xen.Core;

/// <summary>grant_table_op. Here is what a domain does with its own table: size, layout, frames; the lists of operations are in the other file. <b>Source</b>: grant_table.h.</summary>
internal static partial class GrantTableOp
{
    /// <summary>Set in the operation by continuations of other hypervisors; not a part of the interface.</summary>
    private const ulong OperationMask = uint.MaxValue;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>
    /// Arguments: operation, list of its structures, count. Each structure has its own GNTST_ status. <b>Errors</b>: EINVAL, EFAULT, ENOSYS (dump_table among them, which
    /// no guest needs); those of set_version and cache_flush.
    /// </remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        uint count = (uint)arguments.A3;
        if ((int)count < 0)
            return XenErrno.EINVAL;
        return (GrantTableOperation)(arguments.A1 & OperationMask) switch
        {
            GrantTableOperation.SetupTable => count == 1 ? SetupTable(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.QuerySize => count == 1 ? QuerySize(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.SetVersion => count == 1 ? SetVersion(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.GetStatusFrames => count == 1 ? GetStatusFrames(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.GetVersion => count == 1 ? GetVersion(vcpu, arguments.A2) : XenErrno.EINVAL,
            GrantTableOperation.MapGrantRef => Run<GnttabMapGrantRef, MapRequest>(vcpu, arguments),
            GrantTableOperation.UnmapGrantRef => Unmap<GnttabUnmapGrantRef, UnmapOnly>(vcpu, arguments),
            GrantTableOperation.UnmapAndReplace => Unmap<GnttabUnmapAndReplace, UnmapReplacing>(vcpu, arguments),
            GrantTableOperation.Copy => Run<GnttabCopy, CopyRequest>(vcpu, arguments),
            GrantTableOperation.Transfer => Run<GnttabTransfer, TransferRequest>(vcpu, arguments),
            GrantTableOperation.SwapGrantRef => Run<GnttabSwapGrantRef, SwapRequest>(vcpu, arguments),
            GrantTableOperation.CacheFlush => Run<GnttabCacheFlush, CacheFlushRequest>(vcpu, arguments),
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
            GrantTable table = vcpu.Domain.Grants;
            request.Status = table.TryGrow(request.NrFrames) ? GrantStatus.Okay : GrantStatus.GeneralError;
            for (int i = 0; request.Status == GrantStatus.Okay && i < request.NrFrames; i++)
                request.Status = table.TryGetFrame(i, out Mfn frame) ? WriteItem(vcpu, request.FrameList, i, frame) : GrantStatus.GeneralError;
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
            GrantTable table = vcpu.Domain.Grants;
            if (request.NrFrames != 0 && !table.TryGetStatusFrame((int)Math.Min(request.NrFrames - 1, int.MaxValue), out _))
                request.Status = GrantStatus.GeneralError;
            for (int i = 0; request.Status == GrantStatus.Okay && i < request.NrFrames; i++)
                request.Status = table.TryGetStatusFrame(i, out Mfn frame) ? WriteItem(vcpu, request.FrameList, i, frame) : GrantStatus.GeneralError;
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
            request.MaxNrFrames = (uint)vcpu.Domain.Grants.MaxFrames;
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

    private static GrantStatus WriteItem(Vcpu vcpu, ulong list, int index, Mfn frame) =>
        GuestStructs.TryWrite(vcpu, list + ((ulong)index * sizeof(ulong)), frame.Value) ? GrantStatus.Okay : GrantStatus.BadVirtAddr;
}
