using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>MFENCE, LFENCE, SFENCE.</summary>
internal readonly struct Fence : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Interlocked.MemoryBarrier();
        return ref Handler.Next(ref op);
    }
}

/// <summary>CLFLUSH: nothing to flush, but it faults like a read.</summary>
internal readonly struct Touch : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Load(Operand.Address(ref r, ref op), out byte _))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>XLATB: al = [rbx + al]. Src is the segment's base, Immediate the mask of the address size.</summary>
internal readonly struct TranslateByte : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong offset = (r.Gpr[3] + (byte)r.Gpr[0]) & op.Immediate;
        if (!cpu.Load(offset + Operand.At<ulong>(ref r, op.Src), out byte value))
            return ref cpu.Fault(ref r, ref op);
        Operand.At<byte>(ref r, RegisterOffsets.Rax) = value;
        return ref Handler.Next(ref op);
    }
}
