using Xen.Cpu;

namespace Xen.Core;

/// <summary>What a machine is built from.</summary>
/// <param name="FrameCount">Machine memory. <b>Units</b>: frames of 4 KiB.</param>
/// <param name="PhysicalCpuCount">Processors: host threads that run vCPUs.</param>
/// <param name="CreateEngine">Makes the engine of a new vCPU of a domain that brings none (<see cref="DomainSettings.CreateEngine"/>).</param>
public sealed record MachineConfig(ulong FrameCount, int PhysicalCpuCount, Func<VcpuState, ICpuEngine> CreateEngine)
{
    /// <summary>Where the machine's time comes from.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where lines of the machine's log go, besides <see cref="Machine.Log"/>.</summary>
    public Action<string>? LogSink { get; init; }
}
