using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Xen.Cpu;

internal readonly struct PackedAdd<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() + b.As<byte, T>()).AsByte();
}

internal readonly struct PackedSubtract<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() - b.As<byte, T>()).AsByte();
}

internal readonly struct PackedAddSaturate<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.AddSaturate(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

internal readonly struct PackedSubtractSaturate<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.SubtractSaturate(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

internal readonly struct PackedMultiplyLow<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() * b.As<byte, T>()).AsByte();
}

/// <summary>PMULHW: high halves of signed 16-bit products.</summary>
internal readonly struct PackedMultiplyHighSigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyHigh(a.AsInt16(), b.AsInt16()).AsByte();
        (Vector128<int> al, Vector128<int> ah) = Vector128.Widen(a.AsInt16());
        (Vector128<int> bl, Vector128<int> bh) = Vector128.Widen(b.AsInt16());
        return Vector128.Narrow((al * bl) >> 16, (ah * bh) >> 16).AsByte();
    }
}

/// <summary>PMULHUW: high halves of unsigned 16-bit products.</summary>
internal readonly struct PackedMultiplyHighUnsigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyHigh(a.AsUInt16(), b.AsUInt16()).AsByte();
        (Vector128<uint> al, Vector128<uint> ah) = Vector128.Widen(a.AsUInt16());
        (Vector128<uint> bl, Vector128<uint> bh) = Vector128.Widen(b.AsUInt16());
        return Vector128.Narrow((al * bl) >> 16, (ah * bh) >> 16).AsByte();
    }
}

/// <summary>PMULUDQ: 64-bit products of the even 32-bit elements.</summary>
internal readonly struct PackedMultiplyEvenUnsigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.Multiply(a.AsUInt32(), b.AsUInt32()).AsByte();
        Vector128<ulong> low = Vector128.Create((ulong)uint.MaxValue);
        return ((a.AsUInt64() & low) * (b.AsUInt64() & low)).AsByte();
    }
}

/// <summary>PMADDWD: sums of pairs of signed 16-bit products.</summary>
internal readonly struct PackedMultiplyAddPairs : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsByte();
        Vector128<int> even = ((a.AsInt32() << 16) >> 16) * ((b.AsInt32() << 16) >> 16);
        Vector128<int> odd = (a.AsInt32() >> 16) * (b.AsInt32() >> 16);
        return (even + odd).AsByte();
    }
}

/// <summary>PSADBW: sums of absolute differences of eight bytes each.</summary>
internal readonly struct PackedSumOfDifferences : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.SumAbsoluteDifferences(a, b).AsByte();
        Vector128<byte> differences = Vector128.Max(a, b) - Vector128.Min(a, b);
        (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(differences);
        return Vector128.Create((ulong)Vector128.Sum(low), Vector128.Sum(high)).AsByte();
    }
}

/// <summary>PAVGB.</summary>
internal readonly struct PackedAverageBytes : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a | b) - ((a ^ b) >> 1);
}

/// <summary>PAVGW.</summary>
internal readonly struct PackedAverageWords : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        ((a | b).AsUInt16() - ((a ^ b).AsUInt16() >> 1)).AsByte();
}

internal readonly struct PackedMin<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Min(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

internal readonly struct PackedMax<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Max(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

internal readonly struct PackedEqual<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Equals(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

internal readonly struct PackedGreater<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.GreaterThan(a.As<byte, T>(), b.As<byte, T>()).AsByte();
}

internal readonly struct PackedAnd : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a & b;
}

internal readonly struct PackedAndNot : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => ~a & b;
}

internal readonly struct PackedOr : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a | b;
}

internal readonly struct PackedXor : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a ^ b;
}

/// <summary>PSLLW, PSLLD, PSLLQ. The count is the low 64 bits of the source.</summary>
internal readonly struct PackedShiftLeft<T> : IPacked
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        ulong count = b.AsUInt64().ToScalar();
        return count >= (ulong)Operand.Bits<T>() ? default : (a.As<byte, T>() << (int)count).AsByte();
    }
}

/// <summary>PSRLW, PSRLD, PSRLQ.</summary>
internal readonly struct PackedShiftRight<T> : IPacked
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        ulong count = b.AsUInt64().ToScalar();
        return count >= (ulong)Operand.Bits<T>() ? default : (a.As<byte, T>() >>> (int)count).AsByte();
    }
}

/// <summary>PSRAW, PSRAD: a large count leaves signs only.</summary>
internal readonly struct PackedShiftSigned<T> : IPacked
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        ulong count = Math.Min(b.AsUInt64().ToScalar(), (ulong)Operand.Bits<T>() - 1);
        return (a.As<byte, T>() >> (int)count).AsByte();
    }
}

/// <summary>PSLLDQ: shifts by bytes.</summary>
internal readonly struct PackedShiftBytesLeft : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        ulong count = b.AsUInt64().ToScalar();
        return count > 15 ? default : Quadwords.Vector(Quadwords.Number(a) << (int)(count * 8));
    }
}

/// <summary>PSRLDQ.</summary>
internal readonly struct PackedShiftBytesRight : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        ulong count = b.AsUInt64().ToScalar();
        return count > 15 ? default : Quadwords.Vector(Quadwords.Number(a) >> (int)(count * 8));
    }
}

/// <summary>A vector as one number, and back.</summary>
internal static class Quadwords
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static UInt128 Number(Vector128<byte> vector) => new(vector.AsUInt64().GetElement(1), vector.AsUInt64().ToScalar());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Vector(UInt128 number) => Vector128.Create((ulong)number, (ulong)(number >> 64)).AsByte();
}
