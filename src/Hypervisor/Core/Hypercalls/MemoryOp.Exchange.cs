using Xen.Abi;
using Xen.Memory;

namespace Xen.Core;

/// <summary>XENMEM_exchange: frames for others, as many, in larger or smaller extents.</summary>
internal static partial class MemoryOp
{
    /// <summary>Where nr_exchanged stands, behind two reservations: the only field that is written back.</summary>
    private const ulong NrExchangedOffset = 64;

    private static HypercallResult Exchange(Vcpu vcpu, in HypercallArguments arguments)
    {
        if (!GuestStructs.TryReadForUpdate(vcpu, arguments.A2, out MemoryExchange request))
            return XenErrno.EFAULT;
        XenErrno error = CheckExchange(vcpu.Domain, request);
        if (error != XenErrno.OK)
            return error;

        // One step exchanges the larger of the two extents.
        int order = (int)Math.Max(request.In.ExtentOrder, request.Out.ExtentOrder);
        ulong inputs = 1ul << (order - (int)request.In.ExtentOrder);
        ulong steps = 0;
        while (error == XenErrno.OK && request.NrExchanged < request.In.NrExtents)
        {
            if (steps++ != 0 && (steps << order > MostPagesAtOnce || vcpu.State.HasRequests))
                return TryReportExchanged(vcpu, arguments.A2, request) ? Again(vcpu, arguments) : XenErrno.EFAULT;
            error = ExchangeOne(vcpu, request, order);
            if (error == XenErrno.OK)
                request.NrExchanged += inputs;
        }

        return TryReportExchanged(vcpu, arguments.A2, request) ? error : XenErrno.EFAULT;
    }

    private static XenErrno CheckExchange(Domain domain, in MemoryExchange request)
    {
        const ulong Most = ulong.MaxValue >> 16;
        if (request.In.ExtentOrder > HighestOrder || request.Out.ExtentOrder > HighestOrder)
            return XenErrno.EPERM;
        bool lawful = request.In.NrExtents <= Most && request.Out.NrExtents <= Most
            && request.In.NrExtents << (int)request.In.ExtentOrder == request.Out.NrExtents << (int)request.Out.ExtentOrder
            && request.NrExchanged <= request.In.NrExtents
            && request.In.Domid == request.Out.Domid;
        int grouping = (int)Math.Max(request.In.ExtentOrder, request.Out.ExtentOrder) - (int)request.In.ExtentOrder;
        ulong partial = (request.In.NrExtents | request.NrExchanged) & ((1ul << grouping) - 1);
        if (!lawful || partial != 0)
            return XenErrno.EINVAL;
        if (IsSelf(domain, request.In.Domid))
            return XenErrno.OK;
        return domain.Machine.FindDomain(request.In.Domid) == null ? XenErrno.ESRCH : XenErrno.EPERM;
    }

    private static XenErrno ExchangeOne(Vcpu vcpu, in MemoryExchange request, int order)
    {
        using PageTables.PagingSection section = vcpu.Domain.Tables.Enter(vcpu);
        Span<ulong> given = stackalloc ulong[1 << (int)HighestOrder];
        Span<ulong> taken = stackalloc ulong[1 << (int)HighestOrder];
        given = given[..(1 << order)];
        if (!TryReadGiven(vcpu, request, given))
            return XenErrno.EFAULT;
        if (!AreGivable(vcpu.Domain, given))
            return XenErrno.EINVAL;

        int outOrder = (int)request.Out.ExtentOrder;
        taken = taken[..(1 << (order - outOrder))];
        if (!TryTake(vcpu.Domain, outOrder, taken))
            return XenErrno.ENOMEM;
        foreach (ulong frame in given)
            _ = vcpu.Domain.Tables.GiveUp(new Mfn(frame));

        ulong firstOut = request.NrExchanged << (int)request.In.ExtentOrder >> outOrder;
        for (int i = 0; i < taken.Length; i++)
        {
            ulong list = request.Out.ExtentStart + ((firstOut + (ulong)i) * sizeof(ulong));
            if (!GuestStructs.TryRead(vcpu, list, out ulong pfn))
                return XenErrno.EFAULT;
            for (ulong page = 0; page < 1ul << outOrder; page++)
                vcpu.Domain.Machine.Memory.WriteM2p(new Mfn(taken[i] + page), pfn + page);
            if (!GuestStructs.TryWrite(vcpu, list, taken[i]))
                return XenErrno.EFAULT;
        }

        return XenErrno.OK;
    }

    private static bool TryReadGiven(Vcpu vcpu, in MemoryExchange request, Span<ulong> given)
    {
        int inOrder = (int)request.In.ExtentOrder;
        for (int i = 0; i < given.Length; i++)
        {
            ulong list = request.In.ExtentStart + ((request.NrExchanged + ((ulong)i >> inOrder)) * sizeof(ulong));
            ulong offset = (ulong)i & ((1ul << inOrder) - 1);
            if (offset != 0)
                given[i] = given[i - 1] + 1;
            else if (!GuestStructs.TryRead(vcpu, list, out given[i]))
                return false;
        }

        return true;
    }

    /// <summary>Frames can be exchanged when nothing uses them but their owner, and each is named once.</summary>
    private static bool AreGivable(Domain domain, ReadOnlySpan<ulong> given)
    {
        FrameTable frames = domain.Machine.Frames;
        Span<ulong> sorted = stackalloc ulong[given.Length];
        given.CopyTo(sorted);
        sorted.Sort();
        for (int i = 0; i < sorted.Length; i++)
        {
            var frame = new Mfn(sorted[i]);
            bool givable = frames.IsOwnedBy(frame, domain.Id) && frames.IsAllocated(frame)
                && frames.References(frame) == 1 && frames.TypeUsers(frame) == 0
                && (i == 0 || sorted[i] != sorted[i - 1]);
            if (!givable)
                return false;
        }

        return true;
    }

    private static bool TryTake(Domain domain, int order, Span<ulong> taken)
    {
        for (int i = 0; i < taken.Length; i++)
        {
            if (domain.OwnedMemory.TryAllocateRun(order, out Mfn first, isExchange: true) == XenErrno.OK)
            {
                taken[i] = first.Value;
                continue;
            }

            while (i-- > 0)
            {
                for (ulong page = 0; page < 1ul << order; page++)
                    _ = domain.Tables.GiveUp(new Mfn(taken[i] + page));
            }

            return false;
        }

        return true;
    }

    private static bool TryReportExchanged(Vcpu vcpu, ulong address, in MemoryExchange request) =>
        GuestStructs.TryWrite(vcpu, address + NrExchangedOffset, request.NrExchanged);

    private static HypercallResult Again(Vcpu vcpu, in HypercallArguments arguments)
    {
        HypercallTable.SetArguments(ref vcpu.State.Registers, arguments);
        return HypercallResult.Restart;
    }
}
