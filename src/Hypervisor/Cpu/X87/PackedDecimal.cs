namespace Xen.Cpu;

/// <summary>Packed decimals of FBLD and FBSTP: 18 digits, two a byte, and a byte with the sign in bit 7.</summary>
internal static class PackedDecimal
{
    private const long Limit = 1_000_000_000_000_000_000;

    /// <summary>What an invalid FBSTP stores: sign byte, then the digits.</summary>
    public const ushort IndefiniteSign = 0xFFFF;

    public const ulong IndefiniteDigits = 0xC000_0000_0000_0000;

    /// <summary>The number. Digits beyond 9 count as they stand.</summary>
    public static FloatValue Decode(ulong digits, ushort sign)
    {
        // The ninth byte of digits shares its 16 bits with the sign byte.
        long value = Digits(sign & 0xFFu);
        for (int i = 7; i >= 0; i--)
            value = (value * 100) + Digits((uint)(digits >> (i * 8)) & 0xFF);
        FloatValue result = FloatValue.FromInteger(value);
        result.Negative = (sign & 0x8000) != 0;
        return result;
    }

    /// <summary>Rounds to an integer and encodes it. False: it has more than 18 digits, or is no number.</summary>
    public static bool TryEncode(ref FloatContext context, FloatValue value, out ulong digits, out ushort sign)
    {
        FloatFlags before = context.Flags;
        long integer = FloatMath.ToInteger(ref context, value, 64);
        if ((context.Flags & FloatFlags.Invalid) != 0 || integer <= -Limit || integer >= Limit)
        {
            context.Flags = before | FloatFlags.Invalid;
            context.RoundedUp = false;
            digits = IndefiniteDigits;
            sign = IndefiniteSign;
            return false;
        }

        ulong rest = (ulong)Math.Abs(integer);
        digits = 0;
        for (int i = 0; i < 8; i++)
        {
            (rest, ulong pair) = Math.DivRem(rest, 100);
            digits |= ((pair / 10 << 4) | (pair % 10)) << (i * 8);
        }

        sign = (ushort)((value.Negative ? 0x8000u : 0) | (uint)(rest / 10 << 4) | (uint)(rest % 10));
        return true;
    }

    private static long Digits(uint pair) => ((pair >> 4) * 10) + (pair & 15);
}
