using Xen.Abi;

namespace Xen.Core;

/// <summary>set_trap_table: the virtual IDT of the calling vCPU. <b>Source</b>: arch-x86/xen.h, trap_info.</summary>
internal static class SetTrapTable
{
    private const int EntrySize = 16;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Argument: an array that ends with an entry of address 0, or null to clear the table. <b>Errors</b>: EFAULT, EINVAL for an address that is not canonical.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        ulong entry = arguments.A1;
        if (entry == 0)
        {
            vcpu.Traps.ClearGates();
            return XenErrno.OK;
        }

        for (int done = 0; done < TrapVectors.Count; done++, entry += EntrySize)
        {
            if (!GuestStructs.TryRead(vcpu, entry, out TrapInfo info))
                return XenErrno.EFAULT;
            if (info.Address == 0)
                return XenErrno.OK;
            if (!CanonicalAddress.IsCanonical(info.Address))
                return XenErrno.EINVAL;
            vcpu.Traps.SetGate(info);
        }

        HypercallTable.SetArguments(ref vcpu.State.Registers, arguments with { A1 = entry });
        return HypercallResult.Restart;
    }
}
