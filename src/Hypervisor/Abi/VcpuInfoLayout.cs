namespace Xen.Abi;

/// <summary>
/// Offsets in a vcpu_info, in the shared info page or where the guest registered it (VCPUOP_register_vcpu_info).
/// <b>Units</b>: bytes. <b>Source</b>: xen.h, struct vcpu_info; arch-x86/xen-x86_64.h, struct arch_vcpu_info.
/// </summary>
public static class VcpuInfoLayout
{
    /// <summary>Non-zero: an event waits for this vCPU (evtchn_upcall_pending); set by Xen, cleared by the guest. One byte.</summary>
    public const int UpcallPending = 0;

    /// <summary>Non-zero: the vCPU takes no upcall (evtchn_upcall_mask), its virtual interrupt flag inverted. One byte.</summary>
    public const int UpcallMask = 1;

    /// <summary>Which 64-port words have a pending port (evtchn_pending_sel); set by Xen, cleared by the guest.</summary>
    public const int PendingSel = 8;

    /// <summary>The faulting address of the last injected page fault (arch.cr2); written by Xen.</summary>
    public const int Cr2 = 16;

    /// <summary>The <see cref="VcpuTimeInfo"/> of this vCPU; written by Xen.</summary>
    public const int Time = 32;

    public const int Size = 64;
}
