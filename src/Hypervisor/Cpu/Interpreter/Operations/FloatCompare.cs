using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>The eight predicates of CMPPS and its kin.</summary>
internal static class FloatPredicate
{
    private const int Unordered = 3, Negated = 4;

    /// <summary>The predicate for elements without NaNs.</summary>
    public static Vector128<T> Test<T>(Vector128<T> a, Vector128<T> b, byte predicate)
    {
        Vector128<T> holds = (predicate & 3) switch
        {
            0 => Vector128.Equals(a, b),
            1 => Vector128.LessThan(a, b),
            2 => Vector128.LessThanOrEqual(a, b),
            _ => ~(Vector128.Equals(a, a) & Vector128.Equals(b, b)),
        };
        return (predicate & Negated) != 0 ? ~holds : holds;
    }

    /// <summary>The predicate of one outcome.</summary>
    public static bool Test(FloatOrder order, byte predicate)
    {
        bool holds = (predicate & 3) switch
        {
            0 => order == FloatOrder.Equal,
            1 => order == FloatOrder.Less,
            2 => order is FloatOrder.Less or FloatOrder.Equal,
            _ => order == FloatOrder.Unordered,
        };
        return holds != ((predicate & Negated) != 0);
    }

    /// <summary>Whether a quiet NaN is an invalid operand of the predicate: of the ones that order.</summary>
    public static bool IsSignalling(byte predicate) => (predicate & 3) is 1 or 2;
}

/// <summary>CMPPS, CMPPD: a mask for each element.</summary>
internal readonly struct PackedCompare<T, TSource> : IOperation
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
        byte predicate = (byte)op.Immediate;
        if (FloatFastPath.IsComparable(a, b))
        {
            destination = FloatPredicate.Test(a, b, predicate).AsByte();
            return ref Handler.Next(ref op);
        }

        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, FloatSlowPath.Format<T>());
        Vector128<T> result = default;
        for (int i = 0; i < Vector128<T>.Count; i++)
        {
            if (ScalarCompare<T, TSource>.Holds(ref context, a.GetElement(i), b.GetElement(i), predicate))
                result = result.WithElement(i, Operand.Truncate<T>(ulong.MaxValue));
        }

        if (!cpu.Raise(ref r, in context))
            return ref cpu.Fault(ref r, ref op);
        destination = result.AsByte();
        return ref Handler.Next(ref op);
    }
}

/// <summary>CMPSS, CMPSD.</summary>
internal readonly struct ScalarCompare<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref T destination = ref Operand.At<T>(ref r, op.Dst);
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, FloatSlowPath.Format<T>());
        bool holds = Holds(ref context, destination, source.As<byte, T>().ToScalar(), (byte)op.Immediate);
        if (!cpu.Raise(ref r, in context))
            return ref cpu.Fault(ref r, ref op);
        destination = Operand.Truncate<T>(holds ? ulong.MaxValue : 0);
        return ref Handler.Next(ref op);
    }

    /// <summary>The predicate, with its exceptions.</summary>
    internal static bool Holds(ref FloatContext context, T a, T b, byte predicate)
    {
        FloatValue x = FloatValue.FromBits<T>(Operand.ZeroExtend(a));
        FloatValue y = FloatValue.FromBits<T>(Operand.ZeroExtend(b));
        return FloatPredicate.Test(FloatMath.Compare(ref context, x, y, FloatPredicate.IsSignalling(predicate)), predicate);
    }
}

/// <summary>How COMISS differs from UCOMISS: a quiet NaN is invalid.</summary>
internal interface IComparison
{
    static abstract bool IsSignalling { get; }
}

internal readonly struct Ordered : IComparison
{
    public static bool IsSignalling => true;
}

internal readonly struct Unordered : IComparison
{
    public static bool IsSignalling => false;
}

/// <summary>COMISS, COMISD, UCOMISS, UCOMISD: the outcome goes to ZF, PF and CF.</summary>
internal readonly struct CompareToFlags<TComparison, T, TSource> : IOperation
    where TComparison : struct, IComparison
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        T a = Operand.At<T>(ref r, op.Dst);
        T b = source.As<byte, T>().ToScalar();
        FloatOrder order;
        if (FloatFastPath.IsComparable<T>(Operand.ZeroExtend(a), Operand.ZeroExtend(b)))
        {
            order = a < b ? FloatOrder.Less : a > b ? FloatOrder.Greater : FloatOrder.Equal;
        }
        else
        {
            FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, FloatSlowPath.Format<T>());
            FloatValue x = FloatValue.FromBits<T>(Operand.ZeroExtend(a));
            FloatValue y = FloatValue.FromBits<T>(Operand.ZeroExtend(b));
            order = FloatMath.Compare(ref context, x, y, TComparison.IsSignalling);
            if (!cpu.Raise(ref r, in context))
                return ref cpu.Fault(ref r, ref op);
        }

        cpu.Flags.FromBits(FlagsOf(order));
        return ref Handler.Next(ref op);
    }

    /// <summary>The outcome as arithmetic flags.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong FlagsOf(FloatOrder order) => order switch
    {
        FloatOrder.Less => LazyFlags.Carry,
        FloatOrder.Equal => LazyFlags.Zero,
        FloatOrder.Greater => 0,
        _ => LazyFlags.Carry | LazyFlags.Zero | LazyFlags.Parity,
    };
}
