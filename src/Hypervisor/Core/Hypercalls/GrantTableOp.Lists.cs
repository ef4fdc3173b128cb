using Xen.Abi;

namespace Xen.Core;

/// <summary>Lists of grant operations. Each structure is copied once, worked on, and written back with its status; a failure of one does not end the list.</summary>
internal static partial class GrantTableOp
{
    /// <summary>One operation of a list.</summary>
    private interface IGrantRequest<T>
        where T : unmanaged
    {
        /// <summary>Does it.</summary>
        /// <returns>What ends the list; OK when the structure has its own status.</returns>
        static abstract XenErrno Run(Vcpu vcpu, ref T request);
    }

    /// <summary>One of the two operations that unmap.</summary>
    private interface IUnmapRequest<T>
        where T : unmanaged
    {
        static abstract UnmapRequest Read(in T request);

        static abstract void SetStatus(ref T request, GrantStatus status);
    }

    private static HypercallResult Run<T, TRequest>(Vcpu vcpu, in HypercallArguments arguments)
        where T : unmanaged
        where TRequest : IGrantRequest<T>
    {
        uint size = (uint)GuestStructs.SizeOf<T>();
        uint count = (uint)arguments.A3;
        for (uint done = 0; done < count; done++)
        {
            if (PagingCall.IsDue(vcpu, done))
                return Continue(vcpu, arguments, done, size);
            ulong address = arguments.A2 + ((ulong)done * size);
            if (!GuestStructs.TryReadForUpdate(vcpu, address, out T request))
                return XenErrno.EFAULT;
            XenErrno error = TRequest.Run(vcpu, ref request);
            if (!GuestStructs.TryWrite(vcpu, address, request))
                return XenErrno.EFAULT;
            if (error != XenErrno.OK)
                return error;
        }

        return XenErrno.OK;
    }

    private static HypercallResult Unmap<T, TRequest>(Vcpu vcpu, in HypercallArguments arguments)
        where T : unmanaged
        where TRequest : IUnmapRequest<T>
    {
        uint size = (uint)GuestStructs.SizeOf<T>();
        uint count = (uint)arguments.A3;
        for (uint done = 0; done < count; done += PendingUnmaps.Count)
        {
            if (PagingCall.IsDue(vcpu, done))
                return Continue(vcpu, arguments, done, size);
            int some = (int)Math.Min(count - done, PendingUnmaps.Count);
            if (!UnmapSome<T, TRequest>(vcpu, arguments.A2 + ((ulong)done * size), some))
                return XenErrno.EFAULT;
        }

        return XenErrno.OK;
    }

    /// <summary>Unmaps a few: all leave the page tables, one flush, then the granters learn of it. False when one of the structures cannot be read or written.</summary>
    private static bool UnmapSome<T, TRequest>(Vcpu vcpu, ulong list, int count)
        where T : unmanaged
        where TRequest : IUnmapRequest<T>
    {
        GrantMaps maps = vcpu.Domain.Maps;
        PendingUnmaps pending = default;
        int begun = 0;
        using (PageTables.PagingSection section = vcpu.Domain.Tables.Enter(vcpu))
        {
            while (begun < count && GuestStructs.TryReadForUpdate(vcpu, Address(begun), out T request))
                maps.BeginUnmap(vcpu, TRequest.Read(request), out pending[begun++]);
        }

        bool written = true;
        for (int i = 0; i < begun; i++)
        {
            maps.CompleteUnmap(pending[i]);

            // Read again for what the guest has there besides; only the status is ours.
            written &= GuestStructs.TryRead(vcpu, Address(i), out T request);
            TRequest.SetStatus(ref request, pending[i].Status);
            written = written && GuestStructs.TryWrite(vcpu, Address(i), request);
        }

        return written && begun == count;

        ulong Address(int index) => list + ((ulong)index * (uint)GuestStructs.SizeOf<T>());
    }

    private static HypercallResult Continue(Vcpu vcpu, in HypercallArguments arguments, uint done, uint size)
    {
        HypercallTable.SetArguments(
            ref vcpu.State.Registers, arguments with { A2 = arguments.A2 + ((ulong)done * size), A3 = (uint)arguments.A3 - done });
        return HypercallResult.Restart;
    }

    private readonly struct MapRequest : IGrantRequest<GnttabMapGrantRef>
    {
        public static XenErrno Run(Vcpu vcpu, ref GnttabMapGrantRef request)
        {
            vcpu.Domain.Maps.Map(vcpu, ref request);
            return XenErrno.OK;
        }
    }

    private readonly struct CopyRequest : IGrantRequest<GnttabCopy>
    {
        public static XenErrno Run(Vcpu vcpu, ref GnttabCopy request)
        {
            request.Status = GrantCopy.Run(vcpu, request);
            return XenErrno.OK;
        }
    }

    private readonly struct TransferRequest : IGrantRequest<GnttabTransfer>
    {
        public static XenErrno Run(Vcpu vcpu, ref GnttabTransfer request)
        {
            request.Status = GrantTransfer.Run(vcpu, request);
            return XenErrno.OK;
        }
    }

    private readonly struct SwapRequest : IGrantRequest<GnttabSwapGrantRef>
    {
        public static XenErrno Run(Vcpu vcpu, ref GnttabSwapGrantRef request)
        {
            request.Status = vcpu.Domain.Grants.Swap(request.RefA, request.RefB);
            return XenErrno.OK;
        }
    }

    /// <summary>The caches of this machine are coherent, so there is nothing to do but to say what another hypervisor would.</summary>
    private readonly struct CacheFlushRequest : IGrantRequest<GnttabCacheFlush>
    {
        public static XenErrno Run(Vcpu vcpu, ref GnttabCacheFlush request)
        {
            if ((request.Op & GrantCacheFlushOperation.SourceGref) != 0)
                return XenErrno.EOPNOTSUPP;
            const GrantCacheFlushOperation Known = GrantCacheFlushOperation.Clean | GrantCacheFlushOperation.Inval;
            if (request.Offset >= Page.Size || request.Offset + request.Length > Page.Size || (request.Op & ~Known) != 0)
                return XenErrno.EINVAL;
            if (request.Length == 0 || request.Op == GrantCacheFlushOperation.None)
                return XenErrno.OK;
            var frame = Mfn.FromAddress(request.A);
            if (!vcpu.Domain.Machine.Frames.IsInUse(frame))
                return XenErrno.EPERM;
            if (!vcpu.Domain.Machine.Frames.IsOwnedBy(frame, vcpu.Domain.Id) && !vcpu.Domain.Tables.Foreign.Allows(frame, write: false))
                return XenErrno.EINVAL;

            // x86 has no instruction that forgets a line without writing it back.
            return request.Op == GrantCacheFlushOperation.Inval ? XenErrno.EOPNOTSUPP : XenErrno.OK;
        }
    }

    private readonly struct UnmapOnly : IUnmapRequest<GnttabUnmapGrantRef>
    {
        public static UnmapRequest Read(in GnttabUnmapGrantRef request) => new(request.HostAddr, request.DevBusAddr, 0, request.Handle);

        public static void SetStatus(ref GnttabUnmapGrantRef request, GrantStatus status) => request.Status = status;
    }

    private readonly struct UnmapReplacing : IUnmapRequest<GnttabUnmapAndReplace>
    {
        public static UnmapRequest Read(in GnttabUnmapAndReplace request) => new(request.HostAddr, 0, request.NewAddr, request.Handle);

        public static void SetStatus(ref GnttabUnmapAndReplace request, GrantStatus status) => request.Status = status;
    }
}
