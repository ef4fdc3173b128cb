using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// The start of a sysctl argument; the structure of the operation follows at <see cref="SysctlLayout.Argument"/>.
/// <b>Source</b>: sysctl.h, struct xen_sysctl.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct SysctlHeader
{
    public SysctlOperation Cmd;

    /// <summary>Must be <see cref="SysctlLayout.InterfaceVersion"/>.</summary>
    public uint InterfaceVersion;
}

/// <summary><b>Units</b>: bytes. <b>Source</b>: sysctl.h, struct xen_sysctl.</summary>
public static class SysctlLayout
{
    /// <summary>Changes whenever the structures do: this is Xen 4.17's.</summary>
    public const uint InterfaceVersion = 0x15;

    /// <summary>Offset of the union u.</summary>
    public const int Argument = 8;

    public const int Size = 136;
}

/// <summary>Operations of sysctl that a toolstack for PV domains uses. <b>Source</b>: sysctl.h, XEN_SYSCTL_*.</summary>
public enum SysctlOperation : uint
{
    ReadConsole = 1,
    Physinfo = 3,
    SchedId = 4,
    GetDomainInfoList = 6,
    DebugKeys = 7,
    GetCpuInfo = 8,
    AvailHeap = 9,
}

/// <summary><b>Source</b>: sysctl.h, struct xen_sysctl_readconsole.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SysctlReadConsole
{
    /// <summary>Non-zero: clear it after reading.</summary>
    public byte Clear;

    /// <summary>Non-zero: start at <see cref="Index"/>.</summary>
    public byte Incremental;

    public byte Pad0;
    public byte Pad1;

    /// <summary>In: where to start. Out: where the next read starts.</summary>
    public uint Index;

    /// <summary>Virtual address.</summary>
    public ulong Buffer;

    /// <summary>In: size of the buffer. Out: bytes written.</summary>
    public uint Count;
}

/// <summary><b>Source</b>: sysctl.h, struct xen_sysctl_physinfo.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SysctlPhysinfo
{
    public uint ThreadsPerCore;
    public uint CoresPerSocket;
    public uint NrCpus;
    public uint MaxCpuId;
    public uint NrNodes;
    public uint MaxNodeId;
    public uint CpuKhz;
    public PhysicalCapabilities Capabilities;
    public uint ArchCapabilities;
    public uint Pad;
    public ulong TotalPages;
    public ulong FreePages;
    public ulong ScrubPages;
    public ulong OutstandingPages;
    public ulong MaxMfn;
    public UInt32Array8 HwCap;
}

/// <summary><b>Source</b>: sysctl.h, XEN_SYSCTL_PHYSCAP_*.</summary>
[Flags]
public enum PhysicalCapabilities : uint
{
    None = 0,
    Hvm = 1 << 0,
    Pv = 1 << 1,
    Directio = 1 << 2,
    Hap = 1 << 3,
    Shadow = 1 << 4,
    IommuHapPtShare = 1 << 5,
    Vmtrace = 1 << 6,
    Vpmu = 1 << 7,
    GnttabV1 = 1 << 8,
    GnttabV2 = 1 << 9,
}

/// <summary><b>Source</b>: sysctl.h, struct xen_sysctl_getdomaininfolist.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SysctlGetDomainInfoList
{
    public DomId FirstDomain;
    public uint MaxDomains;

    /// <summary>Virtual address of <see cref="DomctlGetDomainInfo"/> structures.</summary>
    public ulong Buffer;

    /// <summary>Out.</summary>
    public uint NumDomains;
}

/// <summary><b>Source</b>: sysctl.h, struct xen_sysctl_sched_id.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SysctlSchedId
{
    /// <summary>Out.</summary>
    public SchedulerId SchedId;
}

/// <summary>Schedulers. <b>Source</b>: domctl.h, XEN_SCHEDULER_*.</summary>
public enum SchedulerId : uint
{
    Credit = 5,
    Credit2 = 6,
    Arinc653 = 7,
    Rtds = 8,
    Null = 9,
}
