using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>NOP and hints.</summary>
internal readonly struct NoOperation : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op) => ref Handler.Next(ref op);
}

/// <summary>An instruction that raises #UD: UD2, or one that this engine (and so CPUID) does not have.</summary>
internal readonly struct Undefined : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op) =>
        ref cpu.Fault(ref r, ref op, Vector.InvalidOpcode);
}

/// <summary>A privileged instruction: the guest runs in ring 3, so it raises #GP(0), and the hypervisor emulates what it must.</summary>
internal readonly struct Privileged : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op) =>
        ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
}

/// <summary>SYSCALL: a hypercall from kernel mode, a system call of the guest from user mode.</summary>
internal readonly struct SystemCall : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        cpu.EndBlock(ref r, ref op);
        return ref cpu.Leave(new CpuExit(cpu.State.Mode == GuestMode.Kernel ? CpuExitReason.Hypercall : CpuExitReason.SystemCall));
    }
}

/// <summary>INT n and INT3; the vector is Immediate.</summary>
internal readonly struct SoftwareInterrupt : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        cpu.EndBlock(ref r, ref op);
        return ref cpu.Leave(new CpuExit(CpuExitReason.SoftwareInterrupt, (byte)op.Immediate, op.Length));
    }
}

/// <summary>CPUID.</summary>
internal readonly struct CpuIdentify : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        cpu.State.Environment.Cpuid(cpu.State, (uint)r.Gpr[0], (uint)r.Gpr[1], out uint a, out uint b, out uint c, out uint d);
        r.Gpr[0] = a;
        r.Gpr[3] = b;
        r.Gpr[1] = c;
        r.Gpr[2] = d;
        return ref Handler.Next(ref op);
    }
}

/// <summary>RDTSC.</summary>
internal readonly struct ReadTimeStamp : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong ticks = cpu.State.Environment.ReadTsc();
        r.Gpr[0] = (uint)ticks;
        r.Gpr[2] = ticks >> 32;
        return ref Handler.Next(ref op);
    }
}
