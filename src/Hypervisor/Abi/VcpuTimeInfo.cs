using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// How a vCPU computes system time from its TSC:
/// <c>system_time + (((tsc - tsc_timestamp) &lt;&lt; tsc_shift) * tsc_to_system_mul &gt;&gt; 32)</c>.
/// Written by Xen with <see cref="Version"/> odd meanwhile. <b>Source</b>: xen.h, struct vcpu_time_info.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuTimeInfo
{
    /// <summary>Incremented before and after each change: odd means that one is under way.</summary>
    public uint Version;

    public uint Pad0;

    /// <summary>TSC at the last change. <b>Units</b>: TSC ticks.</summary>
    public ulong TscTimestamp;

    /// <summary>System time at the last change. <b>Units</b>: nanoseconds since boot.</summary>
    public ulong SystemTime;

    /// <summary>Nanoseconds per shifted tick. <b>Units</b>: 2^-32 ns.</summary>
    public uint TscToSystemMul;

    /// <summary>Left shift of the tick count; a negative one shifts right.</summary>
    public sbyte TscShift;

    public PvclockFlags Flags;

    /// <summary>Unused (pad1).</summary>
    public ushort Pad1;
}

/// <summary>Flags in vcpu_time_info. <b>Source</b>: xen.h, XEN_PVCLOCK_*.</summary>
[Flags]
public enum PvclockFlags : byte
{
    None = 0,

    /// <summary>Time read on different vCPUs is monotonic (XEN_PVCLOCK_TSC_STABLE_BIT).</summary>
    TscStable = 1 << 0,

    /// <summary>The guest was stopped by its host (XEN_PVCLOCK_GUEST_STOPPED).</summary>
    GuestStopped = 1 << 1,
}
