using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Xen.Cpu;

/// <summary>PHADDW, PHSUBD, ...: an operation on the even and the odd elements of both operands.</summary>
internal readonly struct Horizontal<TOp, T> : IPacked
    where TOp : struct, IPacked
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<byte> even = Operand.Bits<T>() == 16
            ? Vector128.Create((byte)0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13)
            : Vector128.Create((byte)0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
        Vector128<byte> odd = even + Vector128.Create((byte)(Operand.Bits<T>() / 8));
        return TOp.Apply(Halves(a, b, even), Halves(a, b, odd));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Halves(Vector128<byte> a, Vector128<byte> b, Vector128<byte> control) =>
        Vector128.Create(Vector128.ShuffleNative(a, control).GetLower(), Vector128.ShuffleNative(b, control).GetLower());
}

/// <summary>PMADDUBSW: saturated sums of pairs of products of unsigned bytes (of the destination) and signed ones.</summary>
internal readonly struct PackedMultiplyAddBytes : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<short> even = ((a.AsInt16() << 8) >>> 8) * ((b.AsInt16() << 8) >> 8);
        Vector128<short> odd = (a.AsInt16() >>> 8) * (b.AsInt16() >> 8);
        return Vector128.AddSaturate(even, odd).AsByte();
    }
}

/// <summary>PMULHRSW: rounded high parts of signed 16-bit products.</summary>
internal readonly struct PackedMultiplyHighRound : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Ssse3.IsSupported)
            return Ssse3.MultiplyHighRoundScale(a.AsInt16(), b.AsInt16()).AsByte();
        (Vector128<int> al, Vector128<int> ah) = Vector128.Widen(a.AsInt16());
        (Vector128<int> bl, Vector128<int> bh) = Vector128.Widen(b.AsInt16());
        Vector128<int> one = Vector128<int>.One;
        return Vector128.Narrow((((al * bl) >> 14) + one) >> 1, (((ah * bh) >> 14) + one) >> 1).AsByte();
    }
}

/// <summary>PSHUFB: an index with its top bit set gives 0.</summary>
internal readonly struct ShuffleBytes : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Ssse3.IsSupported ? Ssse3.Shuffle(a, b) : Vector128.Shuffle(a, b & Vector128.Create((byte)0x8F));
}

/// <summary>PSHUFB of MMX registers.</summary>
internal readonly struct ShuffleBytesMmx : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => ShuffleBytes.Apply(a, b & Vector128.Create((byte)0x87));
}

/// <summary>PSIGNB, PSIGNW, PSIGND: negated, zero or unchanged, as the source's sign says.</summary>
internal readonly struct PackedSign<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<T> value = a.As<byte, T>();
        Vector128<T> sign = b.As<byte, T>();
        Vector128<T> signed = Vector128.ConditionalSelect(Vector128.LessThan(sign, Vector128<T>.Zero), -value, value);
        return (signed & ~Vector128.Equals(sign, Vector128<T>.Zero)).AsByte();
    }
}

/// <summary>PABSB, PABSW, PABSD.</summary>
internal readonly struct PackedAbsolute<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<T> value = b.As<byte, T>();
        return Vector128.ConditionalSelect(Vector128.LessThan(value, Vector128<T>.Zero), -value, value).AsByte();
    }
}

/// <summary>PALIGNR: 16 bytes out of both operands, the source below.</summary>
internal readonly struct AlignBytes : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate)
    {
        int shift = immediate * 8;
        return immediate switch
        {
            0 => b,
            < 16 => Quadwords.Vector((Quadwords.Number(b) >> shift) | (Quadwords.Number(a) << (128 - shift))),
            < 32 => Quadwords.Vector(Quadwords.Number(a) >> (shift - 128)),
            _ => default,
        };
    }
}

/// <summary>PALIGNR of MMX registers.</summary>
internal readonly struct AlignBytesMmx : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate)
    {
        var both = new UInt128(a.AsUInt64().ToScalar(), b.AsUInt64().ToScalar());
        return immediate < 16 ? Quadwords.Vector(both >> (immediate * 8)) : default;
    }
}

/// <summary>PMULDQ: 64-bit products of the even signed 32-bit elements.</summary>
internal readonly struct PackedMultiplyEvenSigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse41.IsSupported)
            return Sse41.Multiply(a.AsInt32(), b.AsInt32()).AsByte();
        return (((a.AsInt64() << 32) >> 32) * ((b.AsInt64() << 32) >> 32)).AsByte();
    }
}

/// <summary>PACKUSDW: signed doublewords to unsigned words.</summary>
internal readonly struct PackDoublewordsUnsigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse41.IsSupported)
            return Sse41.PackUnsignedSaturate(a.AsInt32(), b.AsInt32()).AsByte();
        Vector128<int> most = Vector128.Create(65535);
        Vector128<int> low = Vector128.Clamp(a.AsInt32(), Vector128<int>.Zero, most);
        Vector128<int> high = Vector128.Clamp(b.AsInt32(), Vector128<int>.Zero, most);
        return Vector128.Narrow(low.AsUInt32(), high.AsUInt32()).AsByte();
    }
}

/// <summary>PMOVSX*, PMOVZX*: widens the lowest elements; how, the types say.</summary>
internal readonly struct Widen<TFrom, TTo> : IPacked
    where TFrom : unmanaged
    where TTo : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<TTo> result = default;
        for (int i = 0; i < Vector128<TTo>.Count; i++)
        {
            TFrom element = b.As<byte, TFrom>().GetElement(i);
            bool signed = typeof(TFrom) == typeof(sbyte) || typeof(TFrom) == typeof(short) || typeof(TFrom) == typeof(int);
            result = result.WithElement(i, Operand.Truncate<TTo>(signed ? (ulong)Operand.SignExtend(element) : Operand.ZeroExtend(element)));
        }

        return result.AsByte();
    }
}

/// <summary>PHMINPOSUW: the smallest word and where it is.</summary>
internal readonly struct SmallestWord : IPacked
{
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<ushort> words = b.AsUInt16();
        int at = 0;
        for (int i = 1; i < 8; i++)
        {
            if (words.GetElement(i) < words.GetElement(at))
                at = i;
        }

        return Vector128.CreateScalar(words.GetElement(at) | ((ulong)at << 16)).AsByte();
    }
}

/// <summary>MPSADBW: sums of absolute differences of a group of four source bytes and eight overlapping groups of the destination.</summary>
internal readonly struct MultipleSumsOfDifferences : IPackedImmediate
{
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate)
    {
        int source = (immediate & 3) * 4, destination = immediate & 4;
        Vector128<ushort> result = default;
        for (int i = 0; i < 8; i++)
        {
            int sum = 0;
            for (int j = 0; j < 4; j++)
                sum += Math.Abs(a.GetElement(destination + i + j) - b.GetElement(source + j));
            result = result.WithElement(i, (ushort)sum);
        }

        return result.AsByte();
    }
}

/// <summary>BLENDPS, BLENDPD, PBLENDW: elements of the source where the immediate's bits are set.</summary>
internal readonly struct Blend<T> : IPackedImmediate
{
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate)
    {
        Vector128<T> result = a.As<byte, T>();
        for (int i = 0; i < Vector128<T>.Count; i++)
        {
            if (((immediate >> i) & 1) != 0)
                result = result.WithElement(i, b.As<byte, T>().GetElement(i));
        }

        return result.AsByte();
    }
}

/// <summary>INSERTPS: one element of the source to one of the destination; then zeros where the low four bits say.</summary>
internal readonly struct InsertSingle : IPackedImmediate
{
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate)
    {
        Vector128<uint> result = a.AsUInt32().WithElement((immediate >> 4) & 3, b.AsUInt32().GetElement(immediate >> 6));
        for (int i = 0; i < 4; i++)
        {
            if (((immediate >> i) & 1) != 0)
                result = result.WithElement(i, 0u);
        }

        return result.AsByte();
    }
}

/// <summary>MOVDDUP.</summary>
internal readonly struct DuplicateLow : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Create(b.AsUInt64().ToScalar()).AsByte();
}

/// <summary>MOVSLDUP.</summary>
internal readonly struct DuplicateEven : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => ShuffleDoublewords.Apply(a, b, 0xA0);
}

/// <summary>MOVSHDUP.</summary>
internal readonly struct DuplicateOdd : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => ShuffleDoublewords.Apply(a, b, 0xF5);
}

/// <summary>BLENDVPS, BLENDVPD, PBLENDVB: elements of the source where xmm0 is negative.</summary>
internal readonly struct BlendBySign<T, TSource> : IOperation
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref Vector128<byte> destination = ref Operand.At<Vector128<byte>>(ref r, op.Dst);
        Vector128<byte> mask = Vector128.LessThan(r.Xmm[0].As<byte, T>(), Vector128<T>.Zero).AsByte();
        destination = Vector128.ConditionalSelect(mask, source, destination);
        return ref Handler.Next(ref op);
    }
}

/// <summary>PTEST: ZF when no bit is common, CF when the destination has every bit of the source.</summary>
internal readonly struct TestVectors<TSource> : IOperation
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        Vector128<byte> destination = Operand.At<Vector128<byte>>(ref r, op.Dst);
        bool zero = (source & destination) == Vector128<byte>.Zero;
        bool carry = (source & ~destination) == Vector128<byte>.Zero;
        cpu.Flags.FromBits((zero ? LazyFlags.Zero : 0) | (carry ? LazyFlags.Carry : 0));
        return ref Handler.Next(ref op);
    }
}
