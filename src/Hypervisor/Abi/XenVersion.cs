using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of xen_version. <b>Source</b>: version.h, XENVER_*.</summary>
public enum XenVersionOperation : uint
{
    /// <summary>Returns major &lt;&lt; 16 | minor.</summary>
    Version = 0,

    /// <summary>Writes a string of <see cref="XenVersionLimits.ExtraversionLength"/> bytes.</summary>
    Extraversion = 1,

    /// <summary>Writes a <see cref="CompileInfo"/>.</summary>
    CompileInfo = 2,

    /// <summary>Writes a string of <see cref="XenVersionLimits.CapabilitiesInfoLength"/> bytes.</summary>
    Capabilities = 3,

    /// <summary>Writes a string of <see cref="XenVersionLimits.ChangesetInfoLength"/> bytes.</summary>
    Changeset = 4,

    /// <summary>Writes a <see cref="PlatformParameters"/>.</summary>
    PlatformParameters = 5,

    /// <summary>Completes a <see cref="FeatureInfo"/>.</summary>
    GetFeatures = 6,

    /// <summary>Returns the page size.</summary>
    Pagesize = 7,

    /// <summary>Writes the domain's 16-byte UUID.</summary>
    GuestHandle = 8,

    /// <summary>Writes a string of <see cref="XenVersionLimits.CommandlineLength"/> bytes.</summary>
    Commandline = 9,

    BuildId = 10,
}

/// <summary>Sizes of the strings that xen_version writes. <b>Units</b>: bytes, with the NUL.</summary>
public static class XenVersionLimits
{
    public const int ExtraversionLength = 16;
    public const int CapabilitiesInfoLength = 1024;
    public const int ChangesetInfoLength = 64;
    public const int CommandlineLength = 1024;
}

/// <summary><b>Source</b>: version.h, struct xen_compile_info.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CompileInfo
{
    public ByteArray64 Compiler;
    public ByteArray16 CompileBy;
    public ByteArray32 CompileDomain;
    public ByteArray32 CompileDate;
}

/// <summary><b>Source</b>: version.h, struct xen_platform_parameters.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PlatformParameters
{
    /// <summary>First virtual address that is the hypervisor's.</summary>
    public ulong VirtStart;
}

/// <summary><b>Source</b>: version.h, struct xen_feature_info.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FeatureInfo
{
    /// <summary>In: which 32 features.</summary>
    public uint SubmapIdx;

    /// <summary>Out: bit n is <see cref="XenFeature"/> 32 * submap_idx + n.</summary>
    public uint Submap;
}
