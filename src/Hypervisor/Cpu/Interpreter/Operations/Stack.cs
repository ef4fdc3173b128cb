using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>PUSH. The source is read before rsp moves, so PUSH rsp stores the old value.</summary>
internal readonly struct Push<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        ulong top = rsp - (ulong)(Operand.Bits<T>() / 8);
        if (!TSource.IsAtHand<T>(cpu, ref r, ref op) || !cpu.IsWritable<T>(top))
            return ref Careful(cpu, ref r, ref op);
        cpu.InPlace<T>(top) = Operand.Truncate<T>(TSource.ReadAtHand<T>(cpu, ref r, ref op));
        rsp = top;
        return ref Handler.Next(ref op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        ulong top = rsp - (ulong)(Operand.Bits<T>() / 8);
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong value) || !cpu.Store(top, Operand.Truncate<T>(value)))
            return ref cpu.Fault(ref r, ref op);
        rsp = top;
        return ref Handler.Next(ref op);
    }
}

/// <summary>POP register. rsp moves before the register is written, so POP rsp loads what was on the stack.</summary>
internal readonly struct PopRegister<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!cpu.IsReadable<T>(rsp))
            return ref Careful(cpu, ref r, ref op);
        T value = cpu.InPlace<T>(rsp);
        rsp += (ulong)(Operand.Bits<T>() / 8);
        Operand.Write<T>(ref r, op.Dst, Operand.ZeroExtend(value));
        return ref Handler.Next(ref op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!cpu.Load(rsp, out T value))
            return ref cpu.Fault(ref r, ref op);
        rsp += (ulong)(Operand.Bits<T>() / 8);
        Operand.Write<T>(ref r, op.Dst, Operand.ZeroExtend(value));
        return ref Handler.Next(ref op);
    }
}

/// <summary>POP memory. An address that uses rsp is computed after rsp has moved.</summary>
internal readonly struct PopMemory<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        ulong before = rsp;
        if (!cpu.Load(before, out T value))
            return ref cpu.Fault(ref r, ref op);
        rsp += (ulong)(Operand.Bits<T>() / 8);
        if (!cpu.Store(Operand.Address(ref r, ref op), value))
        {
            rsp = before;
            return ref cpu.Fault(ref r, ref op);
        }

        return ref Handler.Next(ref op);
    }
}
