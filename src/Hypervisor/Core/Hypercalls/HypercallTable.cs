using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>
/// Where a hypercall goes: one table from number to handler. Read this first; each handler is a static class of the hypercall's name.
/// </summary>
/// <remarks>Threads: called on the vCPU's thread, outside of the guest, without locks.</remarks>
internal static class HypercallTable
{
    /// <summary>Numbers from here on are never hypercalls of this interface (__HYPERVISOR_arch_7 is 55).</summary>
    public const int Count = 56;

    /// <summary>Bytes of a SYSCALL instruction, which a restarted hypercall executes again.</summary>
    public const int InstructionLength = 2;

    private static readonly HypercallHandler?[] Handlers = Build();

    /// <summary>The handler of a number, or null for one that is not known.</summary>
    public static HypercallHandler? Find(ulong number) => number < Count ? Handlers[number] : null;

    /// <summary>Runs the hypercall that the vCPU's registers ask for and leaves its result there.</summary>
    public static void Dispatch(Vcpu vcpu)
    {
        ref RegisterFile registers = ref vcpu.State.Registers;
        ulong number = registers.Gpr[Gpr.Rax];
        HypercallArguments arguments = ArgumentsOf(registers);
        HypercallResult result = Call(vcpu, number, arguments);
        switch (result.Effect)
        {
            case HypercallEffect.WriteRax:
                registers.Gpr[Gpr.Rax] = (ulong)result.Rax;
                registers.Gpr[Gpr.Rcx] = registers.Rip;
                registers.Gpr[Gpr.R11] = registers.Rflags;
                break;
            case HypercallEffect.Restart:
                registers.Gpr[Gpr.Rax] = number;
                registers.Rip -= InstructionLength;
                break;
            default:
                break;
        }
    }

    /// <summary>Runs one hypercall: an instruction's or a multicall entry's.</summary>
    public static HypercallResult Call(Vcpu vcpu, ulong number, in HypercallArguments arguments)
    {
        vcpu.Counters.CountHypercall(number);
        vcpu.Trace.Record(TraceKind.Hypercall, number, arguments.A1, arguments.A2);
        HypercallHandler? handler = Find(number);
        if (handler is null)
            return Unknown(vcpu, number);
        HypercallResult result = handler(vcpu, arguments);
        if (result.Effect == HypercallEffect.WriteRax)
            vcpu.Trace.Record(TraceKind.HypercallReturn, number, (ulong)result.Rax);
        return result;
    }

    /// <summary>The arguments as the registers hold them.</summary>
    public static HypercallArguments ArgumentsOf(in RegisterFile registers) => new(
        registers.Gpr[Gpr.Rdi],
        registers.Gpr[Gpr.Rsi],
        registers.Gpr[Gpr.Rdx],
        registers.Gpr[Gpr.R10],
        registers.Gpr[Gpr.R8]);

    /// <summary>Puts arguments into the registers: what a handler that wants <see cref="HypercallResult.Restart"/> leaves behind.</summary>
    public static void SetArguments(ref RegisterFile registers, in HypercallArguments arguments)
    {
        registers.Gpr[Gpr.Rdi] = arguments.A1;
        registers.Gpr[Gpr.Rsi] = arguments.A2;
        registers.Gpr[Gpr.Rdx] = arguments.A3;
        registers.Gpr[Gpr.R10] = arguments.A4;
        registers.Gpr[Gpr.R8] = arguments.A5;
    }

    private static HypercallResult Unknown(Vcpu vcpu, ulong number)
    {
        vcpu.Counters.CountUnknownHypercall();
        vcpu.Domain.Machine.Log.WriteGuest(vcpu.Domain.Id, $"unknown hypercall {number} at {vcpu.State.Registers.Rip:x16}");
        return XenErrno.ENOSYS;
    }

    private static HypercallHandler?[] Build()
    {
        var table = new HypercallHandler?[Count];
        AddMemory(table);
        AddTraps(table);
        AddRest(table);
        AddRefused(table);
        return table;
    }

    private static void AddMemory(HypercallHandler?[] table)
    {
        table[(int)HypercallNumber.MmuUpdate] = MmuUpdate.Handle;
        table[(int)HypercallNumber.SetGdt] = SetGdt.Handle;
        table[(int)HypercallNumber.UpdateDescriptor] = UpdateDescriptor.Handle;
        table[(int)HypercallNumber.MemoryOp] = MemoryOp.Handle;
        table[(int)HypercallNumber.UpdateVaMapping] = UpdateVaMapping.Handle;
        table[(int)HypercallNumber.UpdateVaMappingOtherdomain] = UpdateVaMappingOtherdomain.Handle;
        table[(int)HypercallNumber.GrantTableOp] = GrantTableOp.Handle;
        table[(int)HypercallNumber.MmuextOp] = MmuextOp.Handle;
    }

    private static void AddTraps(HypercallHandler?[] table)
    {
        table[(int)HypercallNumber.SetTrapTable] = SetTrapTable.Handle;
        table[(int)HypercallNumber.StackSwitch] = StackSwitch.Handle;
        table[(int)HypercallNumber.SetCallbacks] = SetCallbacks.Handle;
        table[(int)HypercallNumber.CallbackOp] = CallbackOp.Handle;
        table[(int)HypercallNumber.FpuTaskswitch] = FpuTaskswitch.Handle;
        table[(int)HypercallNumber.SetDebugreg] = DebugRegisters.HandleSet;
        table[(int)HypercallNumber.GetDebugreg] = DebugRegisters.HandleGet;
        table[(int)HypercallNumber.SetSegmentBase] = SetSegmentBase.Handle;
        table[(int)HypercallNumber.Iret] = Iret.Handle;
        table[(int)HypercallNumber.NmiOp] = NmiOp.Handle;
    }

    private static void AddRest(HypercallHandler?[] table)
    {
        table[(int)HypercallNumber.Multicall] = Multicall.Handle;
        table[(int)HypercallNumber.SchedOp] = SchedOp.Handle;
        table[(int)HypercallNumber.SchedOpCompat] = SchedOp.HandleCompat;
        table[(int)HypercallNumber.VcpuOp] = VcpuOp.Handle;
        table[(int)HypercallNumber.SetTimerOp] = SetTimerOp.Handle;
        table[(int)HypercallNumber.XenVersion] = XenVersion.Handle;
        table[(int)HypercallNumber.ConsoleIo] = ConsoleIo.Handle;
        table[(int)HypercallNumber.VmAssist] = VmAssist.Handle;
        table[(int)HypercallNumber.PhysdevOp] = PhysdevOp.Handle;
        table[(int)HypercallNumber.PhysdevOpCompat] = PhysdevOp.HandleCompat;
        table[(int)HypercallNumber.EventChannelOp] = EventChannelOp.Handle;
        table[(int)HypercallNumber.EventChannelOpCompat] = EventChannelOp.HandleCompat;
    }

    private static void AddRefused(HypercallHandler?[] table)
    {
        table[(int)HypercallNumber.PlatformOp] = Refused.NotPrivileged;
        table[(int)HypercallNumber.Sysctl] = Refused.NotPrivileged;
        table[(int)HypercallNumber.Domctl] = Refused.NotPrivileged;
        table[(int)HypercallNumber.KexecOp] = Refused.NotPrivileged;
        table[(int)HypercallNumber.DmOp] = Refused.NotPrivileged;
        table[(int)HypercallNumber.HypfsOp] = Refused.NotPrivileged;
        table[(int)HypercallNumber.XenoprofOp] = Refused.NotPrivileged;
        table[(int)HypercallNumber.XsmOp] = Refused.NotImplemented;
        table[(int)HypercallNumber.HvmOp] = Refused.NotImplemented;
        table[(int)HypercallNumber.TmemOp] = Refused.NotImplemented;
        table[(int)HypercallNumber.ArgoOp] = Refused.NotSupported;
        table[(int)HypercallNumber.XenpmuOp] = Refused.NotSupported;
    }
}
