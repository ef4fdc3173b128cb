using Xen.Abi;
using Xen.Memory;
using Update = Xen.Abi.MmuUpdate;

namespace Xen.Core;

/// <summary>mmu_update: a list of updates of page-table or machine-to-physical entries. <b>Source</b>: xen.h.</summary>
internal static class MmuUpdate
{
    private const uint UpdateSize = 16;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>
    /// Arguments: list, count, where to write the number done or 0, DOMID_SELF. The first error ends the list.
    /// <b>Errors</b>: EINVAL and EBUSY for an entry that is not lawful, EFAULT, ENOSYS, EPERM and ESRCH for another domain's frames.
    /// </remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        XenErrno error = PagingCall.CheckForeign(vcpu, arguments.A4);
        if (error != XenErrno.OK)
            return error;
        uint count = (uint)arguments.A2 & ~PagingCall.Preempted;
        uint before = PagingCall.DoneBefore(vcpu, arguments);
        uint done = 0;
        using (PageTables.PagingSection section = vcpu.Domain.Tables.Enter(vcpu))
        {
            while (done < count && error == XenErrno.OK && !PagingCall.IsDue(vcpu, done))
            {
                error = GuestStructs.TryRead(vcpu, arguments.A1 + ((ulong)done * UpdateSize), out Update update)
                    ? Apply(vcpu.Domain, update)
                    : XenErrno.EFAULT;
                if (error == XenErrno.OK)
                    done++;
            }
        }

        PagingCall.ReportDone(vcpu, arguments, before + done);
        return error == XenErrno.OK && done < count ? PagingCall.Restart(vcpu, arguments, done, UpdateSize) : error;
    }

    private static XenErrno Apply(Domain domain, in Update update)
    {
        // Entries are 8 bytes: the third bit belongs to the command, and no command has it set.
        if ((update.Ptr & 4) != 0)
            return XenErrno.ENOSYS;
        Mfn frame = Mfn.FromAddress(update.Address);
        if (!domain.Machine.Frames.IsOwnedBy(frame, domain.Id))
            return XenErrno.EINVAL;
        if (update.Command == MmuUpdateCommand.MachphysUpdate)
        {
            domain.Machine.Memory.WriteM2p(frame, update.Val);
            return XenErrno.OK;
        }

        EntryStore store = update.Command == MmuUpdateCommand.PtUpdatePreserveAd ? EntryStore.PreserveAccessedDirty : EntryStore.Plain;
        int index = (int)(update.Address & Page.OffsetMask) >> 3;
        int level = domain.Machine.Frames.TableLevel(frame);
        return level != 0
            ? domain.Tables.Update(frame, level, index, update.Val, store)
            : WriteData(domain, frame, update);
    }

    /// <summary>A frame that is no table may be written this way if it may be mapped writable.</summary>
    private static XenErrno WriteData(Domain domain, Mfn frame, in Update update)
    {
        XenErrno error = domain.Tables.GetPageAndType(frame, FrameType.Writable);
        if (error != XenErrno.OK)
            return error;
        domain.Machine.Memory.WriteUInt64(update.Address, update.Val);
        domain.Machine.Code.NoteWrite(frame);
        domain.Tables.PutPageAndType(frame);
        return XenErrno.OK;
    }
}
