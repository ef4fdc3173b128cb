using System.Numerics;

namespace Xen.Cpu;

/// <summary>
/// An unpacked floating-point value of any of the three formats. A finite one is
/// <c>(-1)^Negative * Significand * 2^(Exponent - 63)</c>, with the top bit of the significand set (denormals too: their exponent goes lower).
/// A NaN's payload is left-aligned as well, so that conversions between formats cut it or fill it with zeros; bit 62 says quiet.
/// </summary>
internal struct FloatValue
{
    public const ulong IntegerBit = 1ul << 63;
    public const ulong QuietBit = 1ul << 62;

    public bool Negative;
    public FloatClass Class;

    /// <summary>Was a denormal in its format.</summary>
    public bool IsDenormal;
    public int Exponent;
    public ulong Significand;

    public readonly bool IsNaN => Class == FloatClass.NaN;

    public readonly bool IsSignalling => Class == FloatClass.NaN && (Significand & QuietBit) == 0;

    public readonly bool IsZero => Class == FloatClass.Zero;

    public readonly bool IsInfinity => Class == FloatClass.Infinity;

    /// <summary>The NaN that invalid operations yield.</summary>
    public static FloatValue DefaultNaN => new() { Negative = true, Class = FloatClass.NaN, Significand = IntegerBit | QuietBit };

    public static FloatValue Zero(bool negative) => new() { Negative = negative, Class = FloatClass.Zero };

    public static FloatValue Infinity(bool negative) => new() { Negative = negative, Class = FloatClass.Infinity };

    public static FloatValue Finite(bool negative, int exponent, ulong significand) =>
        new() { Negative = negative, Class = FloatClass.Finite, Exponent = exponent, Significand = significand };

    /// <summary>An integer, exactly.</summary>
    public static FloatValue FromInteger(long value)
    {
        if (value == 0)
            return Zero(false);
        ulong magnitude = value < 0 ? 0ul - (ulong)value : (ulong)value;
        int shift = BitOperations.LeadingZeroCount(magnitude);
        return Finite(value < 0, 63 - shift, magnitude << shift);
    }

    /// <summary>Unpacks a single.</summary>
    public static FloatValue FromSingle(uint bits) =>
        FromInterchange((bits >> 31) != 0, (int)(bits >> 23) & 0xFF, (ulong)(bits & 0x7FFFFF) << 40, 0xFF, FloatFormat.Single.MinExponent);

    /// <summary>Unpacks a double.</summary>
    public static FloatValue FromDouble(ulong bits) =>
        FromInterchange((bits >> 63) != 0, (int)(bits >> 52) & 0x7FF, (bits & 0xF_FFFF_FFFF_FFFF) << 11, 0x7FF, FloatFormat.Double.MinExponent);

    /// <summary>Unpacks a single (32 bits) or a double (64).</summary>
    public static FloatValue FromBits<T>(ulong bits)
        where T : unmanaged => Operand.Bits<T>() == 32 ? FromSingle((uint)bits) : FromDouble(bits);

    /// <summary>Unpacks an extended-precision number.</summary>
    public static FloatValue FromExtended(in Float80 number)
    {
        int exponent = number.SignExponent & 0x7FFF;
        bool negative = (number.SignExponent & 0x8000) != 0;
        ulong significand = number.Significand;
        if (exponent == 0)
        {
            // A pseudo-denormal (integer bit set) has the value of the normal number with exponent 1.
            if (significand == 0)
                return Zero(negative);
            int shift = BitOperations.LeadingZeroCount(significand);
            FloatValue tiny = Finite(negative, FloatFormat.Extended.MinExponent - shift, significand << shift);
            tiny.IsDenormal = true;
            return tiny;
        }

        if ((significand & IntegerBit) == 0)
            return new FloatValue { Negative = negative, Class = FloatClass.Unsupported };
        if (exponent == 0x7FFF)
        {
            return significand == IntegerBit
                ? Infinity(negative)
                : new FloatValue { Negative = negative, Class = FloatClass.NaN, Significand = significand };
        }

        return Finite(negative, exponent - 16383, significand);
    }

    /// <summary>Packs a value that was rounded to single.</summary>
    public readonly uint ToSingle()
    {
        ulong packed = Pack(FloatFormat.Single, 0xFF, out int exponent);
        return (Negative ? 0x8000_0000 : 0) | ((uint)exponent << 23) | (uint)(packed >> 40);
    }

    /// <summary>Packs a value that was rounded to double.</summary>
    public readonly ulong ToDouble()
    {
        ulong packed = Pack(FloatFormat.Double, 0x7FF, out int exponent);
        return (Negative ? 1ul << 63 : 0) | ((ulong)exponent << 52) | (packed >> 11);
    }

    /// <summary>Packs a value that was rounded to single (32 bits) or double (64).</summary>
    public readonly ulong ToBits<T>()
        where T : unmanaged => Operand.Bits<T>() == 32 ? ToSingle() : ToDouble();

    /// <summary>Packs a value that was rounded to extended range.</summary>
    public readonly Float80 ToExtended()
    {
        ulong packed = Pack(FloatFormat.Extended, 0x7FFF, out int exponent);
        if (exponent != 0)
            packed |= IntegerBit;
        return new Float80 { Significand = packed, SignExponent = (ushort)((Negative ? 0x8000 : 0) | exponent) };
    }

    /// <summary>The value with its sign changed.</summary>
    public readonly FloatValue Negated() => this with { Negative = !Negative };

    /// <summary>The NaN, quiet.</summary>
    public readonly FloatValue Quieted() => this with { Significand = Significand | QuietBit };

    private static FloatValue FromInterchange(bool negative, int exponent, ulong fraction, int special, int minExponent)
    {
        if (exponent == special)
        {
            return fraction == 0
                ? Infinity(negative)
                : new FloatValue { Negative = negative, Class = FloatClass.NaN, Significand = fraction | IntegerBit };
        }

        if (exponent != 0)
            return Finite(negative, exponent + minExponent - 1, fraction | IntegerBit);
        if (fraction == 0)
            return Zero(negative);
        int shift = BitOperations.LeadingZeroCount(fraction);
        FloatValue tiny = Finite(negative, minExponent - shift, fraction << shift);
        tiny.IsDenormal = true;
        return tiny;
    }

    /// <summary>The fraction without its integer bit, left-aligned below bit 63, and the biased exponent.</summary>
    private readonly ulong Pack(FloatFormat format, int special, out int exponent)
    {
        switch (Class)
        {
            case FloatClass.Zero:
                exponent = 0;
                return 0;
            case FloatClass.Finite when Exponent < format.MinExponent:
                exponent = 0;
                return Significand >> (format.MinExponent - Exponent);
            case FloatClass.Finite:
                exponent = Exponent - format.MinExponent + 1;
                return Significand & ~IntegerBit;
            case FloatClass.Infinity:
                exponent = special;
                return 0;
            default:
                exponent = special;
                return Significand & ~IntegerBit;
        }
    }
}
