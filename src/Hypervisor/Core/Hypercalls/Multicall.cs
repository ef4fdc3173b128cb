using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>multicall: a list of hypercalls, done in order; each result is written into its entry. <b>Source</b>: xen.h, multicall_entry.</summary>
/// <remarks>
/// Each entry is copied once. While an entry runs, the argument registers hold its arguments, as if it had been called by itself: so an entry that
/// wants to be restarted leaves the rest of its work there, from where it goes back into the entry. An iret ends the list.
/// </remarks>
internal static class Multicall
{
    /// <summary>Entries done before the guest, its events and the scheduler get their turn, even if nobody asks.</summary>
    public const int MostEntriesAtOnce = 128;

    private const int EntrySize = 64, ResultOffset = 8;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: list, number of entries. <b>Errors</b>: EINVAL nested, EFAULT list (entries done until then stay done).</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (vcpu.InMulticall)
            return XenErrno.EINVAL;
        vcpu.InMulticall = true;
        HypercallResult result = Run(vcpu, arguments.A1, (uint)arguments.A2, arguments);
        vcpu.InMulticall = false;
        return result;
    }

    private static HypercallResult Run(Vcpu vcpu, ulong list, uint count, in HypercallArguments own)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        for (int done = 0; count != 0; done++)
        {
            if (done == MostEntriesAtOnce || (done != 0 && vcpu.State.HasRequests))
                return Continue(ref registers, list, count, own);
            if (!GuestStructs.TryRead(vcpu, list, out MulticallEntry entry) || !GuestAccess.CanWrite(vcpu, list, EntrySize))
                return XenErrno.EFAULT;

            var arguments = new HypercallArguments(entry.Args[0], entry.Args[1], entry.Args[2], entry.Args[3], entry.Args[4]);
            HypercallTable.SetArguments(ref registers, arguments);
            HypercallResult result = HypercallTable.Call(vcpu, entry.Op, arguments);
            HypercallArguments rest = HypercallTable.ArgumentsOf(registers);
            HypercallTable.SetArguments(ref registers, own);

            if (result.Effect == HypercallEffect.RegistersSet)
                return result;
            if (result.Effect == HypercallEffect.Restart)
            {
                (entry.Args[0], entry.Args[1], entry.Args[2], entry.Args[3], entry.Args[4]) = (rest.A1, rest.A2, rest.A3, rest.A4, rest.A5);
                return GuestStructs.TryWrite(vcpu, list, entry) ? Continue(ref registers, list, count, own) : XenErrno.EFAULT;
            }

            if (!GuestStructs.TryWrite(vcpu, list + ResultOffset, (ulong)result.Rax))
                return XenErrno.EFAULT;
            list += EntrySize;
            count--;
        }

        return XenErrno.OK;
    }

    private static HypercallResult Continue(ref RegisterFile registers, ulong list, uint count, in HypercallArguments own)
    {
        HypercallTable.SetArguments(ref registers, own with { A1 = list, A2 = count });
        return HypercallResult.Restart;
    }
}
