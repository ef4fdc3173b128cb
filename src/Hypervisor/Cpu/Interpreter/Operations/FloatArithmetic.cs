using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>
/// A floating-point operation, twice: by the host's processor, for operands and results that raise nothing but the precision exception, and in
/// software, which is exact in everything.
/// </summary>
internal interface IPackedArithmetic
{
    static abstract Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b);

    /// <summary>The result is one of the operands as it is, so that only NaNs and denormals among them raise anything.</summary>
    static abstract bool Selects { get; }

    /// <param name="context">Rounding, exceptions.</param>
    /// <param name="a">The destination's old element.</param>
    /// <param name="b">The source's element.</param>
    /// <param name="lane">Number of the element.</param>
    static abstract FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane);
}

/// <summary>An operation that has a scalar form, too.</summary>
internal interface IArithmetic : IPackedArithmetic
{
    static abstract T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>;
}

/// <summary>When the host's result is the guest's.</summary>
internal static class FloatFastPath
{
    private const uint Watched = 0x7FA0, Plain = 0x1FA0;

    /// <summary>Rounding to nearest, all exceptions masked, and the precision exception recorded already: then only rarer exceptions matter.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsPlain(uint mxcsr) => (mxcsr & Watched) == Plain;

    /// <summary>Neither operand is denormal, and the result is normal and not the smallest, so that it cannot have been denormal before rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsOrdinary<T>(ulong a, ulong b, ulong result)
        where T : unmanaged =>
        !IsDenormal<T>(a) && !IsDenormal<T>(b) && Magnitude<T>(result) - (MinNormal<T>() + 1) < InfinityBits<T>() - (MinNormal<T>() + 1);

    /// <summary>As <see cref="IsOrdinary{T}(ulong, ulong, ulong)"/>, for all elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsOrdinary<T>(Vector128<T> a, Vector128<T> b, Vector128<T> result)
        where T : unmanaged
    {
        Vector128<T> least = Vector128.Create(LeastNormal<T>());
        Vector128<T> magnitude = Vector128.Abs(result);
        Vector128<T> good = Vector128.GreaterThan(magnitude, least) & Vector128.LessThanOrEqual(magnitude, Vector128.Create(Greatest<T>()));
        Vector128<T> bad = Denormals(a, least) | Denormals(b, least) | ~good;
        return bad.AsUInt64() == Vector128<ulong>.Zero;
    }

    /// <summary>No element is a NaN or denormal: comparisons raise nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsComparable<T>(Vector128<T> a, Vector128<T> b)
        where T : unmanaged
    {
        Vector128<T> least = Vector128.Create(LeastNormal<T>());
        Vector128<T> bad = Denormals(a, least) | Denormals(b, least) | ~(Vector128.Equals(a, a) & Vector128.Equals(b, b));
        return bad.AsUInt64() == Vector128<ulong>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsComparable<T>(ulong a, ulong b)
        where T : unmanaged =>
        !IsDenormal<T>(a) && !IsDenormal<T>(b) && Magnitude<T>(a) <= InfinityBits<T>() && Magnitude<T>(b) <= InfinityBits<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsDenormal<T>(ulong bits)
        where T : unmanaged => Magnitude<T>(bits) - 1 < MinNormal<T>() - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsNaN<T>(ulong bits)
        where T : unmanaged => Magnitude<T>(bits) > InfinityBits<T>();

    private static Vector128<T> Denormals<T>(Vector128<T> value, Vector128<T> least) =>
        Vector128.LessThan(Vector128.Abs(value), least) & ~Vector128.Equals(value, Vector128<T>.Zero);

    /// <summary>The number without its sign, left-aligned.</summary>
    private static ulong Magnitude<T>(ulong bits)
        where T : unmanaged => bits << (65 - Operand.Bits<T>());

    private static ulong MinNormal<T>()
        where T : unmanaged => Operand.Bits<T>() == 32 ? 1ul << 56 : 1ul << 53;

    private static ulong InfinityBits<T>()
        where T : unmanaged => Operand.Bits<T>() == 32 ? 0xFFul << 56 : 0x7FFul << 53;

    private static T LeastNormal<T>()
        where T : unmanaged => Operand.Truncate<T>(Operand.Bits<T>() == 32 ? 0x0080_0000ul : 0x0010_0000_0000_0000);

    private static T Greatest<T>()
        where T : unmanaged => Operand.Truncate<T>(Operand.Bits<T>() == 32 ? 0x7F7F_FFFFul : 0x7FEF_FFFF_FFFF_FFFF);
}

/// <summary>ADDPS, MULPD, ...: xmm = op(xmm, source) on every element.</summary>
internal readonly struct PackedArithmetic<TOp, T, TSource> : IOperation
    where TOp : struct, IPackedArithmetic
    where T : unmanaged
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref Vector128<byte> destination = ref Operand.At<Vector128<byte>>(ref r, op.Dst);
        Vector128<T> a = destination.As<byte, T>();
        Vector128<T> b = source.As<byte, T>();
        Vector128<T> result = TOp.Packed(a, b);
        bool ordinary = TOp.Selects
            ? FloatFastPath.IsComparable(a, b)
            : FloatFastPath.IsPlain(r.Mxcsr) && FloatFastPath.IsOrdinary(a, b, result);
        if (!ordinary && !FloatSlowPath.Packed<TOp, T>(cpu, ref r, a, b, out result))
            return ref cpu.Fault(ref r, ref op);
        destination = result.AsByte();
        return ref Handler.Next(ref op);
    }
}

/// <summary>ADDSS, MULSD, ...: as the packed form, on the lowest element only.</summary>
internal readonly struct ScalarArithmetic<TOp, T, TSource> : IOperation
    where TOp : struct, IArithmetic
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref T destination = ref Operand.At<T>(ref r, op.Dst);
        T a = destination;
        T b = source.As<byte, T>().ToScalar();
        T result = TOp.Scalar(a, b);
        bool ordinary = TOp.Selects
            ? FloatFastPath.IsComparable<T>(Operand.ZeroExtend(a), Operand.ZeroExtend(b))
            : FloatFastPath.IsPlain(r.Mxcsr)
                && FloatFastPath.IsOrdinary<T>(Operand.ZeroExtend(a), Operand.ZeroExtend(b), Operand.ZeroExtend(result));
        if (!ordinary && !FloatSlowPath.Scalar<TOp, T>(cpu, ref r, a, b, out result))
            return ref cpu.Fault(ref r, ref op);
        destination = result;
        return ref Handler.Next(ref op);
    }
}

/// <summary>Floating-point operations in software.</summary>
internal static class FloatSlowPath
{
    public static FloatFormat Format<T>()
        where T : unmanaged => Operand.Bits<T>() == 32 ? FloatFormat.Single : FloatFormat.Double;

    /// <summary>False: #XM is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool Packed<TOp, T>(Interpreter cpu, ref RegisterFile r, Vector128<T> a, Vector128<T> b, out Vector128<T> result)
        where TOp : struct, IPackedArithmetic
        where T : unmanaged
    {
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, Format<T>());
        result = default;
        for (int i = 0; i < Vector128<T>.Count; i++)
            result = result.WithElement(i, Lane<TOp, T>(ref context, a.GetElement(i), b.GetElement(i), i));
        return cpu.Raise(ref r, in context);
    }

    /// <summary>False: #XM is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool Scalar<TOp, T>(Interpreter cpu, ref RegisterFile r, T a, T b, out T result)
        where TOp : struct, IPackedArithmetic
        where T : unmanaged
    {
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, Format<T>());
        result = Lane<TOp, T>(ref context, a, b, 0);
        return cpu.Raise(ref r, in context);
    }

    private static T Lane<TOp, T>(ref FloatContext context, T a, T b, int lane)
        where TOp : struct, IPackedArithmetic
        where T : unmanaged
    {
        FloatValue value = TOp.Soft(
            ref context, FloatValue.FromBits<T>(Operand.ZeroExtend(a)), FloatValue.FromBits<T>(Operand.ZeroExtend(b)), lane);
        return Operand.Truncate<T>(value.ToBits<T>());
    }
}

internal readonly struct FloatAdd : IArithmetic
{
    public static bool Selects => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => a + b;

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) => FloatMath.Add(ref context, a, b);
}

internal readonly struct FloatSubtract : IArithmetic
{
    public static bool Selects => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => a - b;

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) => FloatMath.Subtract(ref context, a, b);
}

internal readonly struct FloatMultiply : IArithmetic
{
    public static bool Selects => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => a * b;

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) => FloatMath.Multiply(ref context, a, b);
}

internal readonly struct FloatDivide : IArithmetic
{
    public static bool Selects => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => a / b;

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) => FloatMath.Divide(ref context, a, b);
}

internal readonly struct FloatSquareRoot : IArithmetic
{
    public static bool Selects => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b) => Vector128.Sqrt(b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => T.Sqrt(b);

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) => FloatMath.SquareRoot(ref context, b);
}

/// <summary>MINPS, ...: the source when it is not greater, and when either is a NaN.</summary>
internal readonly struct FloatMin : IArithmetic
{
    public static bool Selects => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b) => Vector128.ConditionalSelect(Vector128.LessThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => a < b ? a : b;

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) =>
        FloatMath.Compare(ref context, a, b, true) == FloatOrder.Less ? context.AsOperand(in a) : context.AsOperand(in b);
}

/// <summary>MAXPS, ...</summary>
internal readonly struct FloatMax : IArithmetic
{
    public static bool Selects => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b) => Vector128.ConditionalSelect(Vector128.GreaterThan(a, b), a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Scalar<T>(T a, T b)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> => a > b ? a : b;

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) =>
        FloatMath.Compare(ref context, a, b, true) == FloatOrder.Greater ? context.AsOperand(in a) : context.AsOperand(in b);
}
