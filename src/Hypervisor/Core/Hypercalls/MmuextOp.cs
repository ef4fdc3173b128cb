using Xen.Abi;
using Xen.Memory;
using Operation = Xen.Abi.MmuextOp;

namespace Xen.Core;

/// <summary>mmuext_op: pins, roots, flushes. <b>Source</b>: xen.h.</summary>
internal static class MmuextOp
{
    private const uint OperationSize = 24;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>
    /// Arguments: list, count, where to write the number done or 0, DOMID_SELF. The first error ends the list.
    /// <b>Errors</b>: EINVAL, EBUSY, EACCES (caches), EFAULT, EOPNOTSUPP, ENOSYS; EPERM and ESRCH for another domain's frames.
    /// </remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        XenErrno error = PagingCall.CheckForeign(vcpu, arguments.A4);
        if (error != XenErrno.OK)
            return error;
        uint count = (uint)arguments.A2 & ~PagingCall.Preempted;
        uint before = PagingCall.DoneBefore(vcpu, arguments);
        uint done = 0;
        while (done < count && error == XenErrno.OK && !PagingCall.IsDue(vcpu, done))
        {
            error = GuestStructs.TryRead(vcpu, arguments.A1 + ((ulong)done * OperationSize), out Operation operation)
                ? Apply(vcpu, operation)
                : XenErrno.EFAULT;
            if (error == XenErrno.OK)
                done++;
        }

        PagingCall.ReportDone(vcpu, arguments, before + done);
        return error == XenErrno.OK && done < count ? PagingCall.Restart(vcpu, arguments, done, OperationSize) : error;
    }

    private static XenErrno Apply(Vcpu vcpu, in Operation operation)
    {
        var frame = new Mfn(operation.Arg1);
        switch (operation.Cmd)
        {
            case MmuextCommand.PinL1Table or MmuextCommand.PinL2Table or MmuextCommand.PinL3Table or MmuextCommand.PinL4Table:
                return Pin(vcpu, frame, (int)operation.Cmd + 1);
            case MmuextCommand.UnpinTable:
                return Unpin(vcpu, frame);
            case MmuextCommand.NewBaseptr:
                return vcpu.Domain.SetKernelRoot(vcpu, frame, vcpu);
            case MmuextCommand.NewUserBaseptr:
                return vcpu.Domain.SetUserRoot(vcpu, operation.Arg1 == 0 ? Mfn.Invalid : frame, vcpu);
            case MmuextCommand.SetLdt:
                return vcpu.Descriptors.SetLdt(operation.LinearAddr, operation.NrEnts);
            case MmuextCommand.ClearPage:
                return Fill(vcpu, frame, null);
            case MmuextCommand.CopyPage:
                return Fill(vcpu, frame, new Mfn(operation.Arg2));
            case MmuextCommand.FlushCache or MmuextCommand.FlushCacheGlobal:
                return XenErrno.EACCES;
            case MmuextCommand.MarkSuper or MmuextCommand.UnmarkSuper:
                return XenErrno.EOPNOTSUPP;
            default:
                return Flush(vcpu, operation);
        }
    }

    private static XenErrno Pin(Vcpu vcpu, Mfn frame, int level)
    {
        using PageTables.PagingSection section = vcpu.Domain.Tables.Enter(vcpu);
        return vcpu.Domain.Tables.Pin(frame, level);
    }

    private static XenErrno Unpin(Vcpu vcpu, Mfn frame)
    {
        using PageTables.PagingSection section = vcpu.Domain.Tables.Enter(vcpu);
        return vcpu.Domain.Tables.Unpin(frame);
    }

    private static XenErrno Flush(Vcpu vcpu, in Operation operation)
    {
        TlbFlushes flushes = vcpu.Domain.Flushes;
        switch (operation.Cmd)
        {
            case MmuextCommand.TlbFlushLocal:
                flushes.FlushLocal(vcpu);
                return XenErrno.OK;
            case MmuextCommand.InvlpgLocal:
                vcpu.State.FlushPage(operation.LinearAddr);
                return XenErrno.OK;
            case MmuextCommand.TlbFlushAll or MmuextCommand.InvlpgAll:
                flushes.FlushAll(vcpu);
                return XenErrno.OK;
            case MmuextCommand.TlbFlushMulti or MmuextCommand.InvlpgMulti:
                return VcpuMask.TryFlush(vcpu, operation.Vcpumask) ? XenErrno.OK : XenErrno.EINVAL;
            default:
                return XenErrno.ENOSYS;
        }
    }

    /// <summary>Clears a frame, or copies another into it.</summary>
    private static XenErrno Fill(Vcpu vcpu, Mfn frame, Mfn? source)
    {
        Domain domain = vcpu.Domain;
        using PageTables.PagingSection section = domain.Tables.Enter(vcpu);
        if (source is { } other && !domain.Machine.Frames.IsOwnedBy(other, domain.Id))
            return XenErrno.EINVAL;
        if (domain.Tables.GetPageAndType(frame, FrameType.Writable) != XenErrno.OK)
            return XenErrno.EINVAL;
        Span<byte> destination = domain.Machine.Memory.Frame(frame);
        if (source is { } from)
            domain.Machine.Memory.Frame(from).CopyTo(destination);
        else
            destination.Clear();
        domain.Machine.Code.NoteWrite(frame);
        domain.Tables.PutPageAndType(frame);
        return XenErrno.OK;
    }
}
