using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>GNTTABOP_transfer: a frame of the caller becomes another domain's, which waits for it with an entry of its table. The contents go along.</summary>
internal static class GrantTransfer
{
    /// <summary>Does one transfer. When it fails the frame stays the caller's.</summary>
    public static GrantStatus Run(Vcpu vcpu, in GnttabTransfer request)
    {
        Domain giver = vcpu.Domain;
        var frame = new Mfn(request.Mfn.Value);
        if (!TryYield(vcpu, frame))
            return GrantStatus.BadPage;
        Domain? taker = giver.Machine.FindDomain(request.Domid);
        GrantStatus status = taker is null ? GrantStatus.BadDomain : Take(taker, giver, request.Ref, frame);
        if (status != GrantStatus.Okay)
            TakeBack(giver, frame);
        return status;
    }

    /// <summary>Takes a frame that nothing uses out of the caller's memory. In between it is the hypervisor's.</summary>
    private static bool TryYield(Vcpu vcpu, Mfn frame)
    {
        Domain giver = vcpu.Domain;
        using PageTables.PagingSection section = giver.Tables.Enter(vcpu);
        if (!giver.Machine.Frames.TryTransfer(frame, giver.Id, DomId.Xen))
            return false;
        giver.OwnedMemory.Remove(frame);
        giver.Flushes.FlushAll(vcpu);
        giver.Machine.Frames.ForgetType(frame);
        giver.Machine.Code.NoteWrite(frame);
        return true;
    }

    private static GrantStatus Take(Domain taker, Domain giver, GrantRef reference, Mfn frame)
    {
        using PageTables.PagingSection section = taker.Tables.Enter(null);
        if (taker.IsDying || taker.TotalPages >= taker.MaxPages || !taker.Grants.TryCommitTransfer(reference, giver.Id, out Pfn pfn))
            return GrantStatus.GeneralError;
        Enter(taker, frame, pfn);
        taker.Grants.CompleteTransfer(reference, frame);
        return GrantStatus.Okay;
    }

    private static void TakeBack(Domain giver, Mfn frame)
    {
        // The giver's vCPU is here, so it has not been released meanwhile.
        using PageTables.PagingSection section = giver.Tables.Enter(null);
        Enter(giver, frame, new Pfn(giver.Machine.Memory.ReadM2p(frame)));
    }

    private static void Enter(Domain owner, Mfn frame, Pfn pfn)
    {
        FrameTable frames = owner.Machine.Frames;
        if (!frames.TryTransfer(frame, DomId.Xen, owner.Id))
            throw new InvalidOperationException($"{frame} was lost on its way to {owner.Id}");
        owner.OwnedMemory.Add(frame);
        owner.Machine.Memory.WriteM2p(frame, pfn.Value);
    }
}
