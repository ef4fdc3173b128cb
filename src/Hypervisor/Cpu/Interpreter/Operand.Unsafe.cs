using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>Access to registers by byte offset, in four operand sizes (byte, ushort, uint, ulong).</summary>
internal static class Operand
{
    /// <summary>Bits of an operand type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Bits<T>()
        where T : unmanaged => Unsafe.SizeOf<T>() * 8;

    /// <summary>Bytes of an operand type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Size<T>()
        where T : unmanaged => Unsafe.SizeOf<T>();

    /// <summary>A register of any kind in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref T At<T>(ref RegisterFile r, ushort offset)
        where T : unmanaged
    {
        // SAFETY: offsets come from lowering only, which takes them from RegisterOffsets: all within RegisterFile with room for T.
        return ref Unsafe.As<RegisterFile, T>(ref Unsafe.AddByteOffset(ref r, offset));
    }

    /// <summary>A general register's value, zero-extended from the operand size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read<T>(ref RegisterFile r, ushort offset)
        where T : unmanaged => ZeroExtend(At<T>(ref r, offset));

    /// <summary>Writes a general register: 32-bit results clear the upper half, 8- and 16-bit results leave the rest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(ref RegisterFile r, ushort offset, ulong value)
        where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() == 4)
            At<ulong>(ref r, offset) = (uint)value;
        else
            At<T>(ref r, offset) = Truncate<T>(value);
    }

    /// <summary>The operand as 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ZeroExtend<T>(T value)
        where T : unmanaged => Unsafe.SizeOf<T>() switch
        {
            // SAFETY: each arm reinterprets a value of exactly that size.
            1 => Unsafe.BitCast<T, byte>(value),
            2 => Unsafe.BitCast<T, ushort>(value),
            4 => Unsafe.BitCast<T, uint>(value),
            _ => Unsafe.BitCast<T, ulong>(value),
        };

    /// <summary>The operand as 64 bits, signed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SignExtend<T>(T value)
        where T : unmanaged => Unsafe.SizeOf<T>() switch
        {
            // SAFETY: as in ZeroExtend.
            1 => (sbyte)Unsafe.BitCast<T, byte>(value),
            2 => (short)Unsafe.BitCast<T, ushort>(value),
            4 => (int)Unsafe.BitCast<T, uint>(value),
            _ => (long)Unsafe.BitCast<T, ulong>(value),
        };

    /// <summary>The low bits of a value as an operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Truncate<T>(ulong value)
        where T : unmanaged => Unsafe.SizeOf<T>() switch
        {
            // SAFETY: as in ZeroExtend.
            1 => Unsafe.BitCast<byte, T>((byte)value),
            2 => Unsafe.BitCast<ushort, T>((ushort)value),
            4 => Unsafe.BitCast<uint, T>((uint)value),
            _ => Unsafe.BitCast<ulong, T>(value),
        };

    /// <summary>The linear address of an op's memory operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Address(ref RegisterFile r, ref MicroOp op) =>
        At<ulong>(ref r, op.Base) + (At<ulong>(ref r, op.Index) << op.Scale) + op.Displacement;
}
