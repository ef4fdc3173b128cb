using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>register = source of the same size.</summary>
internal readonly struct MoveToRegister<T, TSource> : IOperation
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
        Operand.Write<T>(ref r, op.Dst, value);
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = register or immediate.</summary>
internal readonly struct MoveToMemory<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if (!cpu.IsWritable<T>(address))
            return ref Careful(cpu, ref r, ref op);
        cpu.InPlace<T>(address) = Operand.Truncate<T>(TSource.ReadAtHand<T>(cpu, ref r, ref op));
        return ref Handler.Next(ref op);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<T>(cpu, ref r, ref op, out ulong value);
        if (!cpu.Store(Operand.Address(ref r, ref op), Operand.Truncate<T>(value)))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>MOVZX: register = wider, zero-extended source.</summary>
internal readonly struct MoveZeroExtend<T, TFrom, TSource> : IOperation
    where T : unmanaged
    where TFrom : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.IsAtHand<TFrom>(cpu, ref r, ref op))
            return ref Careful(cpu, ref r, ref op);
        return ref Finish(cpu, ref r, ref op, TSource.ReadAtHand<TFrom>(cpu, ref r, ref op));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<TFrom>(cpu, ref r, ref op, out ulong value))
            return ref cpu.Fault(ref r, ref op);
        return ref Finish(cpu, ref r, ref op, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref MicroOp Finish(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong value)
    {
        Operand.Write<T>(ref r, op.Dst, value);
        return ref Handler.Next(ref op);
    }
}

/// <summary>MOVSX, MOVSXD: register = wider, sign-extended source.</summary>
internal readonly struct MoveSignExtend<T, TFrom, TSource> : IOperation
    where T : unmanaged
    where TFrom : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.IsAtHand<TFrom>(cpu, ref r, ref op))
            return ref Careful(cpu, ref r, ref op);
        return ref Finish(cpu, ref r, ref op, TSource.ReadAtHand<TFrom>(cpu, ref r, ref op));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<TFrom>(cpu, ref r, ref op, out ulong value))
            return ref cpu.Fault(ref r, ref op);
        return ref Finish(cpu, ref r, ref op, value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref MicroOp Finish(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong value)
    {
        Operand.Write<T>(ref r, op.Dst, (ulong)Operand.SignExtend(Operand.Truncate<TFrom>(value)));
        return ref Handler.Next(ref op);
    }
}

/// <summary>LEA.</summary>
internal readonly struct LoadAddress<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.Write<T>(ref r, op.Dst, Operand.Address(ref r, ref op));
        return ref Handler.Next(ref op);
    }
}

/// <summary>Computes an address that has a segment base besides base and index, into <see cref="RegisterFile.Temp"/>.</summary>
internal readonly struct ComputeAddress : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        r.Temp = Operand.Address(ref r, ref op) + Operand.At<ulong>(ref r, op.Src);
        return ref Handler.Next(ref op);
    }
}

/// <summary>Computes an address with 32-bit arithmetic (prefix 0x67), into <see cref="RegisterFile.Temp"/>.</summary>
internal readonly struct ComputeAddress32 : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        r.Temp = (uint)Operand.Address(ref r, ref op) + Operand.At<ulong>(ref r, op.Src);
        return ref Handler.Next(ref op);
    }
}

/// <summary>SETcc register.</summary>
internal readonly struct SetRegister<TIf> : IOperation
    where TIf : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.At<byte>(ref r, op.Dst) = TIf.Test(in cpu.Flags) ? (byte)1 : (byte)0;
        return ref Handler.Next(ref op);
    }
}

/// <summary>SETcc memory.</summary>
internal readonly struct SetMemory<TIf> : IOperation
    where TIf : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Store(Operand.Address(ref r, ref op), TIf.Test(in cpu.Flags) ? (byte)1 : (byte)0))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>CMOVcc: the source is read (and may fault) in any case, and a 32-bit destination is zero-extended in any case.</summary>
internal readonly struct ConditionalMove<TIf, T, TSource> : IOperation
    where TIf : struct, ICondition
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
        Operand.Write<T>(ref r, op.Dst, TIf.Test(in cpu.Flags) ? value : Operand.Read<T>(ref r, op.Dst));
        return ref Handler.Next(ref op);
    }
}
