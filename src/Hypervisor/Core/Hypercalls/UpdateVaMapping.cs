using Xen.Abi;

namespace Xen.Core;

/// <summary>update_va_mapping: replaces the L1 entry that maps an address. <b>Source</b>: xen.h.</summary>
internal static class UpdateVaMapping
{
    private const ulong TargetMask = ~(ulong)UpdateVaMappingFlags.FlushTypeMask;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: address, entry, UVMF_ flags. <b>Errors</b>: EINVAL and EBUSY: no L1 table there, or the entry is not lawful.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        XenErrno error = Update(vcpu, arguments.A1, arguments.A2);
        return Flush(vcpu, arguments.A1, arguments.A3) ? error : XenErrno.EINVAL;
    }

    private static XenErrno Update(Vcpu vcpu, ulong address, ulong entry)
    {
        PageTables tables = vcpu.Domain.Tables;
        using PageTables.PagingSection section = tables.Enter(vcpu);
        return tables.TryFindL1(vcpu.State.KernelRoot, address, out Mfn table, out int index)
            ? tables.Update(table, 1, index, entry, EntryStore.Plain)
            : XenErrno.EINVAL;
    }

    private static bool Flush(Vcpu vcpu, ulong address, ulong flags)
    {
        var type = (UpdateVaMappingFlags)flags & UpdateVaMappingFlags.FlushTypeMask;
        if (type is not UpdateVaMappingFlags.TlbFlush and not UpdateVaMappingFlags.Invlpg)
            return true;
        switch (flags & TargetMask)
        {
            case 0 when type == UpdateVaMappingFlags.Invlpg:
                vcpu.State.FlushPage(address);
                return true;
            case 0:
                vcpu.Domain.Flushes.FlushLocal(vcpu);
                return true;
            case (ulong)UpdateVaMappingFlags.All:
                vcpu.Domain.Flushes.FlushAll(vcpu);
                return true;
            default:
                return VcpuMask.TryFlush(vcpu, flags & TargetMask);
        }
    }
}
