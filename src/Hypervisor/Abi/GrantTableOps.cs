using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of grant_table_op, each on a list of its structures. <b>Source</b>: grant_table.h, GNTTABOP_*.</summary>
public enum GrantTableOperation : uint
{
    MapGrantRef = 0,
    UnmapGrantRef = 1,
    SetupTable = 2,
    DumpTable = 3,
    Transfer = 4,
    Copy = 5,
    QuerySize = 6,
    UnmapAndReplace = 7,
    SetVersion = 8,
    GetStatusFrames = 9,
    GetVersion = 10,
    SwapGrantRef = 11,
    CacheFlush = 12,
}

/// <summary>Result of one grant operation. <b>Source</b>: grant_table.h, GNTST_*.</summary>
public enum GrantStatus : short
{
    Okay = 0,
    GeneralError = -1,
    BadDomain = -2,
    BadGntref = -3,
    BadHandle = -4,
    BadVirtAddr = -5,
    BadDevAddr = -6,
    NoDeviceSpace = -7,
    PermissionDenied = -8,

    /// <summary>The page is not one that may be used so.</summary>
    BadPage = -9,

    /// <summary>A copy crosses a page boundary.</summary>
    BadCopyArg = -10,

    /// <summary>The page of a transfer has too high an address.</summary>
    AddressTooBig = -11,

    /// <summary>Try again.</summary>
    Eagain = -12,

    /// <summary>No handle, or no memory, is left.</summary>
    NoSpace = -13,
}

/// <summary>The number that a mapped grant has for its mapper. <b>Source</b>: grant_table.h, grant_handle_t.</summary>
public readonly record struct GrantHandle(uint Value)
{
    public override string ToString() => "grant handle " + Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>How a grant is mapped. <b>Source</b>: grant_table.h, GNTMAP_*.</summary>
[Flags]
public enum GrantMapFlags : uint
{
    None = 0,

    /// <summary>For I/O devices.</summary>
    DeviceMap = 1 << 0,

    /// <summary>For the CPU.</summary>
    HostMap = 1 << 1,

    Readonly = 1 << 2,

    /// <summary>User mode may use the mapping too.</summary>
    ApplicationMap = 1 << 3,

    /// <summary>host_addr is the machine address of a page-table entry, not a virtual address.</summary>
    ContainsPte = 1 << 4,

    /// <summary>What the guest puts in the available bits of the entry (GNTMAP_guest_avail_mask).</summary>
    GuestAvailMask = 0xffff_0000,
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_map_grant_ref.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabMapGrantRef
{
    /// <summary>Where to map: a virtual address, or with <see cref="GrantMapFlags.ContainsPte"/> the machine address of an entry.</summary>
    public ulong HostAddr;

    public GrantMapFlags Flags;
    public GrantRef Ref;

    /// <summary>The domain that granted.</summary>
    public DomId Dom;

    /// <summary>Out.</summary>
    public GrantStatus Status;

    /// <summary>Out.</summary>
    public GrantHandle Handle;

    /// <summary>Out: the machine address of the frame.</summary>
    public ulong DevBusAddr;
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_unmap_grant_ref.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabUnmapGrantRef
{
    /// <summary>As it was mapped; 0 to leave that mapping.</summary>
    public ulong HostAddr;

    /// <summary>As it was returned; 0 to leave that mapping.</summary>
    public ulong DevBusAddr;

    public GrantHandle Handle;

    /// <summary>Out.</summary>
    public GrantStatus Status;
}

/// <summary>Enlarges the grant table to some frames and tells them. <b>Source</b>: grant_table.h, struct gnttab_setup_table.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabSetupTable
{
    public DomId Dom;
    public uint NrFrames;

    /// <summary>Out.</summary>
    public GrantStatus Status;

    /// <summary>Guest virtual address of the list to fill.</summary>
    public ulong FrameList;
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_dump_table.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabDumpTable
{
    public DomId Dom;

    /// <summary>Out.</summary>
    public GrantStatus Status;
}

/// <summary>Gives a frame to another domain. <b>Source</b>: grant_table.h, struct gnttab_transfer.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabTransfer
{
    public Gfn Mfn;
    public DomId Domid;
    public GrantRef Ref;

    /// <summary>Out.</summary>
    public GrantStatus Status;
}

/// <summary>One end of a grant copy. <b>Source</b>: grant_table.h, struct gnttab_copy_ptr.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabCopyPtr
{
    /// <summary>The union u: a grant reference in its low half, or a frame.</summary>
    public ulong U;

    public DomId Domid;

    /// <summary>Offset in the page.</summary>
    public ushort Offset;

    /// <summary>u.ref, where the flags say that it is one.</summary>
    public readonly GrantRef Ref => new((uint)U);

    /// <summary>u.gmfn.</summary>
    public readonly Gfn Gmfn => new(U);
}

/// <summary>Copies bytes within one page to another. <b>Source</b>: grant_table.h, struct gnttab_copy.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabCopy
{
    public GnttabCopyPtr Source;
    public GnttabCopyPtr Dest;

    /// <summary><b>Units</b>: bytes.</summary>
    public ushort Len;

    public GrantCopyFlags Flags;

    /// <summary>Out.</summary>
    public GrantStatus Status;
}

/// <summary><b>Source</b>: grant_table.h, GNTCOPY_*.</summary>
[Flags]
public enum GrantCopyFlags : ushort
{
    None = 0,

    /// <summary>The source is a grant.</summary>
    SourceGref = 1 << 0,

    /// <summary>The destination is a grant.</summary>
    DestGref = 1 << 1,
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_query_size.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabQuerySize
{
    public DomId Dom;

    /// <summary>Out: frames of the table now.</summary>
    public uint NrFrames;

    /// <summary>Out: most frames that it may have.</summary>
    public uint MaxNrFrames;

    /// <summary>Out.</summary>
    public GrantStatus Status;
}

/// <summary>Unmaps a grant and puts the mapping of another address in its place. <b>Source</b>: grant_table.h, struct gnttab_unmap_and_replace.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabUnmapAndReplace
{
    public ulong HostAddr;
    public ulong NewAddr;
    public GrantHandle Handle;

    /// <summary>Out.</summary>
    public GrantStatus Status;
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_set_version.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabSetVersion
{
    /// <summary>In: 1 or 2. Out: the version in use.</summary>
    public uint Version;
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_get_status_frames.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabGetStatusFrames
{
    public uint NrFrames;
    public DomId Dom;

    /// <summary>Out.</summary>
    public GrantStatus Status;

    /// <summary>Guest virtual address of the list to fill.</summary>
    public ulong FrameList;
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_get_version.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabGetVersion
{
    public DomId Dom;
    public ushort Pad;

    /// <summary>Out.</summary>
    public uint Version;
}

/// <summary>Exchanges two entries. <b>Source</b>: grant_table.h, struct gnttab_swap_grant_ref.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabSwapGrantRef
{
    public GrantRef RefA;
    public GrantRef RefB;

    /// <summary>Out.</summary>
    public GrantStatus Status;
}

/// <summary><b>Source</b>: grant_table.h, struct gnttab_cache_flush.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct GnttabCacheFlush
{
    /// <summary>The union a: a bus address, or with <see cref="GrantCacheFlushOperation.SourceGref"/> a grant reference.</summary>
    public ulong A;

    public ushort Offset;
    public ushort Length;
    public GrantCacheFlushOperation Op;
}

/// <summary><b>Source</b>: grant_table.h, GNTTAB_CACHE_*.</summary>
[Flags]
public enum GrantCacheFlushOperation : uint
{
    None = 0,
    Clean = 1 << 0,
    Inval = 1 << 1,
    SourceGref = 1U << 31,
}
