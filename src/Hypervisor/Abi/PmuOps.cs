using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of xenpmu_op. <b>Source</b>: pmu.h, XENPMU_*.</summary>
public enum PmuOperation : uint
{
    ModeGet = 0,
    ModeSet = 1,
    FeatureGet = 2,
    FeatureSet = 3,
    Init = 4,
    Finish = 5,
    LvtpcSet = 6,
    Flush = 7,
}

/// <summary><b>Source</b>: pmu.h, struct xen_pmu_params.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PmuParams
{
    public uint VersionMaj;
    public uint VersionMin;
    public ulong Val;
    public uint Vcpu;
    public uint Pad;
}
