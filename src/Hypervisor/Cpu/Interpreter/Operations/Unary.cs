using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>A one-operand integer operation in place.</summary>
internal interface IUnary
{
    static abstract ulong Apply<T>(ref LazyFlags flags, ulong a)
        where T : unmanaged;
}

internal readonly struct Inc : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a)
        where T : unmanaged
    {
        ulong result = a + 1;
        bool overflow = Operand.SignExtend(Operand.Truncate<T>(result)) == long.MinValue >> (64 - Operand.Bits<T>());
        flags.SetStep(result, Operand.Bits<T>(), overflow, (result & 15) == 0);
        return result;
    }
}

internal readonly struct Dec : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a)
        where T : unmanaged
    {
        ulong result = a - 1;
        bool overflow = Operand.SignExtend(Operand.Truncate<T>(a)) == long.MinValue >> (64 - Operand.Bits<T>());
        flags.SetStep(result, Operand.Bits<T>(), overflow, (a & 15) == 0);
        return result;
    }
}

internal readonly struct Neg : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a)
        where T : unmanaged => Sub.Apply<T>(ref flags, 0, a);
}

internal readonly struct Not : IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a)
        where T : unmanaged => ~a;
}

/// <summary>register = op register.</summary>
internal readonly struct UnaryRegister<TOp, T> : IOperation
    where TOp : struct, IUnary
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.Write<T>(ref r, op.Dst, TOp.Apply<T>(ref cpu.Flags, Operand.Read<T>(ref r, op.Dst)));
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = op memory.</summary>
internal readonly struct UnaryMemory<TOp, T> : IOperation
    where TOp : struct, IUnary
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if (!cpu.IsWritable<T>(address))
            return ref Careful(cpu, ref r, ref op);
        ref T memory = ref cpu.InPlace<T>(address);
        memory = Operand.Truncate<T>(TOp.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(memory)));
        return ref Handler.Next(ref op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref T memory = ref cpu.Modify<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        memory = Operand.Truncate<T>(TOp.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(memory)));
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = op memory, with LOCK.</summary>
internal readonly struct UnaryLocked<TOp, T> : IOperation
    where TOp : struct, IUnary
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref T memory = ref cpu.ModifyLocked<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        LazyFlags before = cpu.Flags;
        T old = memory;
        while (true)
        {
            LazyFlags flags = before;
            T seen = Interlocked.CompareExchange(ref memory, Operand.Truncate<T>(TOp.Apply<T>(ref flags, Operand.ZeroExtend(old))), old);
            if (Operand.ZeroExtend(seen) == Operand.ZeroExtend(old))
            {
                cpu.Flags = flags;
                break;
            }

            old = seen;
        }

        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}
