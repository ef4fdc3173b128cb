using System.Collections.Immutable;

namespace Xen.Builder.Images;

/// <summary>
/// What a kernel says about itself to Xen, as it said it; what it did not say is null. <b>Source</b>: elfnote.h.
/// </summary>
public sealed record XenNotes
{
    /// <summary>Whether it was said in the legacy <c>__xen_guest</c> string.</summary>
    public bool Legacy { get; init; }

    /// <summary>ENTRY: virtual address of the first instruction.</summary>
    public ulong? Entry { get; init; }

    /// <summary>HYPERCALL_PAGE: a virtual address, or in the legacy string a page number.</summary>
    public ulong? HypercallPage { get; init; }

    /// <summary>VIRT_BASE: virtual address of pseudo-physical address 0.</summary>
    public ulong? VirtBase { get; init; }

    /// <summary>PADDR_OFFSET: what p_paddr has in excess of the pseudo-physical address.</summary>
    public ulong? PaddrOffset { get; init; }

    /// <summary>HV_START_LOW: the lowest address at which the hypervisor's hole may begin.</summary>
    public ulong? HvStartLow { get; init; }

    /// <summary>INIT_P2M: where the initial frame list is to be mapped.</summary>
    public ulong? InitP2m { get; init; }

    /// <summary>PHYS32_ENTRY: the entry point of a PVH start.</summary>
    public ulong? Phys32Entry { get; init; }

    /// <summary>MOD_START_PFN: the kernel takes an unmapped ramdisk, by frame number.</summary>
    public bool ModStartPfn { get; init; }

    /// <summary>SUSPEND_CANCEL: the kernel understands that a suspend was cancelled.</summary>
    public bool SuspendCancel { get; init; }

    /// <summary>BSD_SYMTAB: the kernel would like its symbol table loaded.</summary>
    public bool BsdSymtab { get; init; }

    /// <summary>L1_MFN_VALID: (mask, value) pairs by which a not-present page-table entry that holds a frame number is known.</summary>
    public ImmutableArray<(ulong Mask, ulong Value)> L1MfnValid { get; init; } = [];

    /// <summary>PAE_MODE; of no meaning for 64-bit kernels.</summary>
    public string? PaeMode { get; init; }

    /// <summary>XEN_VERSION, "xen-3.0".</summary>
    public string? XenVersion { get; init; }

    /// <summary>GUEST_OS.</summary>
    public string? GuestOs { get; init; }

    /// <summary>GUEST_VERSION.</summary>
    public string? GuestVersion { get; init; }

    /// <summary>LOADER, "generic".</summary>
    public string? Loader { get; init; }

    /// <summary>FEATURES and SUPPORTED_FEATURES together.</summary>
    public KernelFeatures Features { get; init; }
}
