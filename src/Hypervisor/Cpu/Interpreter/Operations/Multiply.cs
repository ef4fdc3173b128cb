using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>MUL and IMUL with one operand: rdx:rax = rax * source, ax = al * source in 8 bits. SF, ZF, AF and PF, which are undefined, stay.</summary>
internal interface IMultiply
{
    /// <summary>Whether operands are signed.</summary>
    static abstract bool Signed { get; }
}

internal readonly struct Mul : IMultiply
{
    public static bool Signed => false;
}

internal readonly struct Imul : IMultiply
{
    public static bool Signed => true;
}

internal static class Product
{
    /// <summary>The low and high operand-sized halves, each zero-extended, and whether the high one is more than an extension of the low one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Of<T>(ulong a, ulong b, bool signed, out ulong low, out ulong high)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        if (bits == 64)
        {
            high = signed ? (ulong)Math.BigMul((long)a, (long)b, out long signedLow) : Math.BigMul(a, b, out low);
            low = a * b;
            return high != (signed ? (ulong)((long)low >> 63) : 0);
        }

        ulong product = signed
            ? (ulong)(Operand.SignExtend(Operand.Truncate<T>(a)) * Operand.SignExtend(Operand.Truncate<T>(b)))
            : a * b;
        low = Operand.ZeroExtend(Operand.Truncate<T>(product));
        high = Operand.ZeroExtend(Operand.Truncate<T>(product >> bits));
        return product != (signed ? (ulong)Operand.SignExtend(Operand.Truncate<T>(low)) : low);
    }
}

/// <summary>The one-operand forms.</summary>
internal readonly struct MultiplyAccumulator<TOp, T, TSource> : IOperation
    where TOp : struct, IMultiply
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong b))
            return ref cpu.Fault(ref r, ref op);
        bool overflow = Product.Of<T>(Operand.Read<T>(ref r, RegisterOffsets.Rax), b, TOp.Signed, out ulong low, out ulong high);
        if (Operand.Bits<T>() == 8)
        {
            Operand.Write<ushort>(ref r, RegisterOffsets.Rax, low | (high << 8));
        }
        else
        {
            Operand.Write<T>(ref r, RegisterOffsets.Rax, low);
            Operand.Write<T>(ref r, RegisterOffsets.Rdx, high);
        }

        cpu.Flags.SetCarryOverflow(overflow, overflow);
        return ref Handler.Next(ref op);
    }
}

/// <summary>IMUL register, source.</summary>
internal readonly struct MultiplyRegister<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong b))
            return ref cpu.Fault(ref r, ref op);
        bool overflow = Product.Of<T>(Operand.Read<T>(ref r, op.Dst), b, true, out ulong low, out _);
        Operand.Write<T>(ref r, op.Dst, low);
        cpu.Flags.SetCarryOverflow(overflow, overflow);
        return ref Handler.Next(ref op);
    }
}

/// <summary>IMUL register, source, immediate.</summary>
internal readonly struct MultiplyImmediate<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong a))
            return ref cpu.Fault(ref r, ref op);
        bool overflow = Product.Of<T>(a, Operand.ZeroExtend(Operand.Truncate<T>(op.Immediate)), true, out ulong low, out _);
        Operand.Write<T>(ref r, op.Dst, low);
        cpu.Flags.SetCarryOverflow(overflow, overflow);
        return ref Handler.Next(ref op);
    }
}
