using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>Sub-operations of sched_op. <b>Source</b>: sched.h, SCHEDOP_*.</summary>
public enum SchedOperation : uint
{
    /// <summary>Gives up the CPU; the vCPU stays runnable.</summary>
    Yield = 0,

    /// <summary>Unmasks upcalls and waits for one.</summary>
    Block = 1,

    /// <summary>Halts the domain with a <see cref="ShutdownReason"/>; argument <see cref="SchedShutdown"/>.</summary>
    Shutdown = 2,

    /// <summary>Waits for one of some ports or a time; argument <see cref="SchedPoll"/>.</summary>
    Poll = 3,

    /// <summary>Shuts another domain down; argument <see cref="SchedRemoteShutdown"/>.</summary>
    RemoteShutdown = 4,

    /// <summary>Latches a shutdown reason for a later shutdown; argument <see cref="SchedShutdown"/>.</summary>
    ShutdownCode = 5,

    /// <summary>Sets, pokes or destroys a watchdog; argument <see cref="SchedWatchdog"/>.</summary>
    Watchdog = 6,

    /// <summary>Pins the vCPU for a time; argument <see cref="SchedPinOverride"/>.</summary>
    PinOverride = 7,
}

/// <summary>Why a domain went down. <b>Source</b>: sched.h, SHUTDOWN_*.</summary>
public enum ShutdownReason : uint
{
    Poweroff = 0,
    Reboot = 1,
    Suspend = 2,
    Crash = 3,
    Watchdog = 4,
    SoftReset = 5,
}

/// <summary><b>Source</b>: sched.h, struct sched_shutdown.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SchedShutdown
{
    public ShutdownReason Reason;
}

/// <summary><b>Source</b>: sched.h, struct sched_poll.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SchedPoll
{
    /// <summary>Guest virtual address of an array of ports.</summary>
    public ulong Ports;

    public uint NrPorts;

    /// <summary>When to stop waiting; 0 for never. <b>Units</b>: nanoseconds of system time.</summary>
    public ulong Timeout;
}

/// <summary><b>Source</b>: sched.h, struct sched_remote_shutdown.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SchedRemoteShutdown
{
    public DomId DomainId;
    public ShutdownReason Reason;
}

/// <summary><b>Source</b>: sched.h, struct sched_watchdog.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SchedWatchdog
{
    /// <summary>The watchdog; 0 makes a new one.</summary>
    public uint Id;

    /// <summary><b>Units</b>: seconds. 0 destroys it.</summary>
    public uint Timeout;
}

/// <summary><b>Source</b>: sched.h, struct sched_pin_override.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SchedPinOverride
{
    /// <summary>The CPU to pin to; negative ends the override.</summary>
    public int Pcpu;
}
