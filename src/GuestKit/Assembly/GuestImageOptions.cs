using Xen.Abi;

namespace Xen.GuestKit.Assembly;

/// <summary>Where an image keeps what it tells the domain builder about itself.</summary>
public enum NotePlacement
{
    /// <summary>ELF notes in a PT_NOTE segment outside any LOAD (as GRUB has them).</summary>
    Segment,

    /// <summary>ELF notes in an SHT_NOTE section only.</summary>
    Section,

    /// <summary>The legacy key=value string in a section named <c>__xen_guest</c>.</summary>
    LegacyString,

    /// <summary>Nothing: not a Xen kernel.</summary>
    None,
}

/// <summary>
/// How <see cref="GuestAssembler"/> links an image and what its Xen notes say. The default is a lawful PV kernel; some options make
/// deliberately wrong ones, for tests of bad input. <b>Source</b>: elfnote.h.
/// </summary>
public sealed record GuestImageOptions
{
    /// <summary>Note VIRT_BASE: the virtual address of pseudo-physical address 0.</summary>
    public ulong VirtBase { get; init; } = 0xFFFF_FFFF_8000_0000;

    /// <summary>Whether VIRT_BASE is said at all; without, a builder takes 0, so set <see cref="VirtBase"/> to 0 as well.</summary>
    public bool StateVirtBase { get; init; } = true;

    /// <summary>Whether ENTRY is said; without, the builder takes the ELF header's e_entry.</summary>
    public bool StateEntry { get; init; } = true;

    /// <summary>Pseudo-physical address of the code. <b>Units</b>: bytes, page-aligned.</summary>
    public ulong ImageOffset { get; init; } = 0x1000;

    /// <summary>Room for code; data follows it. <b>Units</b>: bytes, page-aligned.</summary>
    public int CodeCapacity { get; init; } = 0x10000;

    /// <summary>Note PADDR_OFFSET, added to every segment's p_paddr; null: no note and nothing added.</summary>
    public ulong? PaddrOffset { get; init; }

    /// <summary>Reserve a hypercall page, note it, and call through it instead of issuing SYSCALL.</summary>
    public bool HypercallPage { get; init; }

    /// <summary>Note INIT_P2M: where the initial frame list is to be mapped.</summary>
    public ulong? InitP2m { get; init; }

    /// <summary>Note MOD_START_PFN: the ramdisk may come unmapped, by frame number.</summary>
    public bool ModStartPfn { get; init; }

    /// <summary>Note HV_START_LOW.</summary>
    public ulong? HvStartLow { get; init; }

    /// <summary>Note FEATURES, as <c>a|!b</c>.</summary>
    public string? Features { get; init; }

    /// <summary>Note SUPPORTED_FEATURES: a bit mask of XENFEAT numbers.</summary>
    public uint? SupportedFeatures { get; init; }

    /// <summary>Note GUEST_OS.</summary>
    public string? GuestOs { get; init; } = "guestkit";

    /// <summary>Note XEN_VERSION.</summary>
    public string? XenVersion { get; init; } = "xen-3.0";

    /// <summary>Note LOADER.</summary>
    public string? Loader { get; init; } = "generic";

    /// <summary>Note PHYS32_ENTRY, which a PVH kernel has.</summary>
    public uint? Phys32Entry { get; init; }

    /// <summary>One LOAD segment that is readable, writable and executable, instead of code and data apart.</summary>
    public bool SingleSegment { get; init; }

    /// <summary>Where the notes stand.</summary>
    public NotePlacement Notes { get; init; } = NotePlacement.Segment;

    /// <summary>The owner's name on the notes; only "Xen" is lawful.</summary>
    public string NoteOwner { get; init; } = ElfNotes.Owner;

    /// <summary>The ELF machine; 62 is x86-64.</summary>
    public ushort Machine { get; init; } = 62;

    /// <summary>Emit a 32-bit ELF header (a deliberately wrong image).</summary>
    public bool Elf32 { get; init; }

    /// <summary>A kernel that says only how to be started in PVH mode (a deliberately wrong image).</summary>
    public static GuestImageOptions PvhOnly { get; } = new()
    {
        StateEntry = false,
        StateVirtBase = false,
        Phys32Entry = 0x0010_0000,
    };
}
