namespace Xen.Cpu;

/// <summary>The basic operations of IEEE 754, correctly rounded in any of the formats, with the exceptions and NaNs of x86.</summary>
internal static class FloatMath
{
    public static FloatValue Add(ref FloatContext context, FloatValue a, FloatValue b)
    {
        if (context.TryNaN(in a, in b, out FloatValue nan))
            return nan;
        if (a.IsInfinity && b.IsInfinity && a.Negative != b.Negative)
            return context.Invalid();
        context.TakeDenormal(ref a);
        context.TakeDenormal(ref b);
        if (a.IsInfinity || b.IsInfinity)
            return a.IsInfinity ? a : b;
        if (a.IsZero && b.IsZero)
            return FloatValue.Zero(a.Negative == b.Negative ? a.Negative : context.Rounding == Rounding.Down);
        if (a.IsZero || b.IsZero)
            return context.Round(a.IsZero ? b : a);
        return AddFinite(ref context, in a, in b);
    }

    public static FloatValue Subtract(ref FloatContext context, FloatValue a, FloatValue b)
    {
        // A NaN keeps its own sign.
        return Add(ref context, a, b.IsNaN ? b : b.Negated());
    }

    public static FloatValue Multiply(ref FloatContext context, FloatValue a, FloatValue b)
    {
        if (context.TryNaN(in a, in b, out FloatValue nan))
            return nan;
        if (context.DenormalsAreZero)
        {
            context.TakeDenormal(ref a);
            context.TakeDenormal(ref b);
        }

        if ((a.IsInfinity && b.IsZero) || (a.IsZero && b.IsInfinity))
            return context.Invalid();
        context.TakeDenormal(ref a);
        context.TakeDenormal(ref b);
        bool negative = a.Negative != b.Negative;
        if (a.IsInfinity || b.IsInfinity)
            return FloatValue.Infinity(negative);
        if (a.IsZero || b.IsZero)
            return FloatValue.Zero(negative);
        ulong high = Math.BigMul(a.Significand, b.Significand, out ulong low);
        return context.Round(negative, a.Exponent + b.Exponent + 1, new UInt128(high, low));
    }

    public static FloatValue Divide(ref FloatContext context, FloatValue a, FloatValue b)
    {
        if (context.TryNaN(in a, in b, out FloatValue nan))
            return nan;
        if (context.DenormalsAreZero)
        {
            context.TakeDenormal(ref a);
            context.TakeDenormal(ref b);
        }

        bool negative = a.Negative != b.Negative;
        if ((a.IsInfinity && b.IsInfinity) || (a.IsZero && b.IsZero))
            return context.Invalid();
        if (b.IsZero && !a.IsInfinity)
        {
            context.Flags |= FloatFlags.DivideByZero;
            return FloatValue.Infinity(negative);
        }

        context.TakeDenormal(ref a);
        context.TakeDenormal(ref b);
        if (a.IsInfinity)
            return FloatValue.Infinity(negative);
        if (a.IsZero || b.IsInfinity)
            return FloatValue.Zero(negative);
        return context.Round(negative, a.Exponent - b.Exponent + 1, Quotient(a.Significand, b.Significand));
    }

    /// <summary>a / b * 2^126, with a sticky lowest bit. Both have their top bit set.</summary>
    public static UInt128 Quotient(ulong a, ulong b)
    {
        (UInt128 high, UInt128 rest) = UInt128.DivRem((UInt128)a << 63, b);
        (UInt128 low, rest) = UInt128.DivRem(rest << 62, b);
        UInt128 quotient = ((high << 62) | low) << 1;
        return rest == UInt128.Zero ? quotient : quotient | UInt128.One;
    }

    public static FloatValue SquareRoot(ref FloatContext context, FloatValue a)
    {
        if (context.TryNaN(in a, out FloatValue nan))
            return nan;
        if (context.DenormalsAreZero)
            context.TakeDenormal(ref a);
        if (a.IsZero)
            return a;
        if (a.Negative)
            return context.Invalid();
        context.TakeDenormal(ref a);
        if (a.IsInfinity)
            return a;
        UInt128 radicand = (UInt128)a.Significand << ((a.Exponent & 1) == 0 ? 63 : 64);
        ulong root = IntegerSquareRoot(radicand);
        UInt128 rest = radicand - ((UInt128)root * root);

        // 64 digits of the root; then whether the rest is above a half (it cannot be a half), and whether there is one.
        ulong below = rest > root ? FloatValue.IntegerBit | 1 : rest == UInt128.Zero ? 0ul : 1ul;
        return context.Round(false, a.Exponent >> 1, new UInt128(root, below));
    }

    /// <summary>Rounds to another format: what conversions between single, double and extended do.</summary>
    public static FloatValue Convert(ref FloatContext context, FloatValue a)
    {
        if (context.TryNaN(in a, out FloatValue nan))
            return nan;
        context.TakeDenormal(ref a);
        return context.Round(in a);
    }

    /// <summary>Rounds to an integral value in the same format.</summary>
    /// <param name="context">How to round.</param>
    /// <param name="a">The value.</param>
    /// <param name="quiet">Do not raise the precision exception.</param>
    public static FloatValue RoundToIntegral(ref FloatContext context, FloatValue a, bool quiet = false)
    {
        if (context.TryNaN(in a, out FloatValue nan))
            return nan;
        if (context.DenormalsAreZero || context.IsX87)
            context.TakeDenormal(ref a);
        if (a.Class != FloatClass.Finite || a.Exponent >= 63)
            return a;
        UInt128 magnitude = Integral(ref context, in a, out bool inexact);
        if (inexact && !quiet)
            context.Flags |= FloatFlags.Precision;
        if (magnitude == UInt128.Zero)
            return FloatValue.Zero(a.Negative);
        int shift = (int)UInt128.LeadingZeroCount(magnitude);
        return FloatValue.Finite(a.Negative, 127 - shift, (ulong)((magnitude << shift) >> 64));
    }

    /// <summary>Converts to a signed integer of a size; out of range is invalid and yields the smallest integer.</summary>
    public static long ToInteger(ref FloatContext context, FloatValue a, int bits)
    {
        long indefinite = -1L << (bits - 1);
        if (context.DenormalsAreZero)
            context.TakeDenormal(ref a);
        if (a.IsZero)
            return 0;
        if (a.Class != FloatClass.Finite || a.Exponent > 63)
        {
            context.Flags |= FloatFlags.Invalid;
            return indefinite;
        }

        UInt128 magnitude = Integral(ref context, in a, out bool inexact);
        UInt128 limit = (UInt128.One << (bits - 1)) - (a.Negative ? UInt128.Zero : UInt128.One);
        if (magnitude > limit)
        {
            context.RoundedUp = false;
            context.Flags |= FloatFlags.Invalid;
            return indefinite;
        }

        if (inexact)
            context.Flags |= FloatFlags.Precision;
        return a.Negative ? -(long)(ulong)magnitude : (long)(ulong)magnitude;
    }

    /// <summary>Compares. An unordered result is invalid for signalling NaNs, and for quiet ones when <paramref name="signalling"/>.</summary>
    public static FloatOrder Compare(ref FloatContext context, FloatValue a, FloatValue b, bool signalling)
    {
        if (a.Class >= FloatClass.NaN || b.Class >= FloatClass.NaN)
        {
            if (signalling || a.IsSignalling || b.IsSignalling || a.Class == FloatClass.Unsupported || b.Class == FloatClass.Unsupported)
                context.Flags |= FloatFlags.Invalid;
            return FloatOrder.Unordered;
        }

        context.TakeDenormal(ref a);
        context.TakeDenormal(ref b);
        if (a.IsZero && b.IsZero)
            return FloatOrder.Equal;
        if (a.IsZero || b.IsZero || a.Negative != b.Negative)
            return (a.IsZero ? !b.Negative : a.Negative) ? FloatOrder.Less : FloatOrder.Greater;
        int magnitude = CompareMagnitudes(in a, in b);
        return magnitude == 0 ? FloatOrder.Equal : (magnitude < 0) != a.Negative ? FloatOrder.Less : FloatOrder.Greater;
    }

    private static int CompareMagnitudes(in FloatValue a, in FloatValue b)
    {
        if (a.IsInfinity || b.IsInfinity)
            return a.IsInfinity.CompareTo(b.IsInfinity);
        return a.Exponent != b.Exponent ? a.Exponent.CompareTo(b.Exponent) : a.Significand.CompareTo(b.Significand);
    }

    private static FloatValue AddFinite(ref FloatContext context, in FloatValue a, in FloatValue b)
    {
        bool swap = CompareMagnitudes(in a, in b) < 0;
        FloatValue large = swap ? b : a;
        FloatValue small = swap ? a : b;
        UInt128 x = (UInt128)large.Significand << 62;
        UInt128 y = FloatContext.ShiftRightSticky((UInt128)small.Significand << 62, large.Exponent - small.Exponent);
        if (large.Negative == small.Negative)
            return context.Round(large.Negative, large.Exponent + 2, x + y);
        UInt128 difference = x - y;
        return difference == UInt128.Zero
            ? FloatValue.Zero(context.Rounding == Rounding.Down)
            : context.Round(large.Negative, large.Exponent + 2, difference);
    }

    /// <summary>The magnitude rounded to an integer. The exponent is 63 at most.</summary>
    private static UInt128 Integral(ref FloatContext context, in FloatValue a, out bool inexact)
    {
        // Integer digits above bit 64, the others below.
        int shift = 63 - a.Exponent;
        UInt128 fixedPoint = FloatContext.ShiftRightSticky(new UInt128(a.Significand, 0), shift);
        var whole = (UInt128)(ulong)(fixedPoint >> 64);
        UInt128 rest = fixedPoint << 64;
        inexact = rest != UInt128.Zero;
        context.RoundedUp = context.RoundsUp(a.Negative, ((ulong)whole & 1) != 0, rest);
        return context.RoundedUp ? whole + UInt128.One : whole;
    }

    private static ulong IntegerSquareRoot(UInt128 radicand)
    {
        // The estimate is good to 52 bits; one step of Newton's method leaves an error of one or two.
        double estimate = Math.Sqrt((double)radicand);
        ulong root = estimate >= 18446744073709551615.0 ? ulong.MaxValue : (ulong)estimate;
        UInt128 next = (root + (radicand / root)) >> 1;
        root = next > ulong.MaxValue ? ulong.MaxValue : (ulong)next;
        while ((UInt128)root * root > radicand)
            root--;
        while (root != ulong.MaxValue && (UInt128)(root + 1) * (root + 1) <= radicand)
            root++;
        return root;
    }
}

/// <summary>Outcome of a comparison.</summary>
internal enum FloatOrder : byte
{
    Less,
    Equal,
    Greater,
    Unordered,
}
