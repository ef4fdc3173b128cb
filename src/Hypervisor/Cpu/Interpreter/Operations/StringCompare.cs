using System.Numerics;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>How long the operands of a string comparison are.</summary>
internal interface IStringLength
{
    static abstract int First(ref RegisterFile r, Vector128<byte> vector, StringControl control);

    static abstract int Second(ref RegisterFile r, Vector128<byte> vector, StringControl control);
}

/// <summary>PCMPISTR*: to the first zero element.</summary>
internal readonly struct ImplicitLength : IStringLength
{
    public static int First(ref RegisterFile r, Vector128<byte> vector, StringControl control) => UpToZero(vector, control);

    public static int Second(ref RegisterFile r, Vector128<byte> vector, StringControl control) => UpToZero(vector, control);

    private static int UpToZero(Vector128<byte> vector, StringControl control)
    {
        int i = 0;
        while (i < control.Count && control.Element(vector, i) != 0)
            i++;
        return i;
    }
}

/// <summary>PCMPESTR*: what rax and rdx say, or eax and edx; signs do not count, and neither does what is beyond a vector.</summary>
internal readonly struct ExplicitLength<T> : IStringLength
    where T : unmanaged
{
    public static int First(ref RegisterFile r, Vector128<byte> vector, StringControl control) => Length(ref r, RegisterOffsets.Rax, control);

    public static int Second(ref RegisterFile r, Vector128<byte> vector, StringControl control) => Length(ref r, RegisterOffsets.Rdx, control);

    private static int Length(ref RegisterFile r, ushort register, StringControl control)
    {
        long value = Operand.SignExtend(Operand.At<T>(ref r, register));
        return value > control.Count || value < -control.Count ? control.Count : (int)Math.Abs(value);
    }
}

/// <summary>
/// The immediate of the string comparisons.
/// <code>
///   6        5..4       3..2          1        0
/// +--------+----------+-------------+--------+-------+
/// | output | polarity | aggregation | signed | words |
/// +--------+----------+-------------+--------+-------+
/// </code>
/// </summary>
internal readonly record struct StringControl(byte Bits)
{
    public bool Words => (Bits & 1) != 0;

    /// <summary>Elements of a vector.</summary>
    public int Count => Words ? 8 : 16;

    /// <summary>Output: the last index rather than the first; a mask of elements rather than bits.</summary>
    public bool Output => (Bits & 0x40) != 0;

    public int Element(Vector128<byte> vector, int i) => (Bits & 3) switch
    {
        0 => vector.GetElement(i),
        1 => vector.AsUInt16().GetElement(i),
        2 => vector.AsSByte().GetElement(i),
        _ => vector.AsInt16().GetElement(i),
    };

    /// <summary>One bit per element of the second operand: the aggregation, then the polarity.</summary>
    public int Compare(Vector128<byte> first, int firstLength, Vector128<byte> second, int secondLength)
    {
        int all = (1 << Count) - 1;
        int result = ((Bits >> 2) & 3) switch
        {
            0 => EqualAny(first, firstLength, second, secondLength),
            1 => Ranges(first, firstLength, second, secondLength),
            2 => EqualEach(first, firstLength, second, secondLength),
            _ => EqualOrdered(first, firstLength, second, secondLength),
        };
        return ((Bits >> 4) & 3) switch
        {
            1 => result ^ all,
            3 => result ^ ((1 << secondLength) - 1),
            _ => result,
        };
    }

    /// <summary>Which elements of the second are in the set that the first is.</summary>
    private int EqualAny(Vector128<byte> first, int firstLength, Vector128<byte> second, int secondLength)
    {
        int result = 0;
        for (int j = 0; j < secondLength; j++)
        {
            for (int i = 0; i < firstLength; i++)
                result |= Element(first, i) == Element(second, j) ? 1 << j : 0;
        }

        return result;
    }

    /// <summary>Which elements of the second are in one of the ranges that pairs of the first are.</summary>
    private int Ranges(Vector128<byte> first, int firstLength, Vector128<byte> second, int secondLength)
    {
        int result = 0;
        for (int j = 0; j < secondLength; j++)
        {
            for (int i = 0; i + 1 < firstLength; i += 2)
                result |= Element(first, i) <= Element(second, j) && Element(second, j) <= Element(first, i + 1) ? 1 << j : 0;
        }

        return result;
    }

    /// <summary>Which elements are equal in both; behind both ends they are.</summary>
    private int EqualEach(Vector128<byte> first, int firstLength, Vector128<byte> second, int secondLength)
    {
        int result = 0;
        for (int j = 0; j < Count; j++)
        {
            bool inFirst = j < firstLength, inSecond = j < secondLength;
            bool equal = inFirst && inSecond ? Element(first, j) == Element(second, j) : !inFirst && !inSecond;
            result |= equal ? 1 << j : 0;
        }

        return result;
    }

    /// <summary>Where in the second the first starts, or could start if the second went on.</summary>
    private int EqualOrdered(Vector128<byte> first, int firstLength, Vector128<byte> second, int secondLength)
    {
        int result = 0;
        for (int j = 0; j < Count; j++)
        {
            bool found = true;
            for (int i = 0; found && i < firstLength && i + j < Count; i++)
                found = i + j < secondLength && Element(first, i) == Element(second, i + j);
            result |= found ? 1 << j : 0;
        }

        return result;
    }
}

/// <summary>Where the outcome of a string comparison goes.</summary>
internal interface IStringOutput
{
    static abstract void Write(ref RegisterFile r, int result, StringControl control);
}

/// <summary>PCMP*STRI: an index to ecx.</summary>
internal readonly struct ToIndex : IStringOutput
{
    public static void Write(ref RegisterFile r, int result, StringControl control)
    {
        int index = result == 0 ? control.Count : control.Output ? BitOperations.Log2((uint)result) : BitOperations.TrailingZeroCount(result);
        Operand.At<ulong>(ref r, RegisterOffsets.Rcx) = (ulong)index;
    }
}

/// <summary>PCMP*STRM: a mask to xmm0.</summary>
internal readonly struct ToMask : IStringOutput
{
    public static void Write(ref RegisterFile r, int result, StringControl control)
    {
        if (!control.Output)
        {
            r.Xmm[0] = Vector128.CreateScalar((ulong)result).AsByte();
            return;
        }

        Vector128<byte> mask = default;
        for (int i = 0; i < 16; i++)
            mask = mask.WithElement(i, ((result >> (control.Words ? i / 2 : i)) & 1) != 0 ? (byte)0xFF : (byte)0);
        r.Xmm[0] = mask;
    }
}

/// <summary>PCMPISTRI, PCMPISTRM, PCMPESTRI, PCMPESTRM. The memory operand may be anywhere.</summary>
internal readonly struct CompareStrings<TLength, TOutput, TSource> : IOperation
    where TLength : struct, IStringLength
    where TOutput : struct, IStringOutput
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> second))
            return ref cpu.Fault(ref r, ref op);
        var control = new StringControl((byte)op.Immediate);
        Vector128<byte> first = Operand.At<Vector128<byte>>(ref r, op.Dst);
        int firstLength = TLength.First(ref r, first, control);
        int secondLength = TLength.Second(ref r, second, control);
        int result = control.Compare(first, firstLength, second, secondLength);
        TOutput.Write(ref r, result, control);
        cpu.Flags.FromBits(
            (result != 0 ? LazyFlags.Carry : 0)
            | (secondLength < control.Count ? LazyFlags.Zero : 0)
            | (firstLength < control.Count ? LazyFlags.Sign : 0)
            | ((result & 1) != 0 ? LazyFlags.Overflow : 0));
        return ref Handler.Next(ref op);
    }
}

/// <summary>CRC32: the Castagnoli polynomial.</summary>
internal readonly struct Checksum<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong value))
            return ref cpu.Fault(ref r, ref op);
        ref ulong destination = ref Operand.At<ulong>(ref r, op.Dst);
        uint sum = (uint)destination;
        destination = Operand.Bits<T>() switch
        {
            8 => BitOperations.Crc32C(sum, (byte)value),
            16 => BitOperations.Crc32C(sum, (ushort)value),
            32 => BitOperations.Crc32C(sum, (uint)value),
            _ => BitOperations.Crc32C(sum, value),
        };
        return ref Handler.Next(ref op);
    }
}
