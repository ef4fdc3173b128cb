namespace Xen.Abi;

/// <summary>
/// Offsets in the shared info page, which guest and hypervisor both write while they run. <b>Units</b>: bytes.
/// <b>Source</b>: xen.h, struct shared_info; arch-x86/xen.h, struct arch_shared_info.
/// </summary>
public static class SharedInfoLayout
{
    /// <summary>First of the <see cref="LegacyMaxVcpus"/> vcpu_info structures, <see cref="VcpuInfoLayout.Size"/> apart.</summary>
    public const int VcpuInfo = 0;

    /// <summary>Bitmap of pending ports; set by Xen, cleared by the guest.</summary>
    public const int EvtchnPending = 2048;

    /// <summary>Bitmap of masked ports; written by the guest, and by Xen on EVTCHNOP_unmask.</summary>
    public const int EvtchnMask = 2560;

    /// <summary>Version of the wall clock: odd while Xen changes it.</summary>
    public const int WcVersion = 3072;

    /// <summary>Low half of the wall clock's seconds at system time 0. <b>Units</b>: seconds since the Unix epoch.</summary>
    public const int WcSec = 3076;

    /// <summary><b>Units</b>: nanoseconds.</summary>
    public const int WcNsec = 3080;

    /// <summary>High half of the wall clock's seconds.</summary>
    public const int WcSecHi = 3084;

    /// <summary>Start of arch_shared_info.</summary>
    public const int Arch = 3088;

    /// <summary>Valid entries of the p2m (arch.max_pfn); written by the guest.</summary>
    public const int ArchMaxPfn = 3088;

    /// <summary>Root of the three-level p2m tree (arch.pfn_to_mfn_frame_list_list); written by the guest.</summary>
    public const int ArchPfnToMfnFrameListList = 3096;

    public const int ArchNmiReason = 3104;

    /// <summary>Page-table root under which the linear p2m is mapped, as cr3 (arch.p2m_cr3); 0 if there is none; written by the guest.</summary>
    public const int ArchP2mCr3 = 3112;

    /// <summary>Virtual address of the linear p2m (arch.p2m_vaddr); written by the guest.</summary>
    public const int ArchP2mVaddr = 3120;

    /// <summary>Odd while the guest changes the mapping of the p2m (arch.p2m_generation); written by the guest.</summary>
    public const int ArchP2mGeneration = 3128;

    public const int Size = 3136;

    /// <summary>vCPUs whose vcpu_info is here until they register another. <b>Source</b>: arch-x86/xen.h, XEN_LEGACY_MAX_VCPUS.</summary>
    public const int LegacyMaxVcpus = 32;
}
