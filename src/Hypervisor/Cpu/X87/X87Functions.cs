namespace Xen.Cpu;

/// <summary>FSCALE, FXTRACT and the remainders: exact by nature.</summary>
internal static class X87Functions
{
    /// <summary>FSCALE: a * 2^trunc(b).</summary>
    public static FloatValue Scale(ref FloatContext context, FloatValue a, FloatValue b)
    {
        if (context.TryNaN(in a, in b, out FloatValue nan))
            return nan;
        if (b.IsInfinity)
        {
            if (b.Negative ? a.IsInfinity : a.IsZero)
                return context.Invalid();
            context.TakeDenormal(ref a);
            return b.Negative ? FloatValue.Zero(a.Negative) : FloatValue.Infinity(a.Negative);
        }

        context.TakeDenormal(ref a);
        context.TakeDenormal(ref b);
        if (a.Class != FloatClass.Finite || b.IsZero)
            return a;
        if (b.Exponent < 0)
            return context.Round(in a);

        // Beyond this every number overflows or vanishes.
        int scale = b.Exponent > 16 ? 0x1_0000 : (int)(b.Significand >> (63 - b.Exponent));
        a.Exponent += b.Negative ? -scale : scale;
        return context.Round(in a);
    }

    /// <summary>FXTRACT: the exponent and the significand as numbers.</summary>
    public static FloatValue Extract(ref FloatContext context, FloatValue a, out FloatValue significand)
    {
        if (context.TryNaN(in a, out FloatValue nan))
            return significand = nan;
        significand = a;
        if (a.IsInfinity)
            return FloatValue.Infinity(false);
        if (a.IsZero)
        {
            context.Flags |= FloatFlags.DivideByZero;
            return FloatValue.Infinity(true);
        }

        context.TakeDenormal(ref a);
        significand = FloatValue.Finite(a.Negative, 0, a.Significand);
        return FloatValue.FromInteger(a.Exponent);
    }

    /// <summary>FPREM and FPREM1 (with <paramref name="nearest"/>).</summary>
    /// <param name="context">Exceptions.</param>
    /// <param name="a">ST(0).</param>
    /// <param name="b">ST(1).</param>
    /// <param name="nearest">The quotient is rounded to the nearest integer, else cut.</param>
    /// <param name="quotient">Its low bits; -1: the reduction is partial.</param>
    public static FloatValue Remainder(ref FloatContext context, FloatValue a, FloatValue b, bool nearest, out int quotient)
    {
        quotient = 0;
        if (context.TryNaN(in a, in b, out FloatValue nan))
            return nan;
        if (a.IsInfinity || b.IsZero)
            return context.Invalid();
        context.TakeDenormal(ref a);
        context.TakeDenormal(ref b);
        if (a.IsZero || b.IsInfinity)
            return a;
        int difference = a.Exponent - b.Exponent;
        if (difference < (nearest ? -1 : 0))
            return context.Round(in a);
        bool partial = difference >= 64;
        int steps = partial ? (difference & 31) | 32 : Math.Max(difference, 0);
        UInt128 rest = difference < 0 ? a.Significand : Reduce(a.Significand, b.Significand, steps, out quotient);
        int exponent = a.Exponent - Math.Max(steps, 0);
        bool negative = a.Negative;
        if (partial)
            quotient = -1;
        else if (nearest)
            RoundQuotient(ref rest, b.Significand, difference < 0, ref negative, ref quotient);
        return rest == UInt128.Zero
            ? FloatValue.Zero(a.Negative)
            : context.Round(negative, (difference < 0 ? a.Exponent : exponent) + 64, rest);
    }

    /// <summary>Divides bit by bit: a * 2^steps / b. Returns the rest, in units of a's last digit once shifted.</summary>
    private static UInt128 Reduce(ulong a, ulong b, int steps, out int quotient)
    {
        UInt128 rest = a;
        ulong bits = 0;
        for (int i = 0; ; i++)
        {
            bits <<= 1;
            if (rest >= b)
            {
                rest -= b;
                bits |= 1;
            }

            if (i == steps)
                break;
            rest <<= 1;
        }

        quotient = (int)(bits & 7);
        return rest;
    }

    /// <summary>Moves a cut quotient to the nearest integer. <paramref name="halved"/>: a is in units of half b's digits.</summary>
    private static void RoundQuotient(ref UInt128 rest, ulong b, bool halved, ref bool negative, ref int quotient)
    {
        UInt128 divisor = halved ? (UInt128)b << 1 : b;
        UInt128 twice = rest << 1;
        if (twice < divisor || (twice == divisor && (quotient & 1) == 0))
            return;
        rest = divisor - rest;
        negative = !negative;
        quotient = (quotient + 1) & 7;
    }
}
