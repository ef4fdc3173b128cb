using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>The control registers that a guest kernel sees.</summary>
internal static class ControlRegisters
{
    /// <summary>PG, AM, WP, NE, ET, MP, PE: how a 64-bit processor runs.</summary>
    private const ulong Cr0 = 0x8005_0033, TaskSwitched = 8;

    /// <summary>Reads a control register; CR8 and the rest are refused.</summary>
    public static bool TryRead(Vcpu vcpu, int register, ref ulong value)
    {
        VcpuState state = vcpu.State;
        switch (register)
        {
            case 0:
                value = Cr0 | (state.TaskSwitched ? TaskSwitched : 0);
                return true;
            case 2:
                value = vcpu.Traps.Cr2;
                return true;
            case 3:
                value = state.KernelRoot.Address;
                return true;
            case 4:
                value = vcpu.Traps.Cr4 | (state.XsaveEnabled ? (ulong)Cr4Flags.Xsave : 0);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Writes a control register. Of CR0 only TS changes; CR3 is written by mmuext_op.</summary>
    public static bool TryWrite(Vcpu vcpu, int register, ulong value)
    {
        switch (register)
        {
            case 0 when ((value ^ Cr0) & ~TaskSwitched) == 0:
                vcpu.State.TaskSwitched = (value & TaskSwitched) != 0;
                return true;
            case 2:
                vcpu.Traps.Cr2 = value;
                vcpu.Info.Cr2 = value;
                return true;
            case 4:
                WriteCr4(vcpu, value);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Writes CR4, or what a context says of it. Bits that a guest may not change stay as they are; OSXSAVE is one if CPUID does not show XSAVE.</summary>
    public static void WriteCr4(Vcpu vcpu, ulong value)
    {
        vcpu.Traps.Cr4 = value;
        vcpu.State.XsaveEnabled = (value & (ulong)Cr4Flags.Xsave) != 0 && vcpu.Domain.Features.Has(Leaf1Ecx.Xsave);
    }

    /// <summary>XSETBV: only XCR0 is there. False: #GP(0).</summary>
    public static bool TrySetExtended(Vcpu vcpu, uint register, ulong value)
    {
        XsaveComponents offered = XsaveComponents.X87 | XsaveComponents.Sse | (vcpu.Domain.Features.Has(Leaf1Ecx.Avx) ? XsaveComponents.Avx : 0);
        return register == 0 && vcpu.State.XsaveEnabled && vcpu.State.TrySetXcr0(value, offered);
    }
}
