using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>iret: returns from a handler to where it interrupted, user or kernel. <b>Source</b>: arch-x86/xen-x86_64.h, iret_context.</summary>
internal static class Iret
{
    /// <summary>Flags that a guest may set.</summary>
    private const RFlags GuestFlags = RFlags.ArithmeticMask | RFlags.Trap | RFlags.Direction | RFlags.NestedTask | RFlags.Resume
        | RFlags.AlignmentCheck | RFlags.Identification;

    /// <summary>Always set while a guest runs.</summary>
    private const RFlags FixedFlags = RFlags.Fixed | RFlags.Interrupt;

    /// <summary>The selector that nearly every return to a Linux program has; every Linux kernel's GDT has 64-bit code there.</summary>
    private const ushort LinuxUserCs = 0x33;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>No arguments: the frame is at rsp. A frame that cannot be read crashes the domain; a rip or a code segment that cannot be returned to calls the failsafe callback.</remarks>
    public static HypercallResult Handle(Vcpu vcpu, in HypercallArguments arguments)
    {
        VcpuState state = vcpu.State;
        ref RegisterFile registers = ref state.Registers;
        if (!GuestStructs.TryRead(vcpu, registers.Gpr[Gpr.Rsp], out IretContext frame))
        {
            vcpu.Domain.Crash($"iret: the frame at {registers.Gpr[Gpr.Rsp]:x16} cannot be read", vcpu);
            return HypercallResult.RegistersSet;
        }

        bool toUser = (frame.Cs & 3) == 3;
        bool inSyscall = ((VcpuGuestContextFlags)frame.Flags & VcpuGuestContextFlags.InSyscall) != 0;
        if (toUser)
            state.SwitchMode(GuestMode.User);

        registers.Gpr[Gpr.Rax] = frame.Rax;
        registers.Gpr[Gpr.Rcx] = inSyscall ? frame.Rip : frame.Rcx;
        registers.Gpr[Gpr.R11] = inSyscall ? frame.Rflags : frame.R11;
        registers.Gpr[Gpr.Rsp] = frame.Rsp;
        registers.Rip = frame.Rip;
        registers.Cs = inSyscall ? FlatSelectors.UserCs64 : (ushort)(frame.Cs | 3);
        registers.Ss = inSyscall ? FlatSelectors.UserSs64 : (ushort)(frame.Ss | 3);
        registers.Rflags = (ulong)(((RFlags)frame.Rflags & GuestFlags) | FixedFlags);
        vcpu.IsNmiMasked = false;
        vcpu.Info.UpcallMask = ((RFlags)frame.Rflags & RFlags.Interrupt) == 0;

        if (!CanonicalAddress.IsCanonical(frame.Rip) || !IsCode64(vcpu, registers.Cs))
            Bounce.EnterFailsafe(vcpu);
        return HypercallResult.RegistersSet;
    }

    /// <summary>Whether the selector can be returned to: a present 64-bit code segment of ring 3. There is no compatibility mode.</summary>
    private static bool IsCode64(Vcpu vcpu, ushort selector)
    {
        if (selector is FlatSelectors.UserCs64 or LinuxUserCs)
            return true;
        const ulong LongMode = 1ul << 53, Present = 1ul << 47, Ring3 = 3ul << 45, CodeSegment = (1ul << 44) | (1ul << 43);
        const ulong Wanted = LongMode | Present | Ring3 | CodeSegment;
        return vcpu.Descriptors.TryReadDescriptor(selector, out ulong descriptor) && (descriptor & Wanted) == Wanted;
    }
}
