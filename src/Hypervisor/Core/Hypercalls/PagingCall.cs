using Xen.Abi;

namespace Xen.Core;

/// <summary>What mmu_update and mmuext_op have in common: a list of requests, worked on in pieces, and the count of those done.</summary>
internal static class PagingCall
{
    /// <summary>Set in the count of a call that goes on where it was interrupted (MMU_UPDATE_PREEMPTED); the guest never sets it itself.</summary>
    public const uint Preempted = 0x8000_0000;

    /// <summary>Requests done before events and the scheduler get their turn, even if nobody asks.</summary>
    private const uint MostAtOnce = 1024;

    /// <summary>Requests done before anybody's asking is heard, so that every call gets on.</summary>
    private const uint LeastAtOnce = 32;

    /// <summary>Whether a domain may name another as the owner of the frames: itself only, by DOMID_SELF.</summary>
    public static XenErrno CheckForeign(Vcpu vcpu, ulong foreign)
    {
        // The high half would be the owner of the page tables, plus 1.
        var id = new DomId((ushort)foreign);
        if ((uint)foreign >> 16 == 0 && id == DomId.Self)
            return XenErrno.OK;
        return id != vcpu.Domain.Id && vcpu.Domain.Machine.FindDomain(id) != null ? XenErrno.EPERM : XenErrno.ESRCH;
    }

    /// <summary>Whether it is time to interrupt a call that has done so many requests.</summary>
    public static bool IsDue(Vcpu vcpu, uint done) => done >= MostAtOnce || (done >= LeastAtOnce && vcpu.State.HasRequests);

    /// <summary>How many requests earlier pieces of this call have done.</summary>
    public static uint DoneBefore(Vcpu vcpu, in HypercallArguments arguments) =>
        ((uint)arguments.A2 & Preempted) != 0 && arguments.A3 != 0 && GuestStructs.TryRead(vcpu, arguments.A3, out uint done) ? done : 0;

    /// <summary>Tells the guest how many requests are done; where it cannot be told, it has not asked well.</summary>
    public static void ReportDone(Vcpu vcpu, in HypercallArguments arguments, uint done)
    {
        if (arguments.A3 != 0)
            _ = GuestStructs.TryWrite(vcpu, arguments.A3, done);
    }

    /// <summary>Interrupts the call: its registers now ask for the rest.</summary>
    public static HypercallResult Restart(Vcpu vcpu, in HypercallArguments arguments, uint done, uint size)
    {
        uint rest = ((uint)arguments.A2 & ~Preempted) - done;
        HypercallTable.SetArguments(ref vcpu.State.Registers, arguments with { A1 = arguments.A1 + ((ulong)done * size), A2 = rest | Preempted });
        return HypercallResult.Restart;
    }
}
