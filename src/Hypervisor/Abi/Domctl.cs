using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// The start of a domctl argument; the structure of the operation follows at <see cref="DomctlLayout.Argument"/>.
/// <b>Source</b>: domctl.h, struct xen_domctl.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlHeader
{
    public DomctlOperation Cmd;

    /// <summary>Must be <see cref="DomctlLayout.InterfaceVersion"/>.</summary>
    public uint InterfaceVersion;

    public DomId Domain;

    /// <summary>Unused, up to the argument (_pad).</summary>
    public ushort Pad0;
    public uint Pad1;
}

/// <summary><b>Units</b>: bytes. <b>Source</b>: domctl.h, struct xen_domctl.</summary>
public static class DomctlLayout
{
    /// <summary>Changes whenever the structures do: this is Xen 4.17's.</summary>
    public const uint InterfaceVersion = 0x15;

    /// <summary>Offset of the union u.</summary>
    public const int Argument = 16;

    public const int Size = 144;
}

/// <summary>Operations of domctl that a toolstack for PV domains uses. <b>Source</b>: domctl.h, XEN_DOMCTL_*.</summary>
public enum DomctlOperation : uint
{
    CreateDomain = 1,
    DestroyDomain = 2,
    PauseDomain = 3,
    UnpauseDomain = 4,
    GetDomainInfo = 5,
    SetVcpuAffinity = 9,
    ShadowOp = 10,
    MaxMem = 11,
    SetVcpuContext = 12,
    GetVcpuContext = 13,
    GetVcpuInfo = 14,
    MaxVcpus = 15,
    SchedulerOp = 16,
    SetDomainHandle = 17,
    HypercallInit = 22,
    SetTimeOffset = 24,
    GetVcpuAffinity = 25,
    ResumeDomain = 27,
    SendTrigger = 28,
    Subscribe = 29,
    SetAddressSize = 35,
    GetAddressSize = 36,
    GetTscInfo = 59,
    SetTscInfo = 60,
    GetPageFrameInfo3 = 61,
    SetVirqHandler = 66,
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_createdomain.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlCreateDomain
{
    public uint Ssidref;

    /// <summary>The domain's UUID.</summary>
    public ByteArray16 Handle;

    public CreateDomainFlags Flags;
    public uint IommuOpts;
    public uint MaxVcpus;
    public uint MaxEvtchnPort;

    /// <summary>Negative for the default.</summary>
    public int MaxGrantFrames;

    /// <summary>Negative for the default.</summary>
    public int MaxMaptrackFrames;

    /// <summary>Highest grant table version, in the low four bits.</summary>
    public uint GrantOpts;

    /// <summary><b>Units</b>: bytes.</summary>
    public uint VmtraceSize;

    public uint CpupoolId;

    /// <summary>arch.emulation_flags: 0 for a PV domain.</summary>
    public uint ArchEmulationFlags;

    /// <summary>arch.misc_flags.</summary>
    public uint ArchMiscFlags;
}

/// <summary><b>Source</b>: domctl.h, XEN_DOMCTL_CDF_*.</summary>
[Flags]
public enum CreateDomainFlags : uint
{
    None = 0,
    Hvm = 1 << 0,
    Hap = 1 << 1,
    S3Integrity = 1 << 2,
    OosOff = 1 << 3,
    XsDomain = 1 << 4,
    Iommu = 1 << 5,
    NestedVirt = 1 << 6,
    Vpmu = 1 << 7,
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_getdomaininfo.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlGetDomainInfo
{
    public DomId Domain;
    public ushort Pad1;
    public DomainInfoFlags Flags;

    /// <summary><b>Units</b>: pages, as all that follow.</summary>
    public ulong TotPages;
    public ulong MaxPages;
    public ulong OutstandingPages;
    public ulong ShrPages;
    public ulong PagedPages;

    public Gfn SharedInfoFrame;

    /// <summary><b>Units</b>: nanoseconds.</summary>
    public ulong CpuTime;

    public uint NrOnlineVcpus;

    /// <summary>Highest vCPU number; all ones for none (XEN_INVALID_MAX_VCPU_ID).</summary>
    public uint MaxVcpuId;

    public uint Ssidref;

    /// <summary>The domain's UUID.</summary>
    public ByteArray16 Handle;

    public uint Cpupool;
    public byte GpaddrBits;
    public ByteArray7 Pad2;

    /// <summary>arch_config.emulation_flags.</summary>
    public uint ArchConfigEmulationFlags;

    /// <summary>arch_config.misc_flags.</summary>
    public uint ArchConfigMiscFlags;

    /// <summary>Where the flags hold the <see cref="ShutdownReason"/> (XEN_DOMINF_shutdownshift).</summary>
    public const int ShutdownShift = 16;
}

/// <summary><b>Source</b>: domctl.h, XEN_DOMINF_*.</summary>
[Flags]
public enum DomainInfoFlags : uint
{
    None = 0,
    Dying = 1 << 0,
    HvmGuest = 1 << 1,
    Shutdown = 1 << 2,
    Paused = 1 << 3,
    Blocked = 1 << 4,
    Running = 1 << 5,
    Debugged = 1 << 6,
    XsDomain = 1 << 7,
    Hap = 1 << 8,

    /// <summary>The shutdown reason, shifted by <see cref="DomctlGetDomainInfo.ShutdownShift"/>.</summary>
    ShutdownMask = 0xff << 16,
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_max_mem.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlMaxMem
{
    /// <summary><b>Units</b>: KiB.</summary>
    public ulong MaxMemkb;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_max_vcpus.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlMaxVcpus
{
    public uint Max;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_vcpucontext.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlVcpuContext
{
    public uint Vcpu;

    /// <summary>Virtual address of a <see cref="VcpuGuestContext"/>.</summary>
    public ulong Ctxt;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_getvcpuinfo.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlGetVcpuInfo
{
    public uint Vcpu;
    public byte Online;
    public byte Blocked;
    public byte Running;

    /// <summary><b>Units</b>: nanoseconds.</summary>
    public ulong CpuTime;

    /// <summary>The physical CPU.</summary>
    public uint Cpu;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_vcpuaffinity.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlVcpuAffinity
{
    public uint Vcpu;
    public VcpuAffinityFlags Flags;
    public ControlBitmap CpumapHard;
    public ControlBitmap CpumapSoft;
}

/// <summary><b>Source</b>: domctl.h, XEN_VCPUAFFINITY_*.</summary>
[Flags]
public enum VcpuAffinityFlags : uint
{
    None = 0,
    Hard = 1 << 0,
    Soft = 1 << 1,

    /// <summary>Undo SCHEDOP_pin_override.</summary>
    Force = 1 << 2,
}

/// <summary>A bitmap in the caller's memory. <b>Source</b>: xen.h, struct xenctl_bitmap.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ControlBitmap
{
    /// <summary>Virtual address.</summary>
    public ulong Bitmap;

    public uint NrBits;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_settimeoffset.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlSetTimeOffset
{
    /// <summary><b>Units</b>: seconds.</summary>
    public long TimeOffsetSeconds;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_setdomainhandle.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlSetDomainHandle
{
    public ByteArray16 Handle;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_hypercall_init.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlHypercallInit
{
    /// <summary>The page to fill with hypercall stubs.</summary>
    public Gfn Gmfn;
}

/// <summary><b>Source</b>: domctl.h, struct xen_domctl_set_virq_handler.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlSetVirqHandler
{
    public VirtualIrq Virq;
}
