namespace Xen.Abi;

/// <summary>
/// An entry of a version 1 grant table; the guest and Xen both write its flags. <b>Units</b>: bytes.
/// <b>Source</b>: grant_table.h, struct grant_entry_v1.
/// <code>
///   0       2        4                8
///  +-------+--------+----------------+
///  | flags | domid  | frame          |
///  +-------+--------+----------------+
/// </code>
/// </summary>
public static class GrantEntryV1Layout
{
    /// <summary>Two bytes of <see cref="GrantEntryFlags"/>; written by both.</summary>
    public const int Flags = 0;

    /// <summary>Who may use the grant; written by the guest.</summary>
    public const int Domid = 2;

    /// <summary>The frame; written by the guest, and by Xen when a transfer is complete.</summary>
    public const int Frame = 4;

    public const int Size = 8;
}

/// <summary>
/// An entry of a version 2 grant table; Xen writes its status elsewhere, in status frames of 16-bit words.
/// <b>Units</b>: bytes. <b>Source</b>: grant_table.h, union grant_entry_v2.
/// <code>
///               0       2        4           6        8                    16
///              +-------+--------+-----------+--------+---------------------+
///  full page   | flags | domid  |                    | frame               |
///  sub-page    | flags | domid  | page_off  | length | frame               |
///  transitive  | flags | domid  | trans_dom |        | gref                |
///              +-------+--------+-----------+--------+---------------------+
/// </code>
/// </summary>
public static class GrantEntryV2Layout
{
    public const int Flags = 0;
    public const int Domid = 2;
    public const int FullPageFrame = 8;
    public const int SubPagePageOff = 4;
    public const int SubPageLength = 6;
    public const int SubPageFrame = 8;
    public const int TransitiveTransDomid = 4;
    public const int TransitiveGref = 8;
    public const int Size = 16;

    /// <summary>Size of a status word (grant_status_t), which holds GTF_reading and GTF_writing.</summary>
    public const int StatusSize = 2;
}

/// <summary>The flags of a grant entry. <b>Source</b>: grant_table.h, GTF_*.</summary>
[Flags]
public enum GrantEntryFlags : ushort
{
    /// <summary>The entry grants nothing (GTF_invalid).</summary>
    Invalid = 0,

    PermitAccess = 1,
    AcceptTransfer = 2,

    /// <summary>Version 2: the grant is another domain's.</summary>
    Transitive = 3,

    /// <summary>The bits that hold the type: one of the values above.</summary>
    TypeMask = Transitive,

    /// <summary>Access only.</summary>
    Readonly = 1 << 2,

    /// <summary>Set by Xen while the frame is mapped or read.</summary>
    Reading = 1 << 3,

    /// <summary>Set by Xen while the frame is mapped writable or written.</summary>
    Writing = 1 << 4,

    Pwt = 1 << 5,
    Pcd = 1 << 6,
    Pat = 1 << 7,

    /// <summary>Version 2: part of the page.</summary>
    SubPage = 1 << 8,
}

/// <summary>Bits of an entry that accepts a transfer; both are set by Xen. <b>Source</b>: grant_table.h, GTF_transfer_*.</summary>
[Flags]
public enum GrantTransferFlags : ushort
{
    None = 0,
    Committed = 1 << 2,
    Completed = 1 << 3,
}

/// <summary>Entries that the toolstack fills before the guest starts. <b>Source</b>: grant_table.h, GNTTAB_*.</summary>
public static class ReservedGrants
{
    /// <summary>How many are kept for it (GNTTAB_NR_RESERVED_ENTRIES).</summary>
    public const int Count = 8;

    /// <summary>The console ring page, to the console's domain.</summary>
    public const int Console = 0;

    /// <summary>The xenstore ring page, to xenstored's domain.</summary>
    public const int XenStore = 1;
}
