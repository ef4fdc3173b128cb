using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>set_debugreg and get_debugreg. <b>Source</b>: arch-x86/xen.h.</summary>
/// <remarks>The registers are kept for the guest; engines do not watch addresses, so that only single-stepping raises #DB.</remarks>
internal static class DebugRegisters
{
    private const ulong Dr6ReservedOne = 0xFFFF0FF0, Dr6Meaningful = 0x0000E00F;
    private const ulong Dr7ReservedOne = 0x400, Dr7Meaningful = 0xFFFF03FF, Dr7GeneralDetect = 0x2000;

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Arguments: register, value. <b>Errors</b>: EPERM address of the hypervisor or watchpoint that is not allowed, ENODEV no such register.</remarks>
    public static HypercallResult HandleSet(Vcpu vcpu, in HypercallArguments arguments) =>
        Set(vcpu.Traps, (int)arguments.A1, arguments.A2);

    /// <inheritdoc cref="HypercallHandler"/>
    /// <remarks>Argument: register. <b>Errors</b>: EINVAL, ENODEV; the interface cannot tell them from values.</remarks>
    public static HypercallResult HandleGet(Vcpu vcpu, in HypercallArguments arguments) =>
        TryGet(vcpu.Traps, (int)arguments.A1, out ulong value) ? (long)value : XenErrno.EINVAL;

    /// <summary>Writes a debug register as the guest may.</summary>
    public static XenErrno Set(VcpuTraps traps, int register, ulong value)
    {
        switch (register)
        {
            case >= 0 and <= 3:
                if (!CanonicalAddress.IsCanonical(value) || value - PageWalker.HypervisorStart < PageWalker.HypervisorEnd - PageWalker.HypervisorStart)
                    return XenErrno.EPERM;
                traps.Breakpoints[register] = value;
                return XenErrno.OK;
            case 6:
            case 4 when !traps.HasDebugExtensions:
                traps.Dr6 = (value & Dr6Meaningful) | Dr6ReservedOne;
                return XenErrno.OK;
            case 7:
            case 5 when !traps.HasDebugExtensions:
                return SetControl(traps, value);
            default:
                return XenErrno.ENODEV;
        }
    }

    /// <summary>Reads a debug register.</summary>
    public static bool TryGet(VcpuTraps traps, int register, out ulong value)
    {
        switch (register)
        {
            case >= 0 and <= 3:
                value = traps.Breakpoints[register];
                return true;
            case 6:
            case 4 when !traps.HasDebugExtensions:
                value = traps.Dr6;
                return true;
            case 7:
            case 5 when !traps.HasDebugExtensions:
                value = traps.Dr7;
                return true;
            default:
                value = 0;
                return false;
        }
    }

    private static XenErrno SetControl(VcpuTraps traps, ulong value)
    {
        if ((value & Dr7GeneralDetect) != 0)
            return XenErrno.EPERM;
        for (int shift = 16; shift < 32; shift += 4)
        {
            // Type 2 watches I/O ports, which exists only with CR4.DE.
            if (((value >> shift) & 3) == 2 && !traps.HasDebugExtensions)
                return XenErrno.EPERM;
        }

        traps.Dr7 = (value & Dr7Meaningful) | Dr7ReservedOne;
        return XenErrno.OK;
    }
}
