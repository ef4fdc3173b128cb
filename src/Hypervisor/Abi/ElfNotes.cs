namespace Xen.Abi;

/// <summary>ELF notes of owner "Xen" in kernel images. <b>Source</b>: elfnote.h, XEN_ELFNOTE_*.</summary>
public enum ElfNoteType : uint
{
    Info = 0,

    /// <summary>Virtual address of the entry point.</summary>
    Entry = 1,

    /// <summary>Virtual address of the page to fill with hypercall stubs.</summary>
    HypercallPage = 2,

    /// <summary>Virtual address to which pseudo-physical address 0 is mapped.</summary>
    VirtBase = 3,

    /// <summary>What to subtract from p_paddr.</summary>
    PaddrOffset = 4,

    /// <summary>"xen-3.0".</summary>
    XenVersion = 5,

    GuestOs = 6,
    GuestVersion = 7,

    /// <summary>"generic".</summary>
    Loader = 8,

    /// <summary>"yes", "no" or "bimodal".</summary>
    PaeMode = 9,

    /// <summary>Features needed ("!name") or wanted, separated by "|".</summary>
    Features = 10,

    /// <summary>Whether the symbol table shall be loaded.</summary>
    BsdSymtab = 11,

    /// <summary>Lowest address that Xen may use.</summary>
    HvStartLow = 12,

    /// <summary>Pairs of mask and value that tell a valid L1 entry.</summary>
    L1MfnValid = 13,

    /// <summary>Whether SHUTDOWN_suspend tells a cancelled suspend by 1.</summary>
    SuspendCancel = 14,

    /// <summary>Virtual address at which the initial p2m shall be mapped.</summary>
    InitP2m = 15,

    /// <summary>Whether mod_start may be a PFN.</summary>
    ModStartPfn = 16,

    /// <summary>Bitmap of <see cref="XenFeature"/> that the kernel can use.</summary>
    SupportedFeatures = 17,

    /// <summary>The PVH entry point.</summary>
    Phys32Entry = 18,

    CrashInfo = 0x1000001,
    CrashRegs = 0x1000002,
    DumpcoreNone = 0x2000000,
    DumpcoreHeader = 0x2000001,
    DumpcoreXenVersion = 0x2000002,
    DumpcoreFormatVersion = 0x2000003,
}

/// <summary>What all Xen notes share.</summary>
public static class ElfNotes
{
    /// <summary>The owner of a Xen note.</summary>
    public const string Owner = "Xen";

    /// <summary>Highest note number that a kernel has for its loader (XEN_ELFNOTE_MAX).</summary>
    public const uint Max = 18;

    /// <summary>The section of the string form that old kernels have instead of notes.</summary>
    public const string LegacySection = "__xen_guest";
}
