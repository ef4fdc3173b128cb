using Xen.Cpu;

namespace Xen.Core;

/// <summary>CPUID behind the prefix that makes the hypervisor emulate it: <c>ud2; "xen"; cpuid</c>. <b>Source</b>: arch-x86/xen.h, XEN_CPUID.</summary>
internal static class ForcedCpuid
{
    private static ReadOnlySpan<byte> Bytes => [0x0F, 0x0B, (byte)'x', (byte)'e', (byte)'n', 0x0F, 0xA2];

    /// <summary>Emulates it if it stands at rip; any other invalid opcode is the guest's.</summary>
    public static bool TryEmulate(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        Span<byte> code = stackalloc byte[Bytes.Length];
        if (!GuestAccess.Read(vcpu, registers.Rip, code) || !code.SequenceEqual(Bytes))
            return false;
        Emulate(vcpu);
        registers.Rip += (uint)Bytes.Length;
        return true;
    }

    private static void Emulate(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        vcpu.Counters.CountEmulated(EmulatedInstruction.Cpuid);
        (uint eax, uint ebx, uint ecx, uint edx) = vcpu.Domain.ForcedCpuid(vcpu.State, (uint)registers.Gpr[Gpr.Rax], (uint)registers.Gpr[Gpr.Rcx]);
        registers.Gpr[Gpr.Rax] = eax;
        registers.Gpr[Gpr.Rbx] = ebx;
        registers.Gpr[Gpr.Rcx] = ecx;
        registers.Gpr[Gpr.Rdx] = edx;
    }
}
