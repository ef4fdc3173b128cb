using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>SHLD or SHRD: a shift that takes its new bits from a second operand. The count is masked and not 0.</summary>
internal interface IDoubleShift
{
    static abstract ulong Apply<T>(ref LazyFlags flags, ulong a, ulong fill, int count)
        where T : unmanaged;
}

/// <summary>SHLD. A 16-bit operand shifted by more than 16 is undefined; here the pattern repeats.</summary>
internal readonly struct Shld : IDoubleShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong fill, int count)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        ulong result, carry;
        if (bits == 16)
        {
            ulong wide = (a << 32) | (fill << 16) | a;
            result = wide >> (32 - count);
            carry = wide >> (48 - count);
        }
        else
        {
            result = (a << count) | (fill >> (bits - count));
            carry = a >> (bits - count);
        }

        flags.SetResult(result, bits, (carry & 1) != 0, Shift.TopBit<T>(result ^ a));
        return result;
    }
}

/// <summary>SHRD.</summary>
internal readonly struct Shrd : IDoubleShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, ulong fill, int count)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        ulong result, carry;
        if (bits == 16)
        {
            ulong wide = (a << 32) | (fill << 16) | a;
            result = wide >> count;
            carry = wide >> (count - 1);
        }
        else
        {
            result = (a >> count) | (fill << (bits - count));
            carry = a >> (count - 1);
        }

        flags.SetResult(result, bits, (carry & 1) != 0, Shift.TopBit<T>(result ^ a));
        return result;
    }
}

/// <summary>Where the count of a double shift comes from; its source register is in Src, so CL is not.</summary>
internal interface ICount
{
    static abstract ulong Read(ref RegisterFile r, ref MicroOp op);
}

internal readonly struct CountInCl : ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(ref RegisterFile r, ref MicroOp op) => Operand.Read<byte>(ref r, RegisterOffsets.Rcx);
}

internal readonly struct CountInImmediate : ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(ref RegisterFile r, ref MicroOp op) => op.Immediate;
}

/// <summary>SHLD or SHRD of a register.</summary>
internal readonly struct DoubleShiftRegister<TOp, T, TCount> : IOperation
    where TOp : struct, IDoubleShift
    where T : unmanaged
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        int count = Shift.Count<T>(TCount.Read(ref r, ref op));
        ulong value = Operand.Read<T>(ref r, op.Dst);
        ulong fill = Operand.Read<T>(ref r, op.Src);
        Operand.Write<T>(ref r, op.Dst, count == 0 ? value : TOp.Apply<T>(ref cpu.Flags, value, fill, count));
        return ref Handler.Next(ref op);
    }
}

/// <summary>SHLD or SHRD of memory.</summary>
internal readonly struct DoubleShiftMemory<TOp, T, TCount> : IOperation
    where TOp : struct, IDoubleShift
    where T : unmanaged
    where TCount : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        int count = Shift.Count<T>(TCount.Read(ref r, ref op));
        ulong fill = Operand.Read<T>(ref r, op.Src);
        ref T memory = ref cpu.Modify<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        if (count != 0)
            memory = Operand.Truncate<T>(TOp.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(memory), fill, count));
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}
