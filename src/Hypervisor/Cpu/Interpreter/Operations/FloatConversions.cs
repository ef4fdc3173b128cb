using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>A conversion of one element. Source and result are the elements' bits.</summary>
internal interface IConversion
{
    static abstract ulong Apply(ref FloatContext context, ulong source);

    /// <summary>The format of the result.</summary>
    static abstract FloatFormat Format { get; }
}

/// <summary>Rounds as MXCSR says.</summary>
internal readonly struct ByControl : IRoundingChoice
{
    public static bool Truncates => false;
}

/// <summary>Cuts the fraction off.</summary>
internal readonly struct ByTruncation : IRoundingChoice
{
    public static bool Truncates => true;
}

internal interface IRoundingChoice
{
    static abstract bool Truncates { get; }
}

/// <summary>CVTSS2SD, CVTPS2PD.</summary>
internal readonly struct SingleToDouble : IConversion
{
    public static FloatFormat Format => FloatFormat.Double;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ref FloatContext context, ulong source) =>
        FloatFastPath.IsComparable<float>(source, 0)
            ? BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle((uint)source))
            : FloatMath.Convert(ref context, FloatValue.FromSingle((uint)source)).ToDouble();
}

/// <summary>CVTSD2SS, CVTPD2PS.</summary>
internal readonly struct DoubleToSingle : IConversion
{
    public static FloatFormat Format => FloatFormat.Single;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ref FloatContext context, ulong source)
    {
        uint result = BitConverter.SingleToUInt32Bits((float)BitConverter.UInt64BitsToDouble(source));
        return context.IsPlain && FloatFastPath.IsOrdinary<float>(0, 0, result)
            ? result
            : FloatMath.Convert(ref context, FloatValue.FromDouble(source)).ToSingle();
    }
}

/// <summary>Float or double to int or long.</summary>
internal readonly struct ToInteger<TFrom, TTo, TRounding> : IConversion
    where TFrom : unmanaged
    where TTo : unmanaged
    where TRounding : struct, IRoundingChoice
{
    public static FloatFormat Format => FloatFormat.Double;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ref FloatContext context, ulong source)
    {
        double value = Operand.Bits<TFrom>() == 32 ? BitConverter.UInt32BitsToSingle((uint)source) : BitConverter.UInt64BitsToDouble(source);
        double limit = Operand.Bits<TTo>() == 32 ? 2147483647 : 9.2e18;
        if (context.IsPlain && Math.Abs(value) < limit)
            return (ulong)(long)(TRounding.Truncates ? value : Math.Round(value, MidpointRounding.ToEven));
        return Slow(ref context, source);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong Slow(ref FloatContext context, ulong source)
    {
        if (TRounding.Truncates)
            context.Rounding = Rounding.TowardZero;
        return (ulong)FloatMath.ToInteger(ref context, FloatValue.FromBits<TFrom>(source), Operand.Bits<TTo>());
    }
}

/// <summary>Int or long to float or double.</summary>
internal readonly struct FromInteger<TFrom, TTo> : IConversion
    where TFrom : unmanaged
    where TTo : unmanaged
{
    public static FloatFormat Format => FloatSlowPath.Format<TTo>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ref FloatContext context, ulong source)
    {
        long value = Operand.SignExtend(Operand.Truncate<TFrom>(source));
        bool exact = Math.Abs(value >> 1) < (Operand.Bits<TTo>() == 32 ? 1L << 23 : 1L << 52);
        if (exact)
            return Operand.Bits<TTo>() == 32 ? BitConverter.SingleToUInt32Bits((int)value) : BitConverter.DoubleToUInt64Bits(value);
        return context.Round(FloatValue.FromInteger(value)).ToBits<TTo>();
    }
}

/// <summary>general register = conversion of the lowest element.</summary>
internal readonly struct ConvertToGeneral<TConversion, T, TSource> : IOperation
    where TConversion : struct, IConversion
    where T : unmanaged
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, TConversion.Format);
        ulong result = TConversion.Apply(ref context, source.AsUInt64().ToScalar());
        if (context.Flags != 0 && !cpu.Raise(ref r, in context))
            return ref cpu.Fault(ref r, ref op);
        Operand.Write<T>(ref r, op.Dst, result);
        return ref Handler.Next(ref op);
    }
}

/// <summary>Lowest element of xmm = conversion of the source.</summary>
internal readonly struct ConvertToScalar<TConversion, T, TSource> : IOperation
    where TConversion : struct, IConversion
    where T : unmanaged
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, TConversion.Format);
        ulong result = TConversion.Apply(ref context, source.AsUInt64().ToScalar());
        if (context.Flags != 0 && !cpu.Raise(ref r, in context))
            return ref cpu.Fault(ref r, ref op);
        Operand.At<T>(ref r, op.Dst) = Operand.Truncate<T>(result);
        return ref Handler.Next(ref op);
    }
}

/// <summary>How many elements a packed conversion has, and what becomes of the rest of its result.</summary>
internal interface IPackedResult
{
    static abstract void Write(ref RegisterFile r, ushort offset, Vector128<byte> result);
}

/// <summary>xmm, zero beyond the result.</summary>
internal readonly struct ToXmm : IPackedResult
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref RegisterFile r, ushort offset, Vector128<byte> result) => Operand.At<Vector128<byte>>(ref r, offset) = result;
}

/// <summary>The low half of xmm.</summary>
internal readonly struct ToXmmLowHalf : IPackedResult
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref RegisterFile r, ushort offset, Vector128<byte> result) =>
        Operand.At<ulong>(ref r, offset) = result.AsUInt64().ToScalar();
}

/// <summary>An MMX register.</summary>
internal readonly struct ToMmx : IPackedResult
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref RegisterFile r, ushort offset, Vector128<byte> result) => Mmx.Write(ref r, offset, result.AsUInt64().ToScalar());
}

/// <summary>A packed conversion: as many elements as the wider of both types has in a vector, two when an MMX register takes part.</summary>
internal readonly struct PackedConvert<TConversion, TFrom, TTo, TSource, TResult> : IOperation
    where TConversion : struct, IConversion
    where TFrom : unmanaged
    where TTo : unmanaged
    where TSource : struct, IVectorSource
    where TResult : struct, IPackedResult
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, TConversion.Format);
        int count = typeof(TResult) == typeof(ToXmm) ? Math.Min(Vector128<TFrom>.Count, Vector128<TTo>.Count) : 2;
        Vector128<TTo> result = default;
        for (int i = 0; i < count; i++)
        {
            ulong converted = TConversion.Apply(ref context, Operand.ZeroExtend(source.As<byte, TFrom>().GetElement(i)));
            result = result.WithElement(i, Operand.Truncate<TTo>(converted));
        }

        if (context.Flags != 0 && !cpu.Raise(ref r, in context))
            return ref cpu.Fault(ref r, ref op);
        TResult.Write(ref r, op.Dst, result.AsByte());
        return ref Handler.Next(ref op);
    }
}
