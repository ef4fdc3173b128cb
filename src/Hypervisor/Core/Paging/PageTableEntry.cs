using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// The bits of a page-table entry, and what a PV guest may put there.
/// <code>
///  63   62       53   52     51        12  11    9  8 7 6 5 4 3 2 1 0
/// +----+-----------+--------+------------+--------+-+-+-+-+-+-+-+-+-+
/// | NX | available | kernel |   frame    | avail. |G|S|D|A|C|T|U|W|P|     S: page size, or PAT in L1;  C: PCD;  T: PWT
/// +----+-----------+--------+------------+--------+-+-+-+-+-+-+-+-+-+
/// </code>
/// A PV kernel runs in ring 3, so every present entry gets the user bit. In L1, "kernel" remembers the entries that the guest
/// made for its kernel; its others are user pages and get the global bit. A guest reads the entries as adjusted.
/// </summary>
internal static class PageTableEntry
{
    public const ulong Present = 1;
    public const ulong Write = 2;
    public const ulong User = 4;
    public const ulong Accessed = 0x20;
    public const ulong Dirty = 0x40;
    public const ulong Global = 0x100;
    public const ulong GuestKernel = 1ul << 52;
    public const ulong NoExecute = 1ul << 63;

    public const int FirstHypervisorSlot = 256;
    public const int LastHypervisorSlot = 271;

    private const ulong FrameMask = 0x000F_FFFF_FFFF_F000;
    private const ulong WriteThrough = 8, CacheDisable = 0x10, PageSize = 0x80;

    /// <summary>A domain without devices may not choose cache attributes; there are no large pages.</summary>
    private const ulong DisallowedInL1 = WriteThrough | CacheDisable | PageSize;
    private const ulong DisallowedAbove = DisallowedInL1 | Global;

    /// <summary>What a change of an entry has to change for references to move: anything else is a plain store.</summary>
    private const ulong Referring = Present | Write | FrameMask;

    public static Mfn Frame(ulong entry) => new((entry & FrameMask) >> Page.Shift);

    public static bool IsPresent(ulong entry) => (entry & Present) != 0;

    public static bool IsWritable(ulong entry) => (entry & Write) != 0;

    /// <summary>Whether the bits besides the frame are lawful.</summary>
    public static bool IsLawful(int level, ulong entry) => (entry & (level == 1 ? DisallowedInL1 : DisallowedAbove)) == 0;

    /// <summary>Whether the two refer to the same frame in the same way.</summary>
    public static bool RefersAlike(ulong one, ulong other) => ((one ^ other) & Referring) == 0;

    /// <summary>Whether the hypervisor owns this slot of every L4.</summary>
    public static bool IsHypervisorSlot(int level, int index) => level == 4 && index is >= FirstHypervisorSlot and <= LastHypervisorSlot;

    /// <summary>The entry as it is stored for the guest's.</summary>
    public static ulong Adjust(int level, ulong entry)
    {
        if ((entry & Present) == 0)
            return entry;
        if (level > 1)
            return entry | User;
        if ((entry & User) == 0)
            entry |= GuestKernel;
        return entry | ((entry & GuestKernel) == 0 ? User | Global : User);
    }
}
