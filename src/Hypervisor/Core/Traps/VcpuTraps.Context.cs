using Xen.Abi;

namespace Xen.Core;

/// <summary>The part of a vCPU context that says how its kernel is entered.</summary>
public sealed partial class VcpuTraps
{
    /// <summary>
    /// Takes trap table, callbacks, kernel stack, CR4 and debug registers from a context: of a new domain, of VCPUOP_initialise, of a restored domain.
    /// Registers, descriptor tables and page-table roots are others' parts.
    /// </summary>
    /// <returns>EINVAL: an address that is not canonical, or a debug register that the guest may not have; then nothing is changed.</returns>
    public XenErrno Load(in VcpuGuestContext context)
    {
        bool canonical = CanonicalAddress.IsCanonical(context.EventCallbackEip)
            && CanonicalAddress.IsCanonical(context.FailsafeCallbackEip)
            && CanonicalAddress.IsCanonical(context.SyscallCallbackEip);
        foreach (TrapInfo gate in context.TrapCtxt)
            canonical &= CanonicalAddress.IsCanonical(gate.Address);
        if (!canonical || !TryLoadDebugRegisters(context.Debugreg))
            return XenErrno.EINVAL;

        for (int vector = 0; vector < TrapVectors.Count; vector++)
            SetGate(context.TrapCtxt[vector] with { Vector = (byte)vector });
        EventCallback = new GuestCallback(context.EventCallbackEip, false);
        FailsafeCallback = new GuestCallback(
            context.FailsafeCallbackEip, (context.Flags & VcpuGuestContextFlags.FailsafeDisablesEvents) != 0);
        SyscallCallback = new GuestCallback(
            context.SyscallCallbackEip, (context.Flags & VcpuGuestContextFlags.SyscallDisablesEvents) != 0);
        KernelSs = (ushort)(context.KernelSs | FlatSelectors.RplMask);
        KernelSp = context.KernelSp;
        Cr4 = context.Ctrlreg[4];
        return XenErrno.OK;
    }

    /// <summary>Writes what <see cref="Load"/> takes into a context.</summary>
    public void Save(ref VcpuGuestContext context)
    {
        for (int vector = 0; vector < TrapVectors.Count; vector++)
            context.TrapCtxt[vector] = _gates[vector] with { Vector = (byte)vector };
        context.EventCallbackEip = EventCallback.Address;
        context.FailsafeCallbackEip = FailsafeCallback.Address;
        context.SyscallCallbackEip = SyscallCallback.Address;
        if (FailsafeCallback.MaskEvents)
            context.Flags |= VcpuGuestContextFlags.FailsafeDisablesEvents;
        if (SyscallCallback.MaskEvents)
            context.Flags |= VcpuGuestContextFlags.SyscallDisablesEvents;
        context.KernelSs = KernelSs;
        context.KernelSp = KernelSp;
        context.Ctrlreg[2] = Cr2;
        context.Ctrlreg[4] = Cr4;
        for (int i = 0; i < Breakpoints.Length; i++)
            context.Debugreg[i] = Breakpoints[i];
        context.Debugreg[6] = Dr6;
        context.Debugreg[7] = Dr7;
    }

    private bool TryLoadDebugRegisters(in UInt64Array8 values)
    {
        // All or none: tried on a copy.
        var copy = new VcpuTraps();
        for (int register = 0; register < 8; register++)
        {
            if (register is not (4 or 5) && DebugRegisters.Set(copy, register, values[register]) != XenErrno.OK)
                return false;
        }

        copy.Breakpoints.CopyTo(Breakpoints, 0);
        Dr6 = copy.Dr6;
        Dr7 = copy.Dr7;
        return true;
    }
}
