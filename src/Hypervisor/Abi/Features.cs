namespace Xen.Abi;

/// <summary>
/// Features, by bit number, that Xen reports to guests (XENVER_get_features) and kernels ask for in their ELF notes.
/// <b>Source</b>: features.h, XENFEAT_*.
/// </summary>
public enum XenFeature
{
    /// <summary>The guest need not make its page tables read-only.</summary>
    WritablePageTables = 0,
    WritableDescriptorTables = 1,
    AutoTranslatedPhysmap = 2,
    SupervisorModeKernel = 3,
    PaePgdirAbove4gb = 4,

    /// <summary>MMU_PT_UPDATE_PRESERVE_AD works.</summary>
    MmuPtUpdatePreserveAd = 5,

    /// <summary>MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE work.</summary>
    HighmemAssist = 6,

    /// <summary>GNTMAP_guest_avail_mask works.</summary>
    GnttabMapAvailBits = 7,
    HvmCallbackVector = 8,
    HvmSafePvclock = 9,
    HvmPirqs = 10,

    /// <summary>The kernel can be dom0.</summary>
    Dom0 = 11,

    /// <summary>Deprecated, and only named in a comment there; old kernels still list it.</summary>
    GrantMapIdentity = 12,
    MemoryOpVnodeSupported = 13,
    ArmSmcccSupported = 14,
    LinuxRsdpUnrestricted = 15,
    NotDirectMapped = 16,
    DirectMapped = 17,
}

/// <summary><b>Source</b>: features.h.</summary>
public static class XenFeatures
{
    /// <summary>Words of 32 features (XENFEAT_NR_SUBMAPS).</summary>
    public const int NrSubmaps = 1;
}
