using Xen.Abi;

namespace Xen.Core;

/// <summary>Reservations: more memory, less memory.</summary>
internal static partial class MemoryOp
{
    /// <summary>Largest extent that a domain without devices may ask for.</summary>
    private const uint HighestOrder = 9;

    /// <summary>Pages done before events and the scheduler get their turn.</summary>
    private const ulong MostPagesAtOnce = 8192;

    private static HypercallResult ChangeReservation(Vcpu vcpu, MemoryOperation operation, in HypercallArguments arguments)
    {
        ulong start = arguments.A1 >> ExtentShift;
        if (!GuestStructs.TryRead(vcpu, arguments.A2, out MemoryReservation request))
            return XenErrno.EFAULT;
        bool lawful = start < request.NrExtents && request.NrExtents <= ulong.MaxValue >> ExtentShift
            && request.ExtentOrder <= HighestOrder && IsSelf(vcpu.Domain, request.Domid);
        if (!lawful)
            return (long)start;

        ulong done = start;
        ulong most = start + Math.Max(MostPagesAtOnce >> (int)request.ExtentOrder, 1);
        bool more = true;
        using (PageTables.PagingSection section = vcpu.Domain.Tables.Enter(vcpu))
        {
            while (more && done < request.NrExtents && done < most && (done == start || !vcpu.State.HasRequests))
            {
                ulong list = request.ExtentStart == 0 ? 0 : request.ExtentStart + (done * sizeof(ulong));
                more = operation switch
                {
                    MemoryOperation.DecreaseReservation => Decrease(vcpu, request, list),
                    MemoryOperation.PopulatePhysmap => Populate(vcpu, request, list),
                    _ => Increase(vcpu, request, list),
                };
                if (more)
                    done++;
            }
        }

        if (!more || done == request.NrExtents)
            return (long)done;
        HypercallTable.SetArguments(ref vcpu.State.Registers, arguments with { A1 = (done << ExtentShift) | (ulong)operation });
        return HypercallResult.Restart;
    }

    /// <summary>Gives the frames that an extent names back. Those still mapped or used stay until their last use ends.</summary>
    private static bool Decrease(Vcpu vcpu, in MemoryReservation request, ulong list)
    {
        if (!GuestStructs.TryRead(vcpu, list, out ulong first))
            return false;
        for (ulong i = 0; i < 1ul << (int)request.ExtentOrder; i++)
        {
            if (!vcpu.Domain.Tables.GiveUp(new Mfn(first + i)))
                return false;
        }

        return true;
    }

    /// <summary>Puts new frames behind the page numbers of an extent.</summary>
    private static bool Populate(Vcpu vcpu, in MemoryReservation request, ulong list)
    {
        if (!GuestStructs.TryRead(vcpu, list, out ulong pfn) || !TryAllocate(vcpu, request, out Mfn first))
            return false;
        for (ulong i = 0; i < 1ul << (int)request.ExtentOrder; i++)
            vcpu.Domain.Machine.Memory.WriteM2p(first + i, pfn + i);
        return GuestStructs.TryWrite(vcpu, list, first.Value);
    }

    /// <summary>Gives the domain frames without page numbers.</summary>
    private static bool Increase(Vcpu vcpu, in MemoryReservation request, ulong list)
    {
        if (!TryAllocate(vcpu, request, out Mfn first))
            return false;
        for (ulong i = 0; i < 1ul << (int)request.ExtentOrder; i++)
            vcpu.Domain.Machine.Memory.WriteM2p(first + i, Pfn.Invalid.Value);
        return list == 0 || GuestStructs.TryWrite(vcpu, list, first.Value);
    }

    private static bool TryAllocate(Vcpu vcpu, in MemoryReservation request, out Mfn first)
    {
        DomainMemory owned = vcpu.Domain.OwnedMemory;
        ulong size = 1ul << (int)request.ExtentOrder;
        if (owned.TryAllocateRun((int)request.ExtentOrder, out first) != XenErrno.OK)
            return false;
        int bits = (int)(request.MemFlags & MemoryReservationFlags.AddressBitsMask);
        if (bits is 0 or >= 52 || (first + size).Address <= 1ul << bits)
            return true;
        for (ulong i = 0; i < size; i++)
            _ = vcpu.Domain.Tables.GiveUp(first + i);
        return false;
    }
}
