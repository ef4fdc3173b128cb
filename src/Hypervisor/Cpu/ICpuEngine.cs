namespace Xen.Cpu;

/// <summary>
/// The seam between the hypervisor and whatever executes guest instructions. One engine object serves one vCPU; it keeps
/// caches, but no architectural state: between two runs everything is in <see cref="VcpuState"/>, so engines can be exchanged there.
/// </summary>
/// <remarks>
/// Preconditions of <see cref="Run"/>: the caller's thread owns the vCPU; no hypervisor lock is held.
/// An engine never throws for what a guest does. It calls <see cref="VcpuState.EnterGuest"/> before it touches guest memory
/// and <see cref="VcpuState.LeaveGuest"/> before it returns, and looks at <see cref="VcpuState.HasRequests"/> at least once per basic block.
/// </remarks>
public interface ICpuEngine
{
    /// <summary>Runs the vCPU until something needs the hypervisor, or about <paramref name="budget"/> instructions have been executed, or the time for so many is over.</summary>
    CpuExit Run(long budget);

    /// <summary>Guest instructions executed so far; null: the engine does not count them. <b>Units</b>: instructions.</summary>
    ulong? InstructionsRetired { get; }
}
