namespace Xen.Cpu;

/// <summary>How results are rounded, as MXCSR and the x87 control word encode it.</summary>
internal enum Rounding : byte
{
    Nearest,
    Down,
    Up,
    TowardZero,
}

/// <summary>Floating-point exceptions: the same six bits in MXCSR, the x87 status word, and (as masks) in their control fields.</summary>
[Flags]
internal enum FloatFlags : byte
{
    None = 0,
    Invalid = 1,
    Denormal = 2,
    DivideByZero = 4,
    Overflow = 8,
    Underflow = 16,
    Precision = 32,

    /// <summary>Raised before an operation; an unmasked one keeps the operation from being carried out.</summary>
    BeforeOperation = Invalid | Denormal | DivideByZero,
    All = 63,
}

/// <summary>A binary floating-point format: how precise, and how far its exponents reach.</summary>
/// <param name="Precision">Bits of the significand, the integer bit included.</param>
/// <param name="MinExponent">Exponent of the smallest normal number, as a power of two of a significand between 1 and 2.</param>
/// <param name="MaxExponent">Exponent of the largest number.</param>
internal readonly record struct FloatFormat(int Precision, int MinExponent, int MaxExponent)
{
    public static readonly FloatFormat Single = new(24, -126, 127);
    public static readonly FloatFormat Double = new(53, -1022, 1023);
    public static readonly FloatFormat Extended = new(64, -16382, 16383);

    /// <summary>Extended range at the precision of a double: what the x87 computes in when its precision control says so.</summary>
    public static readonly FloatFormat ExtendedAsDouble = new(53, -16382, 16383);

    /// <summary>Extended range at the precision of a single.</summary>
    public static readonly FloatFormat ExtendedAsSingle = new(24, -16382, 16383);
}

/// <summary>Kinds of floating-point values.</summary>
internal enum FloatClass : byte
{
    Zero,
    Finite,
    Infinity,
    NaN,

    /// <summary>An extended-precision pattern that no current processor produces or accepts: unnormal, pseudo-infinity, pseudo-NaN.</summary>
    Unsupported,
}
