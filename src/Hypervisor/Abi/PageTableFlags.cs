namespace Xen.Abi;

/// <summary>
/// Bits of an x86-64 page-table entry, at every level.
/// <code>
///   63  62..59 58..52 51                    12 11..9 8 7  6 5 4   3   2 1 0
///  +--+-------+------+------------------------+-----+-+---+-+-+---+---+-+-+-+
///  |NX|  key  |avail | frame number           |avail|G|PS |D|A|PCD|PWT|U|W|P|
///  +--+-------+------+------------------------+-----+-+---+-+-+---+---+-+-+-+
/// </code>
/// </summary>
[Flags]
public enum PageTableFlags : ulong
{
    None = 0,
    Present = 1 << 0,
    Writable = 1 << 1,

    /// <summary>User mode may access it. A PV kernel runs in user mode too.</summary>
    User = 1 << 2,

    /// <summary>PWT.</summary>
    WriteThrough = 1 << 3,

    /// <summary>PCD.</summary>
    CacheDisable = 1 << 4,

    Accessed = 1 << 5,
    Dirty = 1 << 6,

    /// <summary>PS: at L2 and L3 the entry maps a large page. At L1 this bit is PAT.</summary>
    PageSize = 1 << 7,

    Global = 1 << 8,

    /// <summary>Free for software.</summary>
    Available0 = 1 << 9,

    /// <summary>Free for software.</summary>
    Available1 = 1 << 10,

    /// <summary>Free for software.</summary>
    Available2 = 1 << 11,

    /// <summary>NX.</summary>
    NoExecute = 1UL << 63,
}

/// <summary>The parts of a page-table entry and of a virtual address.</summary>
public static class PageTableLayout
{
    /// <summary>Bits 51-12: where the frame number stands in an entry.</summary>
    public const ulong FrameMask = 0x000f_ffff_ffff_f000;

    /// <summary>Bits of virtual address that one level translates.</summary>
    public const int BitsPerLevel = 9;

    /// <summary>Levels of page tables.</summary>
    public const int Levels = 4;

    /// <summary>Lowest virtual-address bit that indexes a level 1 table; each level above adds <see cref="BitsPerLevel"/>.</summary>
    public const int L1Shift = 12;
    public const int L2Shift = 21;
    public const int L3Shift = 30;
    public const int L4Shift = 39;

    /// <summary>Bits of virtual address that are translated; the higher ones copy the last of them.</summary>
    public const int VirtualAddressBits = 48;

    /// <summary>Builds an entry.</summary>
    public static ulong Entry(Mfn frame, PageTableFlags flags) => (frame.Value << Page.Shift & FrameMask) | (ulong)flags;

    /// <summary>The frame that an entry names.</summary>
    public static Mfn FrameOf(ulong entry) => new((entry & FrameMask) >> Page.Shift);

    /// <summary>The bits of an entry that are not its frame number.</summary>
    public static PageTableFlags FlagsOf(ulong entry) => (PageTableFlags)(entry & ~FrameMask);

    /// <summary>The index that a virtual address has in a table of the given level (1 to 4).</summary>
    public static int IndexOf(ulong virtualAddress, int level) =>
        (int)(virtualAddress >> (Page.Shift + (level - 1) * BitsPerLevel)) & (Page.EntriesPerTable - 1);
}
