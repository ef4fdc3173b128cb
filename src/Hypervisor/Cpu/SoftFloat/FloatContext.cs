using System.Numerics;

namespace Xen.Cpu;

/// <summary>How to compute: format, rounding, masks; and which exceptions the computation raised. One per instruction.</summary>
internal ref struct FloatContext
{
    private const uint FlushToZeroBit = 1 << 15, DenormalsAreZeroBit = 1 << 6;

    /// <summary>Amount by which the x87 moves the exponent of a result whose overflow or underflow is not masked.</summary>
    private const int WrapExponent = 24576;

    public FloatFormat Format;
    public Rounding Rounding;
    public FloatFlags Masks;
    public FloatFlags Flags;
    public bool FlushToZero;
    public bool DenormalsAreZero;

    /// <summary>SSE only: nothing but a rarer exception than precision would show; see <see cref="FloatFastPath.IsPlain"/>.</summary>
    public bool IsPlain;

    /// <summary>The x87's rules: of two NaNs the larger is kept, and unmasked overflow still has a result.</summary>
    public bool IsX87;

    /// <summary>The last rounding went away from zero: condition bit C1 of the x87.</summary>
    public bool RoundedUp;

    /// <summary>SSE as MXCSR says.</summary>
    public static FloatContext FromMxcsr(uint mxcsr, FloatFormat format) => new()
    {
        Format = format,
        Rounding = (Rounding)((mxcsr >> 13) & 3),
        Masks = (FloatFlags)((mxcsr >> 7) & 63),
        FlushToZero = (mxcsr & FlushToZeroBit) != 0,
        DenormalsAreZero = (mxcsr & DenormalsAreZeroBit) != 0,
        IsPlain = FloatFastPath.IsPlain(mxcsr),
    };

    /// <summary>x87 as its control word says.</summary>
    public static FloatContext FromControlWord(ushort control) => new()
    {
        Format = ((control >> 8) & 3) switch
        {
            0 => FloatFormat.ExtendedAsSingle,
            2 => FloatFormat.ExtendedAsDouble,
            _ => FloatFormat.Extended,
        },
        Rounding = (Rounding)((control >> 10) & 3),
        Masks = (FloatFlags)(control & 63),
        IsX87 = true,
    };

    /// <summary>Whether an exception that is not masked was raised before the operation proper.</summary>
    public readonly bool IsStopped => (Flags & ~Masks & FloatFlags.BeforeOperation) != 0;

    public readonly bool Masked(FloatFlags flag) => (Masks & flag) != 0;

    /// <summary>The invalid-operation exception and its result.</summary>
    public FloatValue Invalid()
    {
        Flags |= FloatFlags.Invalid;
        return FloatValue.DefaultNaN;
    }

    /// <summary>Notes operands that are denormal; with DAZ they become zeros instead.</summary>
    public void TakeDenormal(ref FloatValue value)
    {
        if (!value.IsDenormal)
            return;
        if (DenormalsAreZero)
            value = FloatValue.Zero(value.Negative);
        else
            Flags |= FloatFlags.Denormal;
    }

    /// <summary>The operand as the operation sees it: with DAZ denormals are zeros.</summary>
    public readonly FloatValue AsOperand(in FloatValue value) =>
        DenormalsAreZero && value.IsDenormal ? FloatValue.Zero(value.Negative) : value;

    /// <summary>Handles operands that are NaNs or unsupported. False: there were none.</summary>
    public bool TryNaN(in FloatValue a, in FloatValue b, out FloatValue result)
    {
        result = default;
        if (a.Class < FloatClass.NaN && b.Class < FloatClass.NaN)
            return false;
        if (a.Class == FloatClass.Unsupported || b.Class == FloatClass.Unsupported)
        {
            result = Invalid();
            return true;
        }

        if (a.IsSignalling || b.IsSignalling)
            Flags |= FloatFlags.Invalid;
        result = (IsX87 ? LargerNaN(in a, in b) : a.IsNaN ? a : b).Quieted();
        return true;
    }

    /// <summary>Handles an operand that is a NaN or unsupported.</summary>
    public bool TryNaN(in FloatValue a, out FloatValue result) => TryNaN(in a, in a, out result);

    /// <summary>Rounds an exact value to the format.</summary>
    public FloatValue Round(in FloatValue value) =>
        value.Class == FloatClass.Finite ? Round(value.Negative, value.Exponent, new UInt128(value.Significand, 0)) : value;

    /// <summary>
    /// Rounds to the format. The value is <c>significand * 2^(exponent - 127)</c>; its lowest bit also stands for all that lies below it (sticky).
    /// </summary>
    public FloatValue Round(bool negative, int exponent, UInt128 significand)
    {
        if (significand == UInt128.Zero)
            return FloatValue.Zero(negative);
        int shift = (int)UInt128.LeadingZeroCount(significand);
        significand <<= shift;
        exponent -= shift;
        if (exponent < Format.MinExponent)
            return RoundTiny(negative, exponent, significand);
        FloatValue result = RoundTo(negative, exponent, significand, out bool inexact);
        if (result.Exponent > Format.MaxExponent)
            return Overflow(result, inexact);
        if (inexact)
            Flags |= FloatFlags.Precision;
        return result;
    }

    /// <summary>Shifts right; bits that fall out stay visible in the lowest bit.</summary>
    public static UInt128 ShiftRightSticky(UInt128 value, int count)
    {
        if (count == 0)
            return value;
        if (count >= 128)
            return value == UInt128.Zero ? UInt128.Zero : UInt128.One;
        UInt128 shifted = value >> count;
        return (shifted << count) == value ? shifted : shifted | UInt128.One;
    }

    /// <summary>Whether discarding <paramref name="rest"/> (left-aligned) of a magnitude rounds it up.</summary>
    public readonly bool RoundsUp(bool negative, bool odd, UInt128 rest)
    {
        if (rest == UInt128.Zero)
            return false;
        UInt128 half = UInt128.One << 127;
        return Rounding switch
        {
            Rounding.Nearest => rest > half || (rest == half && odd),
            Rounding.Down => negative,
            Rounding.Up => !negative,
            _ => false,
        };
    }

    private static FloatValue LargerNaN(in FloatValue a, in FloatValue b)
    {
        if (!a.IsNaN || !b.IsNaN)
            return a.IsNaN ? a : b;

        // A signalling and a quiet NaN: the quiet one. Else the larger significand, and of equal ones the positive.
        if (a.IsSignalling != b.IsSignalling)
            return a.IsSignalling ? b : a;
        if (a.Significand != b.Significand)
            return a.Significand > b.Significand ? a : b;
        return a.Negative ? b : a;
    }

    /// <summary>Rounds as if exponents had no limit; all digits are kept left-aligned.</summary>
    private FloatValue RoundTo(bool negative, int exponent, UInt128 significand, out bool inexact)
    {
        int drop = 128 - Format.Precision;
        ulong kept = (ulong)(significand >> drop);
        UInt128 rest = significand << Format.Precision;
        inexact = rest != UInt128.Zero;
        RoundedUp = RoundsUp(negative, (kept & 1) != 0, rest);
        if (RoundedUp && ++kept == (Format.Precision == 64 ? 0 : 1ul << Format.Precision))
            return FloatValue.Finite(negative, exponent + 1, FloatValue.IntegerBit);
        if (kept == 0)
            return FloatValue.Zero(negative);
        kept <<= 64 - Format.Precision;
        int shift = BitOperations.LeadingZeroCount(kept);
        return FloatValue.Finite(negative, exponent - shift, kept << shift);
    }

    /// <summary>Rounds a value whose exponent is below the format's. Tininess is judged after rounding.</summary>
    private FloatValue RoundTiny(bool negative, int exponent, UInt128 significand)
    {
        FloatValue unlimited = RoundTo(negative, exponent, significand, out bool inexact);
        bool tiny = unlimited.Exponent < Format.MinExponent;
        if (tiny && !Masked(FloatFlags.Underflow))
        {
            unlimited.Exponent += WrapExponent;
            bool lost = unlimited.Exponent < Format.MinExponent;
            Flags |= FloatFlags.Underflow | (inexact || lost ? FloatFlags.Precision : 0);
            RoundedUp &= !lost;
            return lost ? FloatValue.Zero(negative) : unlimited;
        }

        if (tiny && FlushToZero)
        {
            Flags |= FloatFlags.Underflow | FloatFlags.Precision;
            return FloatValue.Zero(negative);
        }

        FloatValue result = RoundTo(negative, Format.MinExponent, ShiftRightSticky(significand, Format.MinExponent - exponent), out inexact);
        if (inexact)
            Flags |= FloatFlags.Precision | (tiny ? FloatFlags.Underflow : 0);
        return result;
    }

    private FloatValue Overflow(FloatValue result, bool inexact)
    {
        Flags |= FloatFlags.Overflow;
        if (!Masked(FloatFlags.Overflow))
        {
            // Only FSCALE can be as far off as that.
            result.Exponent -= WrapExponent;
            bool lost = result.Exponent > Format.MaxExponent;
            Flags |= inexact || lost ? FloatFlags.Precision : 0;
            RoundedUp |= lost;
            return lost ? FloatValue.Infinity(result.Negative) : result;
        }

        Flags |= FloatFlags.Precision;
        bool toInfinity = Rounding switch
        {
            Rounding.Nearest => true,
            Rounding.Down => result.Negative,
            Rounding.Up => !result.Negative,
            _ => false,
        };
        RoundedUp = toInfinity;
        return toInfinity
            ? FloatValue.Infinity(result.Negative)
            : FloatValue.Finite(result.Negative, Format.MaxExponent, ulong.MaxValue << (64 - Format.Precision));
    }
}
