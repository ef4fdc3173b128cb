using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>
/// What happens when an engine comes back: hypercalls are answered, privileged instructions emulated, everything else goes to the guest kernel's
/// handlers. Read this first.
/// </summary>
/// <remarks>Threads: the vCPU's, outside of the guest, without locks. A guest that broke the rules is crashed; the caller sees that in the domain's state.</remarks>
internal static class ExitDispatcher
{
    private const ulong Dr6SingleStep = 0x4000;
    private const int SyscallLength = 2;

    /// <summary>To be called before each run of the engine: delivers a non-maskable interrupt and an event upcall if they are due.</summary>
    public static void BeforeEntry(Vcpu vcpu)
    {
        if (vcpu.IsNmiPending)
            DeliverNmi(vcpu);
        GuestCallback callback = vcpu.Traps.EventCallback;
        if (!callback.IsRegistered || !vcpu.HasPendingUpcall)
            return;
        vcpu.Counters.Upcalls++;
        vcpu.Trace.Record(TraceKind.Upcall, vcpu.Info.PendingSelector, vcpu.State.Registers.Rip);
        Bounce.Enter(vcpu, callback.Address, maskEvents: true);
    }

    /// <summary>Enters the guest's handler of non-maskable interrupts; a guest that has none loses it.</summary>
    private static void DeliverNmi(Vcpu vcpu)
    {
        if (!vcpu.TryTakeNmi())
            return;
        TrapInfo gate = vcpu.Traps.Gates[(int)TrapVector.Nmi];
        if (gate.Address == 0)
        {
            vcpu.Domain.Machine.Log.WriteGuest(vcpu.Domain.Id, $"{vcpu}: an NMI is lost, because the kernel has no handler for it");
            return;
        }

        vcpu.IsNmiMasked = true;
        vcpu.Trace.Record(TraceKind.Exception, (ulong)TrapVector.Nmi, 0, vcpu.State.Registers.Rip);
        Bounce.Enter(vcpu, gate.Address, gate.MasksEvents);
    }

    /// <summary>To be called after each run of the engine.</summary>
    public static void Handle(Vcpu vcpu, in CpuExit exit)
    {
        switch (exit.Reason)
        {
            case CpuExitReason.Hypercall:
                HypercallTable.Dispatch(vcpu);
                break;
            case CpuExitReason.SystemCall:
                HandleSystemCall(vcpu);
                break;
            case CpuExitReason.Exception:
                HandleException(vcpu, exit);
                break;
            case CpuExitReason.SoftwareInterrupt:
                HandleSoftwareInterrupt(vcpu, (TrapVector)exit.Vector, exit.InstructionLength);
                break;
            case CpuExitReason.HostFault:
                vcpu.Domain.Crash(vcpu.State.HostFault?.Reason ?? "the CPU engine failed on the host", vcpu);
                break;
            default:
                break;
        }
    }

    /// <summary>Gives an exception to the guest kernel. A guest without a handler for it crashes.</summary>
    public static void Inject(Vcpu vcpu, TrapVector vector, uint errorCode = 0)
    {
        TraceKind kind = vector == TrapVector.PageFault ? TraceKind.PageFault : TraceKind.Exception;
        vcpu.Trace.Record(kind, (ulong)vector, errorCode, vcpu.State.Registers.Rip);
        TrapInfo gate = vcpu.Traps.Gates[(int)vector];
        if (gate.Address == 0)
        {
            vcpu.Domain.Crash($"unhandled exception: vector {(byte)vector}, error code {errorCode:x}, at {vcpu.State.Registers.Rip:x16}", vcpu);
            return;
        }

        bool hasErrorCode = TrapVectors.HasErrorCode(vector);
        Bounce.Enter(vcpu, gate.Address, gate.MasksEvents, hasErrorCode ? errorCode : null);
    }

    private static void HandleSystemCall(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        bool compatible = IsCompatibilityMode(registers.Cs);
        GuestCallback callback = compatible ? vcpu.Traps.Syscall32Callback : vcpu.Traps.SyscallCallback;
        if (!callback.IsRegistered)
        {
            registers.Rip -= SyscallLength;
            Inject(vcpu, TrapVector.InvalidOpcode);
            return;
        }

        registers.Gpr[Gpr.Rcx] = registers.Rip;
        registers.Gpr[Gpr.R11] = registers.Rflags;

        // SYSCALL does not save selectors, so the kernel sees the flat ones.
        registers.Cs = compatible ? FlatSelectors.UserCs32 : FlatSelectors.UserCs64;
        registers.Ss = FlatSelectors.UserSs64;
        Bounce.Enter(vcpu, callback.Address, callback.MaskEvents);
    }

    /// <summary>Whether a selector is one of the 32-bit user segments: Linux's or Xen's flat one.</summary>
    private static bool IsCompatibilityMode(ushort cs) => cs is 0x23 or FlatSelectors.UserCs32;

    private static void HandleException(Vcpu vcpu, in CpuExit exit)
    {
        switch ((TrapVector)exit.Vector)
        {
            case TrapVector.PageFault:
                HandlePageFault(vcpu, exit);
                return;
            case TrapVector.GeneralProtection when exit.ErrorCode == 0 && PrivilegedInstructions.TryEmulate(vcpu):
            case TrapVector.InvalidOpcode when ForcedCpuid.TryEmulate(vcpu):
                return;
            case TrapVector.DeviceNotAvailable:
                // The guest is told once; its handler need not clear the flag.
                vcpu.State.TaskSwitched = false;
                break;
            case TrapVector.Debug:
                vcpu.Traps.Dr6 |= Dr6SingleStep;
                break;
            default:
                break;
        }

        Inject(vcpu, (TrapVector)exit.Vector, exit.ErrorCode);
    }

    private static void HandlePageFault(Vcpu vcpu, in CpuExit exit)
    {
        vcpu.Traps.Cr2 = exit.Cr2;
        vcpu.Info.Cr2 = exit.Cr2;
        vcpu.Trace.Record(TraceKind.Cr2, exit.Cr2, vcpu.State.Registers.Rip);

        // The kernel runs unprivileged, which it must not see.
        uint errorCode = vcpu.State.Mode == GuestMode.Kernel ? exit.ErrorCode & ~(uint)PageFaultErrorCode.User : exit.ErrorCode | (uint)PageFaultErrorCode.User;
        Inject(vcpu, TrapVector.PageFault, errorCode);
    }

    private static void HandleSoftwareInterrupt(Vcpu vcpu, TrapVector vector, byte length)
    {
        // The processor lets everyone use these two.
        bool free = vector is TrapVector.Breakpoint or TrapVector.Overflow;
        TrapInfo gate = vcpu.Traps.Gates[(int)vector];
        if (!free && (gate.Address == 0 || gate.Dpl < LeastPrivilegeLevel(vcpu)))
        {
            vcpu.State.Registers.Rip -= length;
            Inject(vcpu, TrapVector.GeneralProtection, ((uint)vector << 3) | 2);
            return;
        }

        if (gate.Address == 0)
        {
            vcpu.Domain.Crash($"unhandled software interrupt {(byte)vector} at {vcpu.State.Registers.Rip:x16}", vcpu);
            return;
        }

        Bounce.Enter(vcpu, gate.Address, gate.MasksEvents);
    }

    private static int LeastPrivilegeLevel(Vcpu vcpu) =>
        vcpu.State.Mode == GuestMode.User ? 3 : vcpu.Domain.HasAssist(VmAssistType.ArchitecturalIopl) ? 0 : 1;
}
