using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>A vector register of 256 bits, by the offset of its lower half.</summary>
internal static class WideVector
{
    private static readonly int Distance = RegisterOffsets.UpperHalves - RegisterOffsets.Xmm;

    public static Vector256<byte> Read(ref RegisterFile r, ushort offset) =>
        Vector256.Create(Operand.At<Vector128<byte>>(ref r, offset), Operand.At<Vector128<byte>>(ref r, (ushort)(offset + Distance)));

    public static void Write(ref RegisterFile r, ushort offset, Vector256<byte> value)
    {
        Operand.At<Vector128<byte>>(ref r, offset) = value.GetLower();
        Operand.At<Vector128<byte>>(ref r, (ushort)(offset + Distance)) = value.GetUpper();
        if (value.GetUpper() != default)
            r.UpperHalvesInUse = 1;
    }
}

/// <summary>VMASKMOV and VPMASKMOV from memory: elements whose mask's sign is clear are not accessed, and become zero. Immediate is their number; Src the mask.</summary>
internal readonly struct MaskedLoad<T> : IOperation
    where T : unmanaged
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        Vector256<byte> mask = WideVector.Read(ref r, op.Src);
        Vector256<T> result = default;
        for (int i = 0; i < (int)op.Immediate; i++)
        {
            if (!MaskedElements.IsSet<T>(mask, i))
                continue;
            if (!cpu.Load(address + (ulong)(i * Operand.Size<T>()), out T value))
                return ref cpu.Fault(ref r, ref op);
            result = result.WithElement(i, value);
        }

        WideVector.Write(ref r, op.Dst, result.AsByte());
        return ref Handler.Next(ref op);
    }
}

/// <summary>VMASKMOV and VPMASKMOV to memory. Dst is the value, Src the mask. When an element faults, those before it may have been written: they are written again.</summary>
internal readonly struct MaskedStore<T> : IOperation
    where T : unmanaged
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        Vector256<byte> mask = WideVector.Read(ref r, op.Src);
        Vector256<T> value = WideVector.Read(ref r, op.Dst).As<byte, T>();
        for (int i = 0; i < (int)op.Immediate; i++)
        {
            if (MaskedElements.IsSet<T>(mask, i) && !cpu.Store(address + (ulong)(i * Operand.Size<T>()), value.GetElement(i)))
                return ref cpu.Fault(ref r, ref op);
        }

        return ref Handler.Next(ref op);
    }
}

/// <summary>
/// Gathers of AVX2: an element of T for each index of TIndex, where the mask's sign is set. A fault leaves what has been gathered, with its mask clear, so that
/// the instruction goes on there when it is executed again. Index is the indices' register.
/// <code>
/// Immediate  63       48 47       32     8          7..0
///           +-----------+-----------+---+------+----------+
///           | mask reg  | segment   |   | a32  | elements |
///           +-----------+-----------+---+------+----------+
/// </code>
/// </summary>
internal readonly struct Gather<T, TIndex> : IOperation
    where T : unmanaged
    where TIndex : unmanaged
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ushort maskRegister = (ushort)(op.Immediate >> 48);
        int count = (byte)op.Immediate;
        Vector256<TIndex> indices = WideVector.Read(ref r, op.Index).As<byte, TIndex>();
        Vector256<T> mask = WideVector.Read(ref r, maskRegister).As<byte, T>(), old = WideVector.Read(ref r, op.Dst).As<byte, T>();
        Vector256<T> result = default, left = default;
        for (int i = 0; i < count; i++)
        {
            result = result.WithElement(i, old.GetElement(i));
            left = left.WithElement(i, mask.GetElement(i));
        }

        for (int i = 0; i < count; i++)
        {
            if (MaskedElements.IsSet<T>(mask.AsByte(), i))
            {
                if (!cpu.Load(AddressOf(ref r, ref op, Operand.SignExtend(indices.GetElement(i))), out T value))
                {
                    WideVector.Write(ref r, op.Dst, result.AsByte());
                    WideVector.Write(ref r, maskRegister, left.AsByte());
                    return ref cpu.Fault(ref r, ref op);
                }

                result = result.WithElement(i, value);
            }

            left = left.WithElement(i, default);
        }

        WideVector.Write(ref r, op.Dst, result.AsByte());
        WideVector.Write(ref r, maskRegister, default);
        return ref Handler.Next(ref op);
    }

    private static ulong AddressOf(ref RegisterFile r, ref MicroOp op, long index)
    {
        const ulong Narrow = 0x100;
        ulong address = Operand.At<ulong>(ref r, op.Base) + ((ulong)index << op.Scale) + op.Displacement;
        if ((op.Immediate & Narrow) != 0)
            address = (uint)address;
        return address + Operand.At<ulong>(ref r, (ushort)(op.Immediate >> 32));
    }
}

/// <summary>Masks of vector instructions.</summary>
internal static class MaskedElements
{
    /// <summary>Whether the sign of an element is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsSet<T>(Vector256<byte> mask, int element)
        where T : unmanaged => (sbyte)mask.GetElement(((element + 1) * Operand.Size<T>()) - 1) < 0;
}
