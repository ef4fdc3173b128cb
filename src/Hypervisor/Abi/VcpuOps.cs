using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of vcpu_op. <b>Source</b>: vcpu.h, VCPUOP_*.</summary>
public enum VcpuOperation : uint
{
    /// <summary>Sets the registers of a vCPU that is down; argument <see cref="VcpuGuestContext"/>.</summary>
    Initialise = 0,
    Up = 1,
    Down = 2,

    /// <summary>Returns 1 if the vCPU is up; -ENOENT if there is none.</summary>
    IsUp = 3,

    /// <summary>Argument <see cref="VcpuRunstateInfo"/>, written.</summary>
    GetRunstateInfo = 4,

    /// <summary>Argument <see cref="VcpuRegisterMemoryArea"/>.</summary>
    RegisterRunstateMemoryArea = 5,

    /// <summary>Argument <see cref="VcpuSetPeriodicTimer"/>.</summary>
    SetPeriodicTimer = 6,
    StopPeriodicTimer = 7,

    /// <summary>Argument <see cref="VcpuSetSingleshotTimer"/>.</summary>
    SetSingleshotTimer = 8,
    StopSingleshotTimer = 9,

    /// <summary>Argument <see cref="VcpuRegisterVcpuInfo"/>.</summary>
    RegisterVcpuInfo = 10,
    SendNmi = 11,

    /// <summary>Argument <see cref="VcpuGetPhysid"/>, written.</summary>
    GetPhysid = 12,

    /// <summary>Argument <see cref="VcpuRegisterMemoryArea"/>.</summary>
    RegisterVcpuTimeMemoryArea = 13,
}

/// <summary>What a vCPU is doing. <b>Source</b>: vcpu.h, RUNSTATE_*.</summary>
public enum Runstate
{
    /// <summary>On a physical CPU.</summary>
    Running = 0,

    /// <summary>Waiting for a physical CPU.</summary>
    Runnable = 1,

    /// <summary>Idle.</summary>
    Blocked = 2,

    /// <summary>Neither runnable nor blocked: paused, or its domain is shut down.</summary>
    Offline = 3,
}

/// <summary>How a vCPU spent its time. <b>Source</b>: vcpu.h, struct vcpu_runstate_info.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuRunstateInfo
{
    public Runstate State;

    /// <summary>When it entered that state, with <see cref="Update"/> while the copy in guest memory is being written. <b>Units</b>: nanoseconds.</summary>
    public ulong StateEntryTime;

    /// <summary>Time in each <see cref="Runstate"/>. <b>Units</b>: nanoseconds.</summary>
    public UInt64Array4 Time;

    /// <summary>Set in <see cref="StateEntryTime"/> during an update, if the guest enabled it (XEN_RUNSTATE_UPDATE).</summary>
    public const ulong Update = 1UL << 63;
}

/// <summary>
/// Where a copy of runstate or time information goes.
/// <b>Source</b>: vcpu.h, struct vcpu_register_runstate_memory_area, struct vcpu_register_time_memory_area.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuRegisterMemoryArea
{
    /// <summary>Guest virtual address; 0 unregisters.</summary>
    public ulong Addr;
}

/// <summary><b>Source</b>: vcpu.h, struct vcpu_set_periodic_timer.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuSetPeriodicTimer
{
    /// <summary><b>Units</b>: nanoseconds.</summary>
    public ulong PeriodNs;
}

/// <summary><b>Source</b>: vcpu.h, struct vcpu_set_singleshot_timer.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuSetSingleshotTimer
{
    /// <summary>When it fires. <b>Units</b>: nanoseconds of system time.</summary>
    public ulong TimeoutAbsNs;

    public SingleshotTimerFlags Flags;
}

/// <summary><b>Source</b>: vcpu.h, VCPU_SSHOTTMR_*.</summary>
[Flags]
public enum SingleshotTimerFlags : uint
{
    None = 0,

    /// <summary>A timeout that has passed is ETIME.</summary>
    Future = 1 << 0,
}

/// <summary><b>Source</b>: vcpu.h, struct vcpu_register_vcpu_info.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuRegisterVcpuInfo
{
    /// <summary>The frame that shall hold the vcpu_info.</summary>
    public Gfn Mfn;

    /// <summary>Offset in that frame; the structure must not cross its end.</summary>
    public uint Offset;

    public uint Rsvd;
}

/// <summary><b>Source</b>: vcpu.h, struct vcpu_get_physid.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuGetPhysid
{
    /// <summary>APIC id in the low, ACPI id in the high half.</summary>
    public ulong PhysId;
}
