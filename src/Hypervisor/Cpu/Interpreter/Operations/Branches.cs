using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>The end of a block that is no branch.</summary>
internal readonly struct FallThrough : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op) => ref cpu.GoNext(ref r, op.Displacement);
}

/// <summary>JMP to a fixed address.</summary>
internal readonly struct Jump : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op) => ref cpu.GoTaken(ref r, op.Displacement);
}

/// <summary>Jcc: taken to Displacement, else to Immediate.</summary>
internal readonly struct JumpIf<TIf> : IOperation
    where TIf : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (TIf.Test(in cpu.Flags))
            return ref cpu.GoTaken(ref r, op.Displacement);
        return ref cpu.GoNext(ref r, op.Immediate);
    }
}

/// <summary>A binary operation on a register and the Jcc behind it, as one op. The branch's addresses are in the op after this one.</summary>
internal readonly struct BinaryAndJump<TOp, T, TSource, TIf> : IOperation
    where TOp : struct, IBinary
    where T : unmanaged
    where TSource : struct, ISource
    where TIf : struct, ICondition
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
        LazyFlags flags = default;
        ulong result = TOp.Apply<T>(ref flags, Operand.Read<T>(ref r, op.Dst), value);
        if (TOp.Stores)
            Operand.Write<T>(ref r, op.Dst, result);
        cpu.Flags = flags;
        ref MicroOp branch = ref Handler.Next(ref op);
        if (TIf.Test(in flags))
            return ref cpu.GoTaken(ref r, branch.Displacement);
        return ref cpu.GoNext(ref r, branch.Immediate);
    }
}

/// <summary>INC or DEC of a register and the Jcc behind it, as one op.</summary>
internal readonly struct UnaryAndJump<TOp, T, TIf> : IOperation
    where TOp : struct, IUnary
    where T : unmanaged
    where TIf : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        LazyFlags flags = cpu.Flags;
        Operand.Write<T>(ref r, op.Dst, TOp.Apply<T>(ref flags, Operand.Read<T>(ref r, op.Dst)));
        cpu.Flags = flags;
        ref MicroOp branch = ref Handler.Next(ref op);
        if (TIf.Test(in flags))
            return ref cpu.GoTaken(ref r, branch.Displacement);
        return ref cpu.GoNext(ref r, branch.Immediate);
    }
}

/// <summary>CMP or TEST of memory and the Jcc behind it, as one op.</summary>
internal readonly struct CompareMemoryAndJump<TOp, T, TSource, TIf> : IOperation
    where TOp : struct, IBinary
    where T : unmanaged
    where TSource : struct, ISource
    where TIf : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if (!cpu.IsReadable<T>(address))
            return ref Careful(cpu, ref r, ref op);
        return ref Finish(cpu, ref r, ref op, Operand.ZeroExtend(cpu.InPlace<T>(address)));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Load(Operand.Address(ref r, ref op), out T a))
            return ref cpu.Fault(ref r, ref op);
        return ref Finish(cpu, ref r, ref op, Operand.ZeroExtend(a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref MicroOp Finish(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong a)
    {
        TSource.Read<T>(cpu, ref r, ref op, out ulong b);
        LazyFlags flags = default;
        TOp.Apply<T>(ref flags, a, b);
        cpu.Flags = flags;
        ref MicroOp branch = ref Handler.Next(ref op);
        if (TIf.Test(in flags))
            return ref cpu.GoTaken(ref r, branch.Displacement);
        return ref cpu.GoNext(ref r, branch.Immediate);
    }
}

/// <summary>JMP to a computed address.</summary>
internal readonly struct JumpIndirect<TSource> : IOperation
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<ulong>(cpu, ref r, ref op, out ulong target))
            return ref cpu.Fault(ref r, ref op);
        return ref cpu.GoIndirect(ref r, target);
    }
}

/// <summary>CALL of a fixed address; the return address is Immediate.</summary>
internal readonly struct Call : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        ulong top = rsp - 8;
        if (!cpu.IsWritable<ulong>(top))
            return ref Careful(cpu, ref r, ref op);
        cpu.InPlace<ulong>(top) = op.Immediate;
        rsp = top;
        return ref cpu.GoTaken(ref r, op.Displacement);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!cpu.Store(rsp - 8, op.Immediate))
            return ref cpu.Fault(ref r, ref op);
        rsp -= 8;
        return ref cpu.GoTaken(ref r, op.Displacement);
    }
}

/// <summary>CALL of a computed address.</summary>
internal readonly struct CallIndirect<TSource> : IOperation
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!TSource.Read<ulong>(cpu, ref r, ref op, out ulong target) || !cpu.Store(rsp - 8, op.Immediate))
            return ref cpu.Fault(ref r, ref op);
        rsp -= 8;
        return ref cpu.GoIndirect(ref r, target);
    }
}

/// <summary>RET, with the bytes of arguments to drop in Immediate.</summary>
internal readonly struct Return : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!cpu.IsReadable<ulong>(rsp))
            return ref Careful(cpu, ref r, ref op);
        ulong target = cpu.InPlace<ulong>(rsp);
        rsp += 8 + op.Immediate;
        return ref cpu.GoIndirect(ref r, target);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ref MicroOp Careful(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!cpu.Load(rsp, out ulong target))
            return ref cpu.Fault(ref r, ref op);
        rsp += 8 + op.Immediate;
        return ref cpu.GoIndirect(ref r, target);
    }
}
