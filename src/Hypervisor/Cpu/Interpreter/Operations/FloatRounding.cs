using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>
/// The immediate of ROUNDPS and its kin.
/// <code>
///   3          2           1..0
/// +----------+-----------+----------+
/// | quiet    | as MXCSR  | rounding |
/// +----------+-----------+----------+
/// </code>
/// </summary>
internal static class RoundControl
{
    private const byte Quiet = 8, AsMxcsr = 4;

    /// <summary>How to round.</summary>
    public static Rounding Mode(byte immediate, uint mxcsr) => (Rounding)((immediate & AsMxcsr) != 0 ? (mxcsr >> 13) & 3 : immediate & 3u);

    public static bool IsQuiet(byte immediate) => (immediate & Quiet) != 0;

    /// <summary>One element in software.</summary>
    public static T Element<T>(ref FloatContext context, T value, byte immediate)
        where T : unmanaged
    {
        FloatValue rounded = FloatMath.RoundToIntegral(ref context, FloatValue.FromBits<T>(Operand.ZeroExtend(value)), IsQuiet(immediate));
        return Operand.Truncate<T>(rounded.ToBits<T>());
    }
}

/// <summary>ROUNDPS, ROUNDPD.</summary>
internal readonly struct PackedRound<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, FloatSlowPath.Format<T>());
        context.Rounding = RoundControl.Mode((byte)op.Immediate, r.Mxcsr);
        Vector128<T> result = default;
        for (int i = 0; i < Vector128<T>.Count; i++)
            result = result.WithElement(i, RoundControl.Element(ref context, source.As<byte, T>().GetElement(i), (byte)op.Immediate));
        if (!cpu.Raise(ref r, in context))
            return ref cpu.Fault(ref r, ref op);
        Operand.At<Vector128<byte>>(ref r, op.Dst) = result.AsByte();
        return ref Handler.Next(ref op);
    }
}

/// <summary>ROUNDSS, ROUNDSD: what floor, ceil and their kin are made of.</summary>
internal readonly struct ScalarRound<T, TSource> : IOperation
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        T value = source.As<byte, T>().ToScalar();
        byte immediate = (byte)op.Immediate;
        Rounding mode = RoundControl.Mode(immediate, r.Mxcsr);
        T result;
        if (RoundControl.IsQuiet(immediate) && FloatFastPath.IsComparable<T>(Operand.ZeroExtend(value), 0))
        {
            result = Fast(value, mode);
        }
        else
        {
            FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, FloatSlowPath.Format<T>());
            context.Rounding = mode;
            result = RoundControl.Element(ref context, value, immediate);
            if (!cpu.Raise(ref r, in context))
                return ref cpu.Fault(ref r, ref op);
        }

        Operand.At<T>(ref r, op.Dst) = result;
        return ref Handler.Next(ref op);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Fast(T value, Rounding mode) => mode switch
    {
        Rounding.Nearest => T.Round(value, MidpointRounding.ToEven),
        Rounding.Down => T.Floor(value),
        Rounding.Up => T.Ceiling(value),
        _ => T.Truncate(value),
    };
}
