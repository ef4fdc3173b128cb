using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Xen.Cpu;

/// <summary>PUNPCKL*, UNPCKLPS, UNPCKLPD, MOVLHPS: interleaves the low halves.</summary>
internal readonly struct InterleaveLow<T> : IPacked
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
        {
            return Operand.Bits<T>() switch
            {
                8 => Sse2.UnpackLow(a, b),
                16 => Sse2.UnpackLow(a.AsUInt16(), b.AsUInt16()).AsByte(),
                32 => Sse2.UnpackLow(a.AsUInt32(), b.AsUInt32()).AsByte(),
                _ => Sse2.UnpackLow(a.AsUInt64(), b.AsUInt64()).AsByte(),
            };
        }

        return Interleave.Select<T>(a, b, 0);
    }
}

/// <summary>PUNPCKH*, UNPCKHPS, UNPCKHPD: interleaves the high halves.</summary>
internal readonly struct InterleaveHigh<T> : IPacked
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
        {
            return Operand.Bits<T>() switch
            {
                8 => Sse2.UnpackHigh(a, b),
                16 => Sse2.UnpackHigh(a.AsUInt16(), b.AsUInt16()).AsByte(),
                32 => Sse2.UnpackHigh(a.AsUInt32(), b.AsUInt32()).AsByte(),
                _ => Sse2.UnpackHigh(a.AsUInt64(), b.AsUInt64()).AsByte(),
            };
        }

        return Interleave.Select<T>(a, b, 8);
    }
}

/// <summary>Interleaving element by element, for processors without the instruction.</summary>
internal static class Interleave
{
    public static Vector128<byte> Select<T>(Vector128<byte> a, Vector128<byte> b, int from)
        where T : unmanaged
    {
        int size = Operand.Bits<T>() / 8;
        Vector128<byte> result = default;
        for (int i = 0; i < 16; i++)
        {
            int element = i / size;
            byte picked = ((element & 1) == 0 ? a : b).GetElement(from + (element / 2 * size) + (i % size));
            result = result.WithElement(i, picked);
        }

        return result;
    }
}

/// <summary>MOVHLPS: the low half becomes the source's high half.</summary>
internal readonly struct HighToLow : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a.AsUInt64().WithElement(0, b.AsUInt64().GetElement(1)).AsByte();
}

/// <summary>PACKSSWB.</summary>
internal readonly struct PackWordsSigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.NarrowWithSaturation(a.AsInt16(), b.AsInt16()).AsByte();
}

/// <summary>PACKSSDW.</summary>
internal readonly struct PackDoublewordsSigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.NarrowWithSaturation(a.AsInt32(), b.AsInt32()).AsByte();
}

/// <summary>PACKUSWB: signed words to unsigned bytes.</summary>
internal readonly struct PackWordsUnsigned : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        if (Sse2.IsSupported)
            return Sse2.PackUnsignedSaturate(a.AsInt16(), b.AsInt16());
        Vector128<short> most = Vector128.Create((short)255);
        Vector128<short> low = Vector128.Clamp(a.AsInt16(), Vector128<short>.Zero, most);
        Vector128<short> high = Vector128.Clamp(b.AsInt16(), Vector128<short>.Zero, most);
        return Vector128.Narrow(low.AsUInt16(), high.AsUInt16());
    }
}

/// <summary>PSHUFD.</summary>
internal readonly struct ShuffleDoublewords : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) =>
        Vector128.ShuffleNative(b, ShuffleControl.Doublewords[immediate]);
}

/// <summary>PSHUFLW; PSHUFW of MMX registers.</summary>
internal readonly struct ShuffleLowWords : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) =>
        Vector128.ShuffleNative(b, ShuffleControl.LowWords[immediate]);
}

/// <summary>PSHUFHW.</summary>
internal readonly struct ShuffleHighWords : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) =>
        Vector128.ShuffleNative(b, ShuffleControl.HighWords[immediate]);
}

/// <summary>SHUFPS: two elements of each operand.</summary>
internal readonly struct ShuffleSingles : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate)
    {
        Vector128<byte> control = ShuffleControl.Doublewords[immediate];
        ulong low = Vector128.ShuffleNative(a, control).AsUInt64().ToScalar();
        return Vector128.ShuffleNative(b, control).AsUInt64().WithElement(0, low).AsByte();
    }
}

/// <summary>SHUFPD.</summary>
internal readonly struct ShuffleDoubles : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) =>
        Vector128.Create(a.AsUInt64().GetElement(immediate & 1), b.AsUInt64().GetElement((immediate >> 1) & 1)).AsByte();
}

/// <summary>Byte shuffles that do what an immediate's four 2-bit fields say.</summary>
internal static class ShuffleControl
{
    public static readonly Vector128<byte>[] Doublewords = Build(4, 0);
    public static readonly Vector128<byte>[] LowWords = Build(2, 0);
    public static readonly Vector128<byte>[] HighWords = Build(2, 8);

    private static Vector128<byte>[] Build(int size, int start)
    {
        var controls = new Vector128<byte>[256];
        for (int immediate = 0; immediate < 256; immediate++)
        {
            Vector128<byte> control = Vector128.CreateSequence<byte>(0, 1);
            for (int i = 0; i < 4 * size; i++)
                control = control.WithElement(start + i, (byte)(start + (((immediate >> (i / size * 2)) & 3) * size) + (i % size)));
            controls[immediate] = control;
        }

        return controls;
    }
}
