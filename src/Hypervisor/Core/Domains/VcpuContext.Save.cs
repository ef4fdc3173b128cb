using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

public static partial class VcpuContext
{
    /// <summary>CR0 as a PV guest reads it: PE, MP, ET, NE, WP, AM, PG.</summary>
    private const ulong FixedCr0 = 0x8005_0033, TaskSwitched = 8;

    /// <summary>Tells the state of a vCPU that does not run (XEN_DOMCTL_getvcpucontext); all zero if it was never initialised.</summary>
    public static VcpuGuestContext Save(Vcpu vcpu)
    {
        var context = default(VcpuGuestContext);
        if (!vcpu.IsInitialised)
            return context;
        VcpuState state = vcpu.State;
        bool inKernel = state.Mode == GuestMode.Kernel;
        context.Flags = VcpuGuestContextFlags.I387Valid | (inKernel ? VcpuGuestContextFlags.InKernel : 0) | (vcpu.IsUp ? VcpuGuestContextFlags.Online : 0);
        vcpu.Traps.Save(ref context);
        SaveRegisters(vcpu, ref context.UserRegs);
        FxsaveImage.Save(state.Registers, context.FpuCtxt);
        context.LdtBase = vcpu.Descriptors.LdtBase;
        context.LdtEnts = (ulong)vcpu.Descriptors.LdtEntries;
        context.GdtEnts = (ulong)vcpu.Descriptors.GdtEntries;
        for (int i = 0; i < vcpu.Descriptors.GdtFrames.Length; i++)
            context.GdtFrames[i] = vcpu.Descriptors.GdtFrames[i].Value;
        context.Ctrlreg[0] = FixedCr0 | (state.TaskSwitched ? TaskSwitched : 0);
        context.Ctrlreg[1] = state.UserRoot == Mfn.Invalid ? 0 : state.UserRoot.Address;
        context.Ctrlreg[3] = state.KernelRoot.Address;
        context.VmAssist = vcpu.Domain.Assists;
        context.FsBase = state.Registers.FsBase;
        context.GsBaseKernel = inKernel ? state.Registers.GsBase : state.InactiveGsBase;
        context.GsBaseUser = inKernel ? state.InactiveGsBase : state.Registers.GsBase;
        return context;
    }

    private static void SaveRegisters(Vcpu vcpu, ref CpuUserRegs to)
    {
        ref readonly RegisterFile from = ref vcpu.State.Registers;
        ReadOnlySpan<ulong> general = from.Gpr;
        (to.Rax, to.Rcx, to.Rdx, to.Rbx) = (general[0], general[1], general[2], general[3]);
        (to.Rsp, to.Rbp, to.Rsi, to.Rdi) = (general[4], general[5], general[6], general[7]);
        (to.R8, to.R9, to.R10, to.R11) = (general[8], general[9], general[10], general[11]);
        (to.R12, to.R13, to.R14, to.R15) = (general[12], general[13], general[14], general[15]);
        bool masked = vcpu.Info.UpcallMask;
        to.Rip = from.Rip;
        to.Rflags = masked ? from.Rflags & ~(ulong)RFlags.Interrupt : from.Rflags | (ulong)RFlags.Interrupt;
        to.SavedUpcallMask = masked ? (byte)1 : (byte)0;
        to.Cs = from.Cs;
        to.Ss = from.Ss;
        to.Ds = from.Ds;
        to.Es = from.Es;
        to.Fs = from.Fs;
        to.Gs = from.Gs;
    }
}
