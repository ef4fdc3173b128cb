namespace Xen.Cpu;

/// <summary>
/// A number with 128 digits: <c>(-1)^Negative * Significand * 2^(Exponent - 127)</c>, the top bit set, or zero. Operations cut; their errors are
/// far below the 64 digits that transcendental functions are rounded to.
/// </summary>
internal readonly record struct WideFloat(bool Negative, int Exponent, UInt128 Significand)
{
    public static readonly WideFloat One = FromInteger(1);

    /// <summary>Pi.</summary>
    public static readonly WideFloat Pi = new(false, 1, new UInt128(0xC90F_DAA2_2168_C234, 0xC4C6_628B_80DC_1CD1));

    /// <summary>Natural logarithm of 2.</summary>
    public static readonly WideFloat Ln2 = new(false, -1, new UInt128(0xB172_17F7_D1CF_79AB, 0xC9E3_B398_03F2_F6AF));

    /// <summary>Logarithm of e to the base 2.</summary>
    public static readonly WideFloat Log2E = new(false, 0, new UInt128(0xB8AA_3B29_5C17_F0BB, 0xBE87_FED0_691D_3E88));

    public bool IsZero => Significand == UInt128.Zero;

    public static WideFloat FromInteger(long value) => value == 0 ? default : From(FloatValue.FromInteger(value));

    public static WideFloat From(in FloatValue value) => value.IsZero ? default : new(value.Negative, value.Exponent, new UInt128(value.Significand, 0));

    /// <summary>A significand in any position: <c>significand * 2^(exponent - 127)</c>.</summary>
    public static WideFloat Normalised(bool negative, int exponent, UInt128 significand)
    {
        if (significand == UInt128.Zero)
            return default;
        int shift = (int)UInt128.LeadingZeroCount(significand);
        return new WideFloat(negative, exponent - shift, significand << shift);
    }

    public static WideFloat operator -(WideFloat a) => a with { Negative = !a.Negative };

    public static WideFloat operator +(WideFloat a, WideFloat b)
    {
        if (a.IsZero || b.IsZero)
            return a.IsZero ? b : a;
        if (a.Exponent < b.Exponent || (a.Exponent == b.Exponent && a.Significand < b.Significand))
            (a, b) = (b, a);
        int distance = a.Exponent - b.Exponent;
        UInt128 x = a.Significand >> 1;
        UInt128 y = distance >= 127 ? UInt128.Zero : b.Significand >> (distance + 1);
        return Normalised(a.Negative, a.Exponent + 1, a.Negative == b.Negative ? x + y : x - y);
    }

    public static WideFloat operator -(WideFloat a, WideFloat b) => a + -b;

    public static WideFloat operator *(WideFloat a, WideFloat b) =>
        a.IsZero || b.IsZero ? default : Normalised(a.Negative != b.Negative, a.Exponent + b.Exponent + 1, MultiplyHigh(a.Significand, b.Significand));

    /// <summary>Division by a small integer.</summary>
    public static WideFloat operator /(WideFloat a, uint b) => a.IsZero ? default : Normalised(a.Negative, a.Exponent, a.Significand / b);

    public static WideFloat operator /(WideFloat a, WideFloat b)
    {
        if (a.IsZero)
            return default;

        // A quotient of 64 digits, then one step of Newton's method for its reciprocal doubles them.
        WideFloat estimate = Normalised(b.Negative, -b.Exponent, FloatMath.Quotient(FloatValue.IntegerBit, (ulong)(b.Significand >> 64)) << 1);
        WideFloat error = One - (estimate * b);
        return a * (estimate + (estimate * error));
    }

    /// <summary>The number rounded to a format. It is taken to be inexact.</summary>
    public FloatValue Round(ref FloatContext context) =>
        IsZero ? FloatValue.Zero(Negative) : context.Round(Negative, Exponent, Significand | UInt128.One);

    private static UInt128 MultiplyHigh(UInt128 a, UInt128 b)
    {
        ulong ah = (ulong)(a >> 64), al = (ulong)a, bh = (ulong)(b >> 64), bl = (ulong)b;
        UInt128 high = Product(ah, bh), middle = Product(ah, bl), other = Product(al, bh);
        UInt128 carry = ((UInt128)(ulong)middle + (ulong)other + (ulong)(Product(al, bl) >> 64)) >> 64;
        return high + (middle >> 64) + (other >> 64) + carry;
    }

    private static UInt128 Product(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return new UInt128(high, low);
    }
}
