using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// The start of a platform_op argument; the structure of the operation follows at <see cref="PlatformOpLayout.Argument"/>.
/// <b>Source</b>: platform.h, struct xen_platform_op.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct PlatformOpHeader
{
    public PlatformOperation Cmd;

    /// <summary>Must be <see cref="PlatformOpLayout.InterfaceVersion"/>.</summary>
    public uint InterfaceVersion;
}

/// <summary><b>Units</b>: bytes. <b>Source</b>: platform.h, struct xen_platform_op.</summary>
public static class PlatformOpLayout
{
    public const uint InterfaceVersion = 0x03000001;

    /// <summary>Offset of the union u.</summary>
    public const int Argument = 8;

    public const int Size = 136;
}

/// <summary>Operations of platform_op that a dom0 without hardware uses. <b>Source</b>: platform.h, XENPF_*.</summary>
public enum PlatformOperation : uint
{
    Settime32 = 17,
    FirmwareInfo = 50,
    GetCpuinfo = 55,
    Settime64 = 62,
}

/// <summary>Sets the wall clock. <b>Source</b>: platform.h, struct xenpf_settime64.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PlatformSettime64
{
    /// <summary><b>Units</b>: seconds since the Unix epoch, at <see cref="SystemTime"/>.</summary>
    public ulong Secs;

    public uint Nsecs;

    /// <summary>Must be 0.</summary>
    public uint Mbz;

    /// <summary><b>Units</b>: nanoseconds.</summary>
    public ulong SystemTime;
}

/// <summary><b>Source</b>: platform.h, struct xenpf_settime32.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PlatformSettime32
{
    public uint Secs;
    public uint Nsecs;
    public ulong SystemTime;
}

/// <summary><b>Source</b>: platform.h, struct xenpf_pcpuinfo.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PlatformPcpuInfo
{
    public uint XenCpuid;

    /// <summary>Out, as all that follow.</summary>
    public uint MaxPresent;
    public PcpuFlags Flags;
    public uint ApicId;
    public uint AcpiId;
}

/// <summary><b>Source</b>: platform.h, XEN_PCPU_FLAGS_*.</summary>
[Flags]
public enum PcpuFlags : uint
{
    None = 0,
    Online = 1,
    Invalid = 2,
}
