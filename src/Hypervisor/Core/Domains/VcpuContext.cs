using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>Gives a vCPU its first state (VCPUOP_initialise, XEN_DOMCTL_setvcpucontext), and tells what it has.</summary>
public static partial class VcpuContext
{
    private const RFlags GuestFlags = RFlags.ArithmeticMask | RFlags.Trap | RFlags.Direction | RFlags.NestedTask | RFlags.Resume
        | RFlags.AlignmentCheck | RFlags.Identification;

    /// <summary>Checks the context and applies it. The vCPU is down and has not been initialised before.</summary>
    /// <param name="vcpu">Whose.</param>
    /// <param name="context">A copy of what the caller wants.</param>
    /// <param name="current">The vCPU that the calling thread runs, if it does.</param>
    /// <returns>EINVAL: an address that is not canonical, a GDT or page table that is not lawful. EEXIST: initialised already.</returns>
    public static XenErrno Apply(Vcpu vcpu, in VcpuGuestContext context, Vcpu? current)
    {
        if (vcpu.IsInitialised)
            return XenErrno.EEXIST;
        if (!AreCanonical(context) || context.GdtEnts > GdtLayout.FirstReservedEntry || context.LdtEnts > uint.MaxValue)
            return XenErrno.EINVAL;

        XenErrno error = vcpu.Traps.Load(context);
        if (error == XenErrno.OK)
            error = SetTables(vcpu, context, current);
        if (error != XenErrno.OK)
            return error;
        SetRegisters(ref vcpu.State.Registers, context);
        ControlRegisters.WriteCr4(vcpu, context.Ctrlreg[4]);
        vcpu.State.SwitchMode(GuestMode.Kernel);
        vcpu.State.Registers.FsBase = context.FsBase;
        vcpu.State.Registers.GsBase = context.GsBaseKernel;
        vcpu.State.InactiveGsBase = context.GsBaseUser;
        vcpu.State.TaskSwitched = (context.Ctrlreg[0] & 8) != 0;
        if ((context.Flags & VcpuGuestContextFlags.I387Valid) != 0)
            FxsaveImage.Load(ref vcpu.State.Registers, context.FpuCtxt);
        if ((context.Flags & VcpuGuestContextFlags.InKernel) == 0)
            vcpu.State.SwitchMode(GuestMode.User);
        vcpu.IsInitialised = true;
        return XenErrno.OK;
    }

    private static XenErrno SetTables(Vcpu vcpu, in VcpuGuestContext context, Vcpu? current)
    {
        XenErrno error = vcpu.Descriptors.SetLdt(context.LdtBase, (uint)context.LdtEnts);
        if (error != XenErrno.OK)
            return error;
        error = vcpu.Descriptors.SetGdt(context.GdtFrames, (int)context.GdtEnts, current);
        if (error != XenErrno.OK)
            return error;
        error = vcpu.Domain.SetKernelRoot(vcpu, Mfn.FromAddress(context.Ctrlreg[3]), current);
        if (error == XenErrno.OK && context.Ctrlreg[1] != 0)
            error = vcpu.Domain.SetUserRoot(vcpu, Mfn.FromAddress(context.Ctrlreg[1]), current);
        if (error != XenErrno.OK)
            _ = vcpu.Descriptors.SetGdt([], 0, current);
        return error;
    }

    private static bool AreCanonical(in VcpuGuestContext context) =>
        CanonicalAddress.IsCanonical(context.UserRegs.Rip)
        && CanonicalAddress.IsCanonical(context.FsBase)
        && CanonicalAddress.IsCanonical(context.GsBaseKernel)
        && CanonicalAddress.IsCanonical(context.GsBaseUser);

    private static void SetRegisters(ref RegisterFile registers, in VcpuGuestContext context)
    {
        ref readonly CpuUserRegs from = ref context.UserRegs;
        ReadOnlySpan<ulong> general =
        [
            from.Rax, from.Rcx, from.Rdx, from.Rbx, from.Rsp, from.Rbp, from.Rsi, from.Rdi,
            from.R8, from.R9, from.R10, from.R11, from.R12, from.R13, from.R14, from.R15,
        ];
        general.CopyTo(registers.Gpr);
        registers.Rip = from.Rip;
        registers.Rflags = (ulong)(((RFlags)from.Rflags & GuestFlags) | RFlags.Fixed | RFlags.Interrupt);
        registers.Cs = (ushort)(from.Cs | 3);
        registers.Ss = (ushort)(from.Ss | 3);
        registers.Ds = from.Ds;
        registers.Es = from.Es;
        registers.Fs = from.Fs;
        registers.Gs = from.Gs;
    }
}
