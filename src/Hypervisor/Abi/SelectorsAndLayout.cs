namespace Xen.Abi;

/// <summary>
/// Segment selectors that Xen puts in every GDT. A guest sees its kernel's CS and SS with RPL cleared.
/// <b>Source</b>: arch-x86/xen-x86_64.h, FLAT_*.
/// </summary>
public static class FlatSelectors
{
    public const ushort Ring3Cs32 = 0xe023;
    public const ushort Ring3Cs64 = 0xe033;
    public const ushort Ring3Ds32 = 0xe02b;
    public const ushort Ring3Ds64 = 0;
    public const ushort Ring3Ss32 = 0xe02b;
    public const ushort Ring3Ss64 = 0xe02b;

    public const ushort KernelCs = Ring3Cs64;
    public const ushort KernelDs = Ring3Ds64;
    public const ushort KernelSs = Ring3Ss64;

    public const ushort UserCs32 = Ring3Cs32;
    public const ushort UserCs64 = Ring3Cs64;
    public const ushort UserDs32 = Ring3Ds32;
    public const ushort UserDs64 = Ring3Ds64;
    public const ushort UserSs32 = Ring3Ss32;
    public const ushort UserSs64 = Ring3Ss64;

    /// <summary>The bits of a selector that hold its requested privilege level.</summary>
    public const ushort RplMask = 3;
}

/// <summary>The part of every GDT that is Xen's: a guest's own table ends before it. <b>Source</b>: arch-x86/xen.h, FIRST_RESERVED_GDT_*.</summary>
public static class GdtLayout
{
    /// <summary>Pages of a guest's GDT.</summary>
    public const int FirstReservedPage = 14;

    public const int FirstReservedByte = FirstReservedPage * 4096;

    /// <summary>Most entries that set_gdt takes.</summary>
    public const int FirstReservedEntry = FirstReservedByte / 8;
}

/// <summary>What the hypervisor keeps of a guest's virtual address space. <b>Source</b>: arch-x86/xen-x86_64.h.</summary>
public static class HypervisorLayout
{
    /// <summary>First virtual address that is the hypervisor's (HYPERVISOR_VIRT_START).</summary>
    public const ulong VirtStart = 0xffff_8000_0000_0000;

    /// <summary>First virtual address after it (HYPERVISOR_VIRT_END).</summary>
    public const ulong VirtEnd = 0xffff_8800_0000_0000;

    /// <summary>Where guests read the machine-to-physical table (MACH2PHYS_VIRT_START).</summary>
    public const ulong Mach2PhysVirtStart = 0xffff_8000_0000_0000;

    public const ulong Mach2PhysVirtEnd = 0xffff_8040_0000_0000;

    /// <summary>Entries for which there is address space (MACH2PHYS_NR_ENTRIES).</summary>
    public const ulong Mach2PhysNrEntries = (Mach2PhysVirtEnd - Mach2PhysVirtStart) >> 3;

    /// <summary>First and last L4 slot that are the hypervisor's: a guest's own entries there are ignored.</summary>
    public const int FirstL4Slot = 256;
    public const int LastL4Slot = 271;
}

/// <summary>Which base set_segment_base sets. <b>Source</b>: arch-x86/xen-x86_64.h, SEGBASE_*.</summary>
public enum SegmentBase : uint
{
    Fs = 0,

    /// <summary>The GS base of user mode, when the guest's kernel runs.</summary>
    GsUser = 1,

    /// <summary>The GS base now.</summary>
    GsKernel = 2,

    /// <summary>Loads the user's GS selector, taken from bits 15-0 of the base.</summary>
    GsUserSel = 3,
}
