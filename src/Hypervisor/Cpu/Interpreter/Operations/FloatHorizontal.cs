using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>ADDSUBPS, ADDSUBPD: even elements are subtracted, odd ones added.</summary>
internal readonly struct FloatAddSubtract : IPackedArithmetic
{
    public static bool Selects => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<T> Packed<T>(Vector128<T> a, Vector128<T> b)
    {
        Vector128<ulong> even = Vector128<T>.Count == 4 ? Vector128.Create((ulong)uint.MaxValue) : Vector128.Create(ulong.MaxValue, 0);
        return Vector128.ConditionalSelect(even.As<ulong, T>(), a - b, a + b);
    }

    public static FloatValue Soft(ref FloatContext context, in FloatValue a, in FloatValue b, int lane) =>
        (lane & 1) == 0 ? FloatMath.Subtract(ref context, a, b) : FloatMath.Add(ref context, a, b);
}

/// <summary>HADDPS, HSUBPD, ...: the operation on the even and the odd elements of both operands.</summary>
internal readonly struct HorizontalArithmetic<TOp, T, TSource> : IOperation
    where TOp : struct, IPackedArithmetic
    where T : unmanaged
    where TSource : struct, IVectorSource
{
    private const byte EvenSingles = 0x88, OddSingles = 0xDD, EvenDoubles = 0, OddDoubles = 3;

    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref Vector128<byte> destination = ref Operand.At<Vector128<byte>>(ref r, op.Dst);
        bool singles = Vector128<T>.Count == 4;
        Vector128<T> even = (singles
            ? ShuffleSingles.Apply(destination, source, EvenSingles)
            : ShuffleDoubles.Apply(destination, source, EvenDoubles)).As<byte, T>();
        Vector128<T> odd = (singles
            ? ShuffleSingles.Apply(destination, source, OddSingles)
            : ShuffleDoubles.Apply(destination, source, OddDoubles)).As<byte, T>();
        Vector128<T> result = TOp.Packed(even, odd);
        bool ordinary = FloatFastPath.IsPlain(r.Mxcsr) && FloatFastPath.IsOrdinary(even, odd, result);
        if (!ordinary && !FloatSlowPath.Packed<TOp, T>(cpu, ref r, even, odd, out result))
            return ref cpu.Fault(ref r, ref op);
        destination = result.AsByte();
        return ref Handler.Next(ref op);
    }
}

/// <summary>DPPS, DPPD: the sum of the products that the immediate's high half selects, to the elements that its low half selects.</summary>
internal readonly struct DotProduct<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref Vector128<byte> destination = ref Operand.At<Vector128<byte>>(ref r, op.Dst);
        FloatContext context = FloatContext.FromMxcsr(r.Mxcsr, FloatSlowPath.Format<T>());
        int selected = (int)op.Immediate >> 4;
        Span<FloatValue> products = stackalloc FloatValue[Vector128<T>.Count];
        for (int i = 0; i < products.Length; i++)
        {
            products[i] = ((selected >> i) & 1) == 0
                ? FloatValue.Zero(false)
                : Stored(FloatMath.Multiply(ref context, Element(destination, i), Element(source, i)));
        }

        // Every element gets its own sum: which of two NaNs comes first depends on it.
        Span<FloatValue> sums = stackalloc FloatValue[products.Length];
        for (int i = 0; i < sums.Length; i++)
            sums[i] = Stored(FloatMath.Add(ref context, products[i ^ 1], products[i]));
        Vector128<T> result = default;
        for (int i = 0; i < sums.Length; i++)
        {
            FloatValue sum = sums.Length == 2 ? sums[i] : FloatMath.Add(ref context, sums[i], sums[i ^ 2]);
            if (((op.Immediate >> i) & 1) != 0)
                result = result.WithElement(i, Operand.Truncate<T>(sum.ToBits<T>()));
        }

        if (!cpu.Raise(ref r, in context))
            return ref cpu.Fault(ref r, ref op);
        destination = result.AsByte();
        return ref Handler.Next(ref op);
    }

    /// <summary>An intermediate result as an operand: it may be denormal.</summary>
    private static FloatValue Stored(in FloatValue value) => FloatValue.FromBits<T>(value.ToBits<T>());

    private static FloatValue Element(Vector128<byte> vector, int i) => FloatValue.FromBits<T>(Operand.ZeroExtend(vector.As<byte, T>().GetElement(i)));
}
