using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xen.Abi;

namespace Xen.Core;

/// <summary>What a guest has mapped of other domains' grants (or of its own), by handle.</summary>
/// <remarks>
/// A host mapping's page-table entry holds the references of the frame (PageTables.Grants.cs); the handle stands for the pin of the grant. So a guest that overwrites
/// the entry loses the page, after a flush, and keeps the grant pinned until the handle is unmapped, which it then cannot be with that address: at last the guest's
/// death unpins it. A device mapping has no entry: its handle holds the references.
/// </remarks>
internal sealed class GrantMaps(Domain domain, int maxFrames)
{
    private const int AvailableShift = 16, EntryAvailableShift = 9;
    private const uint AvailableBits = 7;

    public MapTrack Track { get; } = new(maxFrames);

    /// <summary>Maps a grant (GNTTABOP_map_grant_ref).</summary>
    public void Map(Vcpu vcpu, ref GnttabMapGrantRef request)
    {
        request.Status = Map(vcpu, request, out GrantHandle handle, out Mfn frame);
        if (request.Status != GrantStatus.Okay)
            return;
        request.Handle = handle;
        request.DevBusAddr = frame.Address;
    }

    /// <summary>Takes one mapping, or a part of it, out of the page tables. In a section of the domain's paging lock; it ends with the flush that must precede <see cref="CompleteUnmap"/>.</summary>
    /// <param name="vcpu">The caller.</param>
    /// <param name="request">What to unmap, a claim.</param>
    /// <param name="unmap">What is to be done then.</param>
    public void BeginUnmap(Vcpu vcpu, in UnmapRequest request, out PendingUnmap unmap)
    {
        Debug.Assert(domain.PagingLock.IsHeldByCurrentThread);
        unmap = new PendingUnmap { Handle = request.Handle, Status = GrantStatus.BadHandle };
        if (!Track.TryClaim(request.Handle, out unmap.Map))
            return;
        unmap.Status = ClearPlaces(vcpu, request, unmap.Map, out unmap.Done);
        if (unmap.Status != GrantStatus.Okay)
            Track.Publish(request.Handle, unmap.Map);
    }

    /// <summary>Ends what <see cref="BeginUnmap"/> has begun: the granter learns of it. No lock is held.</summary>
    public void CompleteUnmap(in PendingUnmap unmap)
    {
        if (unmap.Status != GrantStatus.Okay)
            return;
        GrantMap map = unmap.Map;
        if ((unmap.Done & GrantMapFlags.DeviceMap) != 0)
            map.Granter.Domain.Release(map.Frame, !map.IsReadOnly);
        if (unmap.Done != 0)
            map.Granter.Unpin(map.Reference, GrantPins.Of(unmap.Done | (map.Flags & GrantMapFlags.Readonly)));
        map = map with { Flags = map.Flags & ~unmap.Done };
        if ((map.Flags & GrantMap.Places) == 0)
            Track.Free(unmap.Handle);
        else
            Track.Publish(unmap.Handle, map);
    }

    /// <summary>Ends all mappings of a domain that has ended. Its page tables are gone, and with them the references of their entries.</summary>
    public void ReleaseAll()
    {
        for (uint i = 0; i < Track.Size; i++)
        {
            if (Track.TryClaim(new GrantHandle(i), out GrantMap map))
                CompleteUnmap(new PendingUnmap { Handle = new GrantHandle(i), Map = map, Done = map.Flags & GrantMap.Places });
        }
    }

    private GrantStatus Map(Vcpu vcpu, in GnttabMapGrantRef request, out GrantHandle handle, out Mfn frame)
    {
        handle = default;
        frame = Mfn.Invalid;
        if ((request.Flags & GrantMap.Places) == 0)
            return GrantStatus.BadGntref;
        if (domain.Machine.FindDomain(request.Dom) is not { } granter)
            return GrantStatus.BadDomain;
        if (!Track.TryReserve(out handle))
            return GrantStatus.NoDeviceSpace;
        GrantStatus status = granter.Grants.BeginMap(request.Ref, domain.Id, request.Flags, vcpu, out frame);
        if (status == GrantStatus.Okay && (request.Flags & GrantMapFlags.HostMap) != 0 && !TryInstall(vcpu, request, granter, frame))
        {
            status = GrantStatus.GeneralError;
            bool writable = (request.Flags & GrantMapFlags.Readonly) == 0;
            granter.Release(frame, writable);
            if ((request.Flags & GrantMapFlags.DeviceMap) != 0)
                granter.Release(frame, writable);
            granter.Grants.Unpin(request.Ref, GrantPins.Of(request.Flags));
        }

        if (status == GrantStatus.Okay)
            Track.Publish(handle, new GrantMap(granter.Grants, request.Ref, frame, request.Flags));
        else
            Track.Free(handle);
        return status;
    }

    /// <summary>Makes the page-table entry, which takes the references over.</summary>
    private bool TryInstall(Vcpu vcpu, in GnttabMapGrantRef request, Domain granter, Mfn frame)
    {
        using PageTables.PagingSection section = domain.Tables.Enter(vcpu);
        if (!domain.Tables.TryFindEntry(vcpu, request.HostAddr, (request.Flags & GrantMapFlags.ContainsPte) != 0, out Mfn table, out int index))
            return false;
        domain.Tables.Install(table, index, EntryOf(frame, request.Flags));
        if (granter == domain)
            domain.AdoptReference();
        return true;
    }

    private static ulong EntryOf(Mfn frame, GrantMapFlags flags)
    {
        ulong entry = frame.Address | PageTableEntry.Present | PageTableEntry.Accessed | PageTableEntry.Dirty;
        if ((flags & GrantMapFlags.Readonly) == 0)
            entry |= PageTableEntry.Write;
        if ((flags & GrantMapFlags.ApplicationMap) != 0)
            entry |= PageTableEntry.User;
        return entry | ((ulong)(((uint)flags >> AvailableShift) & AvailableBits) << EntryAvailableShift);
    }

    private GrantStatus ClearPlaces(Vcpu vcpu, in UnmapRequest request, in GrantMap map, out GrantMapFlags done)
    {
        done = 0;
        if (request.DevBusAddr != 0 && request.DevBusAddr != map.Frame.Address)
            return GrantStatus.GeneralError;
        if (request.HostAddr != 0 && (map.Flags & GrantMapFlags.HostMap) != 0)
        {
            if (!TryClear(vcpu, request, map))
                return GrantStatus.GeneralError;
            done |= GrantMapFlags.HostMap;
        }

        if (request.DevBusAddr != 0)
            done |= map.Flags & GrantMapFlags.DeviceMap;
        return GrantStatus.Okay;
    }

    private bool TryClear(Vcpu vcpu, in UnmapRequest request, in GrantMap map)
    {
        PageTables tables = domain.Tables;
        bool isEntry = (map.Flags & GrantMapFlags.ContainsPte) != 0;
        if (!tables.TryFindEntry(vcpu, request.HostAddr, isEntry, out Mfn table, out int index) || !tables.Maps(table, index, map.Frame, !map.IsReadOnly))
            return false;
        if (request.NewAddr == 0)
        {
            tables.Clear(table, index);
            return true;
        }

        if (isEntry || !tables.TryFindEntry(vcpu, request.NewAddr, isEntry: false, out Mfn fromTable, out int fromIndex))
            return false;
        if (fromTable == table && fromIndex == index)
            return false;
        tables.Move(fromTable, fromIndex, table, index);
        return true;
    }
}

/// <summary>What a guest wants to unmap: the parts that two operations have in common.</summary>
/// <param name="HostAddr">Where the host mapping is; 0 to leave it.</param>
/// <param name="DevBusAddr">The device mapping's address; 0 to leave it.</param>
/// <param name="NewAddr">A page whose mapping moves to where the host mapping was; 0 for none.</param>
/// <param name="Handle">The mapping.</param>
internal readonly record struct UnmapRequest(ulong HostAddr, ulong DevBusAddr, ulong NewAddr, GrantHandle Handle);

/// <summary>An unmap between the page table and the grant.</summary>
internal struct PendingUnmap
{
    public GrantMap Map;
    public GrantMapFlags Done;
    public GrantHandle Handle;
    public GrantStatus Status;
}

/// <summary>Unmaps that share a flush.</summary>
[InlineArray(Count)]
internal struct PendingUnmaps
{
    /// <summary>As many as Xen takes at once (GNTTAB_UNMAP_BATCH_SIZE).</summary>
    public const int Count = 32;

    private PendingUnmap _first;
}
