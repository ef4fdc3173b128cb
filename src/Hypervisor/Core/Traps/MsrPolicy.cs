using Xen.Cpu;

namespace Xen.Core;

/// <summary>Model-specific registers as an unprivileged PV guest has them.</summary>
internal static class MsrPolicy
{
    private const uint TimeStampCounter = 0x10, ApicBase = 0x1B, UcodeRevision = 0x8B, MiscEnable = 0x1A0, Pat = 0x277;
    private const uint FirstMachineCheck = 0x400, LastMachineCheck = 0x47F, FirstMachineCheckControl = 0x280, LastMachineCheckControl = 0x29F;
    private const uint Efer = 0xC000_0080, FsBase = 0xC000_0100, GsBase = 0xC000_0101, KernelGsBase = 0xC000_0102;

    private const ulong ApicBaseValue = 0xFEE0_0800, ApicBaseBootProcessor = 0x100;

    /// <summary>The types that Xen programs: WB WT UC- UC WC WP UC UC, entry 0 first.</summary>
    private const ulong PatValue = 0x0501_0007_0406;

    /// <summary>SCE, LME, LMA, NXE.</summary>
    private const ulong EferValue = 0xD01;

    /// <summary>Fast strings are on.</summary>
    private const ulong MiscEnableValue = 1;

    /// <summary>Reads a register.</summary>
    /// <returns>False: the guest has no such register.</returns>
    public static bool TryRead(Vcpu vcpu, uint register, out ulong value)
    {
        VcpuState state = vcpu.State;
        value = 0;
        switch (register)
        {
            case TimeStampCounter:
                value = vcpu.Domain.ReadTsc();
                return true;
            case ApicBase:
                value = ApicBaseValue | (vcpu.Id.Value == 0 ? ApicBaseBootProcessor : 0);
                return true;
            case MiscEnable:
                value = MiscEnableValue;
                return true;
            case Pat:
                value = PatValue;
                return true;
            case Efer:
                value = EferValue;
                return true;
            case FsBase:
                value = state.Registers.FsBase;
                return true;
            case GsBase:
                value = state.Registers.GsBase;
                return true;
            case KernelGsBase:
                value = state.InactiveGsBase;
                return true;
            default:
                return ReadsAsZero(register);
        }
    }

    /// <summary>Writes a register. Beyond the segment bases only what changes nothing is accepted.</summary>
    public static bool TryWrite(Vcpu vcpu, uint register, ulong value)
    {
        VcpuState state = vcpu.State;
        switch (register)
        {
            case FsBase when CanonicalAddress.IsCanonical(value):
                state.Registers.FsBase = value;
                return true;
            case GsBase when CanonicalAddress.IsCanonical(value):
                state.Registers.GsBase = value;
                return true;
            case KernelGsBase when CanonicalAddress.IsCanonical(value):
                state.InactiveGsBase = value;
                return true;
            case >= FirstMachineCheck and <= LastMachineCheck:
                return true;
            case TimeStampCounter:
                return false;
            default:
                return TryRead(vcpu, register, out ulong current) && current == value;
        }
    }

    /// <summary>
    /// Registers that are there and hold nothing: machine check (0, 1, 0x179-0x17b, banks), microcode revision, platform information,
    /// feature enables, performance capabilities, the hypercall page register.
    /// </summary>
    private static bool ReadsAsZero(uint register) => register is
        0 or 1 or UcodeRevision or 0xCE or 0x140 or 0x179 or 0x17A or 0x17B or 0x345 or 0x4000_0000
        or (>= FirstMachineCheckControl and <= LastMachineCheckControl)
        or (>= FirstMachineCheck and <= LastMachineCheck);
}
