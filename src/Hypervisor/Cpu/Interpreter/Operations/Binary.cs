using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>A two-operand integer operation. Operands come zero-extended; of the result the low bits count.</summary>
internal interface IBinary
{
    /// <summary>Whether the result is stored (not for CMP and TEST).</summary>
    static virtual bool Stores => true;

    static abstract ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged;
}

internal readonly struct Add : IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged
    {
        ulong result = a + b;
        flags.SetAdd(a, b, result, Operand.Bits<T>());
        return result;
    }
}

internal readonly struct Adc : IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged
    {
        ulong result = a + b + (flags.CF ? 1ul : 0);
        flags.SetAdd(a, b, result, Operand.Bits<T>());
        return result;
    }
}

internal readonly struct Sub : IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged
    {
        ulong result = a - b;
        flags.SetSub(a, b, result, Operand.Bits<T>());
        return result;
    }
}

internal readonly struct Sbb : IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged
    {
        ulong result = a - b - (flags.CF ? 1ul : 0);
        flags.SetSub(a, b, result, Operand.Bits<T>());
        return result;
    }
}

internal readonly struct Cmp : IBinary
{
    public static bool Stores => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged => Sub.Apply<T>(ref flags, a, b);
}

internal readonly struct And : IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged
    {
        ulong result = a & b;
        flags.SetLogic(result, Operand.Bits<T>());
        return result;
    }
}

internal readonly struct Or : IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged
    {
        ulong result = a | b;
        flags.SetLogic(result, Operand.Bits<T>());
        return result;
    }
}

internal readonly struct Xor : IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged
    {
        ulong result = a ^ b;
        flags.SetLogic(result, Operand.Bits<T>());
        return result;
    }
}

internal readonly struct Test : IBinary
{
    public static bool Stores => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong b)
        where T : unmanaged => And.Apply<T>(ref flags, a, b);
}

/// <summary>register = register op source.</summary>
internal readonly struct BinaryToRegister<TOp, T, TSource> : IOperation
    where TOp : struct, IBinary
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.IsAtHand<T>(cpu, ref r, ref op))
            return ref Careful(cpu, ref r, ref op);
        return ref Finish(cpu, ref r, ref op, TSource.ReadAtHand<T>(cpu, ref r, ref op));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong value))
            return ref cpu.Fault(ref r, ref op);
        return ref Finish(cpu, ref r, ref op, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref MicroOp Finish(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong value)
    {
        ulong result = TOp.Apply<T>(ref cpu.Flags, Operand.Read<T>(ref r, op.Dst), value);
        if (TOp.Stores)
            Operand.Write<T>(ref r, op.Dst, result);
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = memory op source, or only a comparison with memory.</summary>
internal readonly struct BinaryToMemory<TOp, T, TSource> : IOperation
    where TOp : struct, IBinary
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if (!(TOp.Stores ? cpu.IsWritable<T>(address) : cpu.IsReadable<T>(address)))
            return ref Careful(cpu, ref r, ref op);
        ref T memory = ref cpu.InPlace<T>(address);
        ulong result = TOp.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(memory), TSource.ReadAtHand<T>(cpu, ref r, ref op));
        if (TOp.Stores)
            memory = Operand.Truncate<T>(result);
        return ref Handler.Next(ref op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<T>(cpu, ref r, ref op, out ulong b);
        ulong address = Operand.Address(ref r, ref op);
        if (!TOp.Stores)
        {
            if (!cpu.Load(address, out T a))
                return ref cpu.Fault(ref r, ref op);
            TOp.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(a), b);
            return ref Handler.Next(ref op);
        }

        ref T memory = ref cpu.Modify<T>(address);
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        memory = Operand.Truncate<T>(TOp.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(memory), b));
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = memory op source, with LOCK: atomic against other vCPUs.</summary>
internal readonly struct BinaryLocked<TOp, T, TSource> : IOperation
    where TOp : struct, IBinary
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<T>(cpu, ref r, ref op, out ulong b);
        ref T memory = ref cpu.ModifyLocked<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        LazyFlags before = cpu.Flags;
        T old = memory;
        while (true)
        {
            LazyFlags flags = before;
            T result = Operand.Truncate<T>(TOp.Apply<T>(ref flags, Operand.ZeroExtend(old), b));
            T seen = Interlocked.CompareExchange(ref memory, result, old);
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
