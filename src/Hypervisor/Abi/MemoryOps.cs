using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of memory_op. <b>Source</b>: memory.h, XENMEM_*.</summary>
public enum MemoryOperation : uint
{
    IncreaseReservation = 0,
    DecreaseReservation = 1,
    MaximumRamPage = 2,
    CurrentReservation = 3,
    MaximumReservation = 4,
    MachphysMfnList = 5,
    PopulatePhysmap = 6,
    AddToPhysmap = 7,
    MemoryMap = 9,
    MachineMemoryMap = 10,
    Exchange = 11,
    MachphysMapping = 12,
    SetMemoryMap = 13,
    MaximumGpfn = 14,
    RemoveFromPhysmap = 15,
    SetPodTarget = 16,
    GetPodTarget = 17,
    GetSharingFreedPages = 18,
    GetSharingSharedPages = 19,
    PagingOp = 20,
    AccessOp = 21,
    SharingOp = 22,
    AddToPhysmapBatch = 23,
    ClaimPages = 24,
    MachphysCompatMfnList = 25,
    GetVnumainfo = 26,
    ReservedDeviceMemoryMap = 27,
    AcquireResource = 28,
}

/// <summary>Increases, decreases or populates a reservation. <b>Source</b>: memory.h, struct xen_memory_reservation.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MemoryReservation
{
    /// <summary>Guest virtual address of the list of frames, one for each extent.</summary>
    public ulong ExtentStart;

    /// <summary><b>Units</b>: extents.</summary>
    public ulong NrExtents;

    /// <summary>An extent is 2^order pages, aligned to its size.</summary>
    public uint ExtentOrder;

    public MemoryReservationFlags MemFlags;

    public DomId Domid;
}

/// <summary>
/// Flags of a memory reservation. <b>Source</b>: memory.h, XENMEMF_*.
/// <code>
///   31      19   18      17      16   15       8 7            0
///  +----------+-------+-------+-----+-----------+--------------+
///  |    0     | vnode | exact | PoD | node + 1  | address bits |
///  +----------+-------+-------+-----+-----------+--------------+
/// </code>
/// </summary>
[Flags]
public enum MemoryReservationFlags : uint
{
    None = 0,

    /// <summary>Maximum number of machine address bits, 0 for any (XENMEMF_get_address_bits).</summary>
    AddressBitsMask = 0xff,

    PopulateOnDemand = 1 << 16,
    ExactNodeRequest = 1 << 17,
    Vnode = 1 << 18,
}

/// <summary>Exchanges extents of memory for others. <b>Source</b>: memory.h, struct xen_memory_exchange.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MemoryExchange
{
    public MemoryReservation In;
    public MemoryReservation Out;

    /// <summary>Input extents exchanged so far; the caller sets it to 0.</summary>
    public ulong NrExchanged;
}

/// <summary>Names the domain of current_reservation, maximum_reservation, maximum_gpfn. <b>Source</b>: memory.h, struct xen_memory_domain.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MemoryDomain
{
    public DomId Domid;
}

/// <summary>Where the machine-to-physical table's 2 MiB extents lie. <b>Source</b>: memory.h, struct xen_machphys_mfn_list.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MachphysMfnList
{
    public uint MaxExtents;

    /// <summary>Guest virtual address of the list to fill.</summary>
    public ulong ExtentStart;

    /// <summary>Entries written.</summary>
    public uint NrExtents;
}

/// <summary>Where the machine-to-physical table is mapped. <b>Source</b>: memory.h, struct xen_machphys_mapping.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MachphysMapping
{
    /// <summary>First virtual address.</summary>
    public ulong VStart;

    /// <summary>First virtual address after it.</summary>
    public ulong VEnd;

    /// <summary>The highest machine frame number that it covers.</summary>
    public ulong MaxMfn;
}

/// <summary>The guest's E820 map. <b>Source</b>: memory.h, struct xen_memory_map.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MemoryMap
{
    /// <summary>In: entries that fit in the buffer. Out: entries stored.</summary>
    public uint NrEntries;

    /// <summary>Guest virtual address of <see cref="E820Entry"/> structures.</summary>
    public ulong Buffer;
}

/// <summary>Sets another domain's E820 map. <b>Source</b>: memory.h, struct xen_foreign_memory_map.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ForeignMemoryMap
{
    public DomId Domid;
    public MemoryMap Map;
}

/// <summary>Places a page in a guest's physical map. <b>Source</b>: memory.h, struct xen_add_to_physmap.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct AddToPhysmap
{
    public DomId Domid;

    /// <summary>Pages, for gmfn_range.</summary>
    public ushort Size;

    public PhysmapSpace Space;

    /// <summary>Index into the space.</summary>
    public ulong Idx;

    /// <summary>Where the page shall appear.</summary>
    public Gfn Gpfn;

    /// <summary>In <see cref="Idx"/> for the grant table: its status frames.</summary>
    public const uint GrantTableStatus = 0x80000000;
}

/// <summary>Places several pages in a guest's physical map. <b>Source</b>: memory.h, struct xen_add_to_physmap_batch.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct AddToPhysmapBatch
{
    public DomId Domid;

    /// <summary>A <see cref="PhysmapSpace"/>.</summary>
    public ushort Space;

    /// <summary><b>Units</b>: pages.</summary>
    public ushort Size;

    /// <summary>Owner of the pages, for gmfn_foreign; else 0 (u.foreign_domid).</summary>
    public DomId ForeignDomid;

    /// <summary>Guest virtual address of the indices into the space.</summary>
    public ulong Idxs;

    /// <summary>Guest virtual address of the frames where they shall appear.</summary>
    public ulong Gpfns;

    /// <summary>Guest virtual address of an errno for each (int).</summary>
    public ulong Errs;
}

/// <summary>Removes a page from a guest's physical map. <b>Source</b>: memory.h, struct xen_remove_from_physmap.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct RemoveFromPhysmap
{
    public DomId Domid;
    public Gfn Gpfn;
}

/// <summary>Where the page of add_to_physmap comes from. <b>Source</b>: memory.h, XENMAPSPACE_*.</summary>
public enum PhysmapSpace : uint
{
    SharedInfo = 0,
    GrantTable = 1,
    Gmfn = 2,
    GmfnRange = 3,
    GmfnForeign = 4,
    DevMmio = 5,
}

/// <summary>
/// Maps frames that belong to the hypervisor's side of a domain, such as its grant table.
/// <b>Source</b>: memory.h, struct xen_mem_acquire_resource.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct AcquireResource
{
    public DomId Domid;
    public ResourceType Type;

    /// <summary>For the grant table a <see cref="GrantTableResource"/>; else 0.</summary>
    public uint Id;

    /// <summary>In: frames wanted; 0 with no list asks for the size. Out: the size.</summary>
    public uint NrFrames;

    /// <summary>Must be 0.</summary>
    public uint Pad;

    /// <summary>Index of the first frame.</summary>
    public ulong Frame;

    /// <summary>Guest virtual address of the list of frames; for a PV caller it is filled.</summary>
    public ulong FrameList;
}

/// <summary><b>Source</b>: memory.h, XENMEM_resource_*.</summary>
public enum ResourceType : ushort
{
    IoreqServer = 0,
    GrantTable = 1,
    VmtraceBuf = 2,
}

/// <summary><b>Source</b>: memory.h, XENMEM_resource_grant_table_id_*.</summary>
public enum GrantTableResource : uint
{
    Shared = 0,
    Status = 1,
}
