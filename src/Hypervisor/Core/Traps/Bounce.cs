using System.Buffers.Binary;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>
/// Enters the guest kernel at one of its handlers: pushes the frame that a PV kernel expects and points the registers at the handler.
/// </summary>
/// <remarks>
/// The frame, from rsp upwards (8 bytes each):
/// <code>
/// rcx  r11  [ds es fs gs | error code]  rip  cs + saved upcall mask at bit 32  rflags  rsp  ss
/// </code>
/// From user mode it goes onto the kernel stack (stack_switch), from kernel mode onto the current one, aligned to 16 in both cases.
/// The kernel sees its own cs with privilege level 0, and IF as "events are not masked". <b>Source</b>: arch-x86/xen-x86_64.h.
/// </remarks>
internal static class Bounce
{
    private const int MostWords = 11;

    /// <summary>Cleared on entry, as by the processor's interrupt gates, and AC for kernels that run outside of ring 0.</summary>
    private const RFlags ClearedFlags = RFlags.Trap | RFlags.NestedTask | RFlags.Resume | RFlags.Virtual8086 | RFlags.AlignmentCheck;

    /// <summary>Enters at the handler; the domain crashes when the frame cannot be pushed.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="handler">Where to enter.</param>
    /// <param name="maskEvents">Whether event delivery is masked from now on.</param>
    /// <param name="errorCode">The exception's error code, if it has one.</param>
    public static void Enter(Vcpu vcpu, ulong handler, bool maskEvents, uint? errorCode = null)
    {
        Span<ulong> extra = stackalloc ulong[1];
        extra[0] = errorCode.GetValueOrDefault();
        Enter(vcpu, handler, maskEvents, errorCode.HasValue ? extra : []);
    }

    /// <summary>Enters the failsafe callback, whose frame has the data segments.</summary>
    public static void EnterFailsafe(Vcpu vcpu)
    {
        GuestCallback failsafe = vcpu.Traps.FailsafeCallback;
        if (!failsafe.IsRegistered)
        {
            vcpu.Domain.Crash("the guest cannot be returned to and has no failsafe callback", vcpu);
            return;
        }

        ref RegisterFile registers = ref vcpu.State.Registers;
        Span<ulong> segments = [registers.Ds, registers.Es, registers.Fs, registers.Gs];
        Enter(vcpu, failsafe.Address, failsafe.MaskEvents, segments);
    }

    private static void Enter(Vcpu vcpu, ulong handler, bool maskEvents, ReadOnlySpan<ulong> extra)
    {
        VcpuState state = vcpu.State;
        ref RegisterFile registers = ref state.Registers;
        bool fromKernel = state.Mode == GuestMode.Kernel;
        bool masked = vcpu.Info.UpcallMask;

        Span<ulong> frame = stackalloc ulong[MostWords];
        int count = 0;
        frame[count++] = registers.Gpr[Gpr.Rcx];
        frame[count++] = registers.Gpr[Gpr.R11];
        foreach (ulong word in extra)
            frame[count++] = word;
        frame[count++] = registers.Rip;
        frame[count++] = (fromKernel ? (uint)(registers.Cs & ~FlatSelectors.RplMask) : registers.Cs) | (masked ? 1ul << 32 : 0);
        frame[count++] = SavedFlags(vcpu, registers.Rflags, masked);
        frame[count++] = registers.Gpr[Gpr.Rsp];
        frame[count++] = registers.Ss;

        ulong top = fromKernel ? registers.Gpr[Gpr.Rsp] : vcpu.Traps.KernelSp;
        ulong stack = (top & ~15ul) - ((ulong)count * 8);
        state.SwitchMode(GuestMode.Kernel);
        if (!Push(vcpu, stack, frame[..count]))
        {
            vcpu.Domain.Crash($"triple fault: the kernel stack at {stack:x16} cannot be written", vcpu);
            return;
        }

        registers.Gpr[Gpr.Rsp] = stack;
        registers.Rip = handler;
        registers.Cs = FlatSelectors.KernelCs;
        registers.Ss = FlatSelectors.KernelSs;
        registers.Rflags &= ~(ulong)ClearedFlags;
        if (maskEvents)
            vcpu.Info.UpcallMask = true;
    }

    private static ulong SavedFlags(Vcpu vcpu, ulong flags, bool masked)
    {
        flags &= ~(ulong)(RFlags.Interrupt | RFlags.IoplMask);
        if (!masked)
            flags |= (ulong)RFlags.Interrupt;
        if (vcpu.Domain.HasAssist(VmAssistType.ArchitecturalIopl))
            flags |= (ulong)vcpu.Traps.Iopl << 12;
        return flags;
    }

    private static bool Push(Vcpu vcpu, ulong stack, ReadOnlySpan<ulong> frame)
    {
        Span<byte> bytes = stackalloc byte[MostWords * 8];
        for (int i = 0; i < frame.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[(i * 8)..], frame[i]);
        return CanonicalAddress.IsCanonical(stack) && GuestAccess.Write(vcpu, stack, bytes[..(frame.Length * 8)]);
    }
}
