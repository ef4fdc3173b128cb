namespace Xen.Cpu;

/// <summary>
/// The transcendental functions, by series on 128-digit numbers, rounded once at the end. They differ from a processor's in the last digit at most,
/// where the processor's own approximation does not round correctly. Angles are reduced by the 66-digit pi that processors use.
/// </summary>
internal static class Transcendental
{
    /// <summary>Half of pi in units of 2^-65: 66 digits of it.</summary>
    private static readonly UInt128 HalfPi = new(3, 0x243F_6A88_85A3_08D3);

    /// <summary>sqrt(2) to 64 digits: mantissas above it are halved before the logarithm.</summary>
    private const ulong RootTwo = 0xB504_F333_F9DE_6484;

    /// <summary>F2XM1: 2^x - 1, for x between -1 and 1.</summary>
    public static FloatValue PowerMinusOne(ref FloatContext context, FloatValue x)
    {
        if (context.TryNaN(in x, out FloatValue nan))
            return nan;
        context.TakeDenormal(ref x);
        if (x.IsZero)
            return x;
        if (x.Class != FloatClass.Finite || x.Exponent >= 0)
            return x.IsInfinity && x.Negative ? FloatValue.Finite(true, 0, FloatValue.IntegerBit) : x.Exponent == 0 ? Limit(in x) : x;
        WideFloat y = WideFloat.From(in x) * WideFloat.Ln2;
        WideFloat term = y, sum = y;
        for (uint n = 2; IsSignificant(in term, in sum); n++)
        {
            term = term * y / n;
            sum += term;
        }

        return sum.Round(ref context);
    }

    /// <summary>FYL2X: y * log2(x).</summary>
    public static FloatValue Logarithm(ref FloatContext context, FloatValue y, FloatValue x)
    {
        if (context.TryNaN(in x, in y, out FloatValue nan))
            return nan;
        bool isOne = x is { Class: FloatClass.Finite, Negative: false, Exponent: 0, Significand: FloatValue.IntegerBit };
        if ((x.Negative && !x.IsZero) || (x.IsZero && y.IsZero) || (x.IsInfinity && y.IsZero) || (isOne && y.IsInfinity))
            return context.Invalid();
        if (x.IsZero)
        {
            if (!y.IsInfinity)
                context.Flags |= FloatFlags.DivideByZero;
            return FloatValue.Infinity(!y.Negative);
        }

        context.TakeDenormal(ref x);
        context.TakeDenormal(ref y);
        bool below = !x.IsInfinity && x.Exponent < 0;
        if (x.IsInfinity || y.IsInfinity)
            return FloatValue.Infinity(y.Negative != below);
        if (isOne || y.IsZero)
            return FloatValue.Zero(y.Negative != below);
        int exponent = x.Significand > RootTwo ? x.Exponent + 1 : x.Exponent;
        WideFloat mantissa = WideFloat.From(x with { Exponent = x.Exponent - exponent });
        WideFloat logarithm = TwoArtanh((mantissa - WideFloat.One) / (mantissa + WideFloat.One)) * WideFloat.Log2E;
        WideFloat result = (logarithm + WideFloat.FromInteger(exponent)) * WideFloat.From(in y);
        return logarithm.IsZero ? ExactProduct(ref context, exponent, in y) : result.Round(ref context);
    }

    /// <summary>FYL2XP1: y * log2(x + 1), for small x.</summary>
    public static FloatValue LogarithmOnePlus(ref FloatContext context, FloatValue y, FloatValue x)
    {
        if (context.TryNaN(in x, in y, out FloatValue nan))
            return nan;
        bool belowMinusOne = x.Negative && (x.IsInfinity || (x.Class == FloatClass.Finite && x.Exponent >= 0));
        if (belowMinusOne || (x.IsZero && y.IsInfinity) || (x.IsInfinity && y.IsZero))
            return context.Invalid();
        context.TakeDenormal(ref x);
        context.TakeDenormal(ref y);
        bool negative = x.Negative != y.Negative;
        if (x.IsInfinity || y.IsInfinity)
            return FloatValue.Infinity(negative);
        if (x.IsZero || y.IsZero)
            return FloatValue.Zero(negative);
        if (x.Exponent >= 0)
            return Logarithm(ref context, y, FloatMath.Add(ref context, x, FloatValue.FromInteger(1)));
        WideFloat wide = WideFloat.From(in x);
        WideFloat result = TwoArtanh(wide / (wide + WideFloat.FromInteger(2))) * WideFloat.Log2E * WideFloat.From(in y);
        return result.Round(ref context);
    }

    /// <summary>FPATAN: the angle of the point (x, y).</summary>
    public static FloatValue ArcTangent(ref FloatContext context, FloatValue y, FloatValue x)
    {
        if (context.TryNaN(in x, in y, out FloatValue nan))
            return nan;
        context.TakeDenormal(ref x);
        context.TakeDenormal(ref y);
        if (y.IsZero || (x.IsInfinity && !y.IsInfinity))
        {
            if (!x.Negative)
                return FloatValue.Zero(y.Negative);
            return (WideFloat.Pi with { Negative = y.Negative }).Round(ref context);
        }

        WideFloat angle;
        if (x.IsZero || y.IsInfinity)
        {
            // A right angle, or half of one, or one and a half.
            WideFloat quarter = WideFloat.Pi with { Exponent = -1 };
            angle = !x.IsInfinity ? quarter + quarter : x.Negative ? quarter + quarter + quarter : quarter;
        }
        else
        {
            angle = FirstQuadrant(WideFloat.From(y with { Negative = false }), WideFloat.From(x with { Negative = false }));
            if (x.Negative)
                angle = WideFloat.Pi - angle;
        }

        return (angle with { Negative = y.Negative }).Round(ref context);
    }

    /// <summary>FSIN, FCOS, FSINCOS, FPTAN: what replaces ST(0), and what is pushed. False: the angle is out of range (C2).</summary>
    public static bool TryAngle(ref FloatContext context, FloatValue x, Angle wanted, out FloatValue result, out FloatValue pushed)
    {
        if (context.TryNaN(in x, out result))
        {
            pushed = result;
            return true;
        }

        if (x.IsInfinity)
        {
            result = pushed = context.Invalid();
            return true;
        }

        context.TakeDenormal(ref x);
        FloatValue one = FloatValue.FromInteger(1);
        if (x.IsZero)
        {
            result = wanted == Angle.Cosine ? one : x;
            pushed = one;
            return true;
        }

        result = pushed = one;
        if (x.Exponent >= 63)
            return false;
        (WideFloat sine, WideFloat cosine) = SineCosine(in x);
        if (wanted == Angle.SineCosine)
            pushed = cosine.Round(ref context);
        result = wanted switch
        {
            Angle.Cosine => cosine.Round(ref context),
            Angle.Tangent => (sine / cosine).Round(ref context),
            _ => sine.Round(ref context),
        };
        return true;
    }

    private static (WideFloat Sine, WideFloat Cosine) SineCosine(in FloatValue x)
    {
        (WideFloat angle, int quadrant) = ReduceAngle(in x);
        WideFloat sine = Series(angle, angle, 2);
        WideFloat cosine = Series(WideFloat.One, angle, 1);
        (sine, cosine) = (quadrant & 3) switch
        {
            0 => (sine, cosine),
            1 => (cosine, -sine),
            2 => (-sine, -cosine),
            _ => (-cosine, sine),
        };
        return (x.Negative ? -sine : sine, cosine);
    }

    /// <summary>first * (1 - x^2/(n(n+1)) + ...): sine from (x, 2), cosine from (1, 1).</summary>
    private static WideFloat Series(WideFloat first, WideFloat x, uint n)
    {
        WideFloat square = -(x * x);
        WideFloat term = first, sum = first;
        for (; IsSignificant(in term, in sum); n += 2)
        {
            term = term * square / (n * (n + 1));
            sum += term;
        }

        return sum;
    }

    /// <summary>|x| modulo a right angle, moved into -45 to 45 degrees, and how many right angles there are.</summary>
    private static (WideFloat Angle, int Quadrant) ReduceAngle(in FloatValue x)
    {
        if (x.Exponent < -1)
            return (WideFloat.From(x with { Negative = false }), 0);
        UInt128 rest = x.Significand;
        int quadrant = 0;
        for (int i = x.Exponent + 2; i > 0; i--)
        {
            rest <<= 1;
            quadrant <<= 1;
            if (rest >= HalfPi)
            {
                rest -= HalfPi;
                quadrant |= 1;
            }
        }

        // rest is in units of 2^-65.
        bool over = rest > HalfPi >> 1;
        WideFloat angle = WideFloat.Normalised(over, 127 - 65, over ? HalfPi - rest : rest);
        return (angle, over ? quadrant + 1 : quadrant);
    }

    /// <summary>atan(y / x) for positive y and x.</summary>
    private static WideFloat FirstQuadrant(WideFloat y, WideFloat x)
    {
        bool swap = y.Exponent > x.Exponent || (y.Exponent == x.Exponent && y.Significand > x.Significand);
        WideFloat ratio = swap ? x / y : y / x;
        WideFloat angle;
        if (ratio.Exponent < -2)
            angle = Alternating(ratio);
        else
            angle = (WideFloat.Pi with { Exponent = -1 }) + Alternating((ratio - WideFloat.One) / (ratio + WideFloat.One));
        return swap ? (WideFloat.Pi with { Exponent = 0 }) - angle : angle;
    }

    /// <summary>z - z^3/3 + z^5/5 - ...</summary>
    private static WideFloat Alternating(WideFloat z) => OddPowers(z, -(z * z));

    /// <summary>2 * (z + z^3/3 + z^5/5 + ...).</summary>
    private static WideFloat TwoArtanh(WideFloat z)
    {
        if (z.IsZero)
            return z;
        WideFloat sum = OddPowers(z, z * z);
        return sum with { Exponent = sum.Exponent + 1 };
    }

    private static WideFloat OddPowers(WideFloat z, WideFloat square)
    {
        if (z.IsZero)
            return z;
        WideFloat power = z, sum = z;
        for (uint n = 3; IsSignificant(in power, in sum); n += 2)
        {
            power *= square;
            sum += power / n;
        }

        return sum;
    }

    private static bool IsSignificant(in WideFloat term, in WideFloat sum) => !term.IsZero && term.Exponent > sum.Exponent - 126;

    /// <summary>2^1 - 1 and 2^-1 - 1.</summary>
    private static FloatValue Limit(in FloatValue x) =>
        x.Significand != FloatValue.IntegerBit ? x : x.Negative ? FloatValue.Finite(true, -1, FloatValue.IntegerBit) : x;

    /// <summary>Of a power of two: processors report even these as inexact.</summary>
    private static FloatValue ExactProduct(ref FloatContext context, int exponent, in FloatValue y)
    {
        context.Flags |= FloatFlags.Precision;
        return FloatMath.Multiply(ref context, FloatValue.FromInteger(exponent), y);
    }
}
