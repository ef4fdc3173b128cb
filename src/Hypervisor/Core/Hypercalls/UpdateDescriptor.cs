using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>update_descriptor: replaces one segment descriptor. <b>Source</b>: arch-x86/xen.h.</summary>
internal static class UpdateDescriptor
{
    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: machine address, descriptor. <b>Errors</b>: EINVAL: not an address of the domain's memory, a page table, or no lawful descriptor.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        Domain domain = vcpu.Domain;
        ulong address = arguments.A1;
        ulong descriptor = arguments.A2;
        if ((address & 7) != 0 || !SegmentDescriptor.TryFix(ref descriptor))
            return XenErrno.EINVAL;

        Mfn frame = Mfn.FromAddress(address);
        using PageTables.PagingSection section = domain.Tables.Enter(vcpu);
        if (!domain.Machine.Frames.IsOwnedBy(frame, domain.Id))
            return XenErrno.EINVAL;
        bool isTable = domain.Machine.Frames.IsValidType(frame, FrameType.SegmentDescriptors);
        if (domain.Tables.GetPageAndType(frame, isTable ? FrameType.SegmentDescriptors : FrameType.Writable) != XenErrno.OK)
            return XenErrno.EINVAL;
        domain.Machine.Memory.WriteUInt64(address, descriptor);
        domain.Machine.Code.NoteWrite(frame);
        domain.Tables.PutPageAndType(frame);
        return XenErrno.OK;
    }
}
