namespace Xen.Cpu;

/// <summary>Why an engine came back. The list is closed: an engine has no other exits. A spurious <see cref="Request"/> is legal.</summary>
public enum CpuExitReason : byte
{
    /// <summary>The instruction budget is used up.</summary>
    BudgetSpent,

    /// <summary>Somebody asked for attention by <see cref="VcpuState.Kick"/>: an event is pending, the vCPU is to be descheduled, ...</summary>
    Request,

    /// <summary>SYSCALL in kernel mode: a hypercall, number in rax. rip is behind the instruction.</summary>
    Hypercall,

    /// <summary>SYSCALL in user mode. rip is behind the instruction; rcx and r11 are not yet changed.</summary>
    SystemCall,

    /// <summary>A fault or trap of the guest: <see cref="CpuExit.Vector"/>, error code, CR2. For faults rip is at the instruction, for traps behind it.</summary>
    Exception,

    /// <summary>INT n, INT3 or INTO: <see cref="CpuExit.Vector"/> is n, rip is behind the instruction, <see cref="CpuExit.InstructionLength"/> long.</summary>
    SoftwareInterrupt,

    /// <summary>
    /// The engine's own code failed on the host: <see cref="VcpuState.HostFault"/> says how. rip is where the guest was, as far as that is known;
    /// the vCPU cannot go on.
    /// </summary>
    HostFault,
}

/// <summary>How a run of an engine ended. All registers of the vCPU are in its state by then.</summary>
/// <param name="Reason">What happened.</param>
/// <param name="Vector">The exception's or interrupt's vector.</param>
/// <param name="InstructionLength">For <see cref="CpuExitReason.SoftwareInterrupt"/>: bytes of the instruction before rip.</param>
/// <param name="ErrorCode">The exception's error code, 0 where it has none.</param>
/// <param name="Cr2">The faulting linear address of a page fault.</param>
public readonly record struct CpuExit(CpuExitReason Reason, byte Vector = 0, byte InstructionLength = 0, uint ErrorCode = 0, ulong Cr2 = 0)
{
    public static CpuExit Exception(byte vector, uint errorCode = 0, ulong cr2 = 0) =>
        new(CpuExitReason.Exception, vector, 0, errorCode, cr2);
}
