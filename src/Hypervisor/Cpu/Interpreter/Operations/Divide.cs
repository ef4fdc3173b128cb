using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>DIV or IDIV: the dividend is twice as wide as the operand. Flags, which are undefined, stay.</summary>
internal interface IDivide
{
    /// <summary>Divides <c>high:low</c>; all zero-extended from the operand size. False: #DE.</summary>
    static abstract bool TryDivide<T>(ulong high, ulong low, ulong divisor, out ulong quotient, out ulong remainder)
        where T : unmanaged;
}

internal readonly struct Div : IDivide
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryDivide<T>(ulong high, ulong low, ulong divisor, out ulong quotient, out ulong remainder)
        where T : unmanaged
    {
        // A quotient fits exactly when the high half is below the divisor; this excludes 0 too.
        quotient = remainder = 0;
        if (high >= divisor)
            return false;
        if (Operand.Bits<T>() < 64)
            low |= high << Operand.Bits<T>();
        else if (high != 0)
            return Wide(high, low, divisor, out quotient, out remainder);
        (quotient, remainder) = Math.DivRem(low, divisor);
        return true;
    }

    private static bool Wide(ulong high, ulong low, ulong divisor, out ulong quotient, out ulong remainder)
    {
        (UInt128 q, UInt128 rest) = UInt128.DivRem(new UInt128(high, low), divisor);
        quotient = (ulong)q;
        remainder = (ulong)rest;
        return true;
    }
}

internal readonly struct Idiv : IDivide
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryDivide<T>(ulong high, ulong low, ulong divisor, out ulong quotient, out ulong remainder)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        long by = Operand.SignExtend(Operand.Truncate<T>(divisor));
        quotient = remainder = 0;
        if (by == 0)
            return false;
        if (bits == 64 && (long)high != (long)low >> 63)
            return Wide(high, low, by, out quotient, out remainder);

        long dividend = bits == 64 ? (long)low : (long)((high << bits) | low) << (64 - (2 * bits)) >> (64 - (2 * bits));
        if (dividend == long.MinValue && by == -1)
            return false;
        (long q, long rest) = Math.DivRem(dividend, by);
        if (q != Operand.SignExtend(Operand.Truncate<T>((ulong)q)))
            return false;
        quotient = (ulong)q;
        remainder = (ulong)rest;
        return true;
    }

    private static bool Wide(ulong high, ulong low, long divisor, out ulong quotient, out ulong remainder)
    {
        // In magnitudes: the quotient may be -2^63, one more than the largest positive one.
        UInt128 dividend = new(high, low);
        bool negative = (long)high < 0;
        if (negative)
            dividend = 0 - dividend;
        ulong by = divisor < 0 ? 0 - (ulong)divisor : (ulong)divisor;
        (UInt128 q, UInt128 rest) = UInt128.DivRem(dividend, by);
        bool negativeQuotient = negative ^ (divisor < 0);
        quotient = negativeQuotient ? 0 - (ulong)q : (ulong)q;
        remainder = negative ? 0 - (ulong)rest : (ulong)rest;
        return q <= (negativeQuotient ? 1ul << 63 : (1ul << 63) - 1);
    }
}

internal readonly struct Divide<TOp, T, TSource> : IOperation
    where TOp : struct, IDivide
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong divisor))
            return ref cpu.Fault(ref r, ref op);
        bool narrow = Operand.Bits<T>() == 8;
        ushort upper = narrow ? (ushort)(RegisterOffsets.Rax + 1) : RegisterOffsets.Rdx;
        ulong high = Operand.Read<T>(ref r, upper);
        if (!TOp.TryDivide<T>(high, Operand.Read<T>(ref r, RegisterOffsets.Rax), divisor, out ulong quotient, out ulong remainder))
            return ref cpu.Fault(ref r, ref op, Vector.Divide);
        Operand.Write<T>(ref r, RegisterOffsets.Rax, quotient);
        Operand.Write<T>(ref r, upper, remainder);
        return ref Handler.Next(ref op);
    }
}
