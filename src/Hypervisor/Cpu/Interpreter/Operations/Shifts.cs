using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>A shift or rotate. The count is masked and not 0; the operand comes zero-extended; of the result the low bits count.</summary>
internal interface IShift
{
    static abstract ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged;
}

internal readonly struct Shl : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        ulong result = a << count;
        bool carry = count <= bits && ((a >> (bits - count)) & 1) != 0;
        flags.SetResult(result, bits, carry, Shift.TopBit<T>(result) ^ carry);
        return result;
    }
}

internal readonly struct Shr : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged
    {
        ulong result = a >> count;
        bool carry = ((a >> (count - 1)) & 1) != 0;
        flags.SetResult(result, Operand.Bits<T>(), carry, Shift.TopBit<T>(result << 1));
        return result;
    }
}

internal readonly struct Sar : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged
    {
        long value = Operand.SignExtend(Operand.Truncate<T>(a));
        ulong result = (ulong)(value >> count);
        flags.SetResult(result, Operand.Bits<T>(), ((value >> (count - 1)) & 1) != 0, false);
        return result;
    }
}

internal readonly struct Rol : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        int by = count & (bits - 1);
        ulong result = by == 0 ? a : (a << by) | (a >> (bits - by));
        bool carry = (result & 1) != 0;
        flags.SetCarryOverflow(carry, Shift.TopBit<T>(result) ^ carry);
        return result;
    }
}

internal readonly struct Ror : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        int by = count & (bits - 1);
        ulong result = by == 0 ? a : (a >> by) | (a << (bits - by));
        bool carry = Shift.TopBit<T>(result);
        flags.SetCarryOverflow(carry, carry ^ Shift.TopBit<T>(result << 1));
        return result;
    }
}

/// <summary>RCL: a rotation of the operand and CF, which stands above it. A whole turn changes nothing.</summary>
internal readonly struct Rcl : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        int by = bits < 32 ? count % (bits + 1) : count;
        if (by == 0)
            return a;

        ulong result = (a << by) | ((flags.CF ? 1ul : 0) << (by - 1)) | (by > 1 ? a >> (bits + 1 - by) : 0);
        bool carry = ((a >> (bits - by)) & 1) != 0;
        flags.SetCarryOverflow(carry, Shift.TopBit<T>(result) ^ carry);
        return result;
    }
}

internal readonly struct Rcr : IShift
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply<T>(ref LazyFlags flags, ulong a, int count)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        int by = bits < 32 ? count % (bits + 1) : count;
        if (by == 0)
            return a;

        ulong result = (a >> by) | ((flags.CF ? 1ul : 0) << (bits - by)) | (by > 1 ? a << (bits + 1 - by) : 0);
        bool carry = ((a >> (by - 1)) & 1) != 0;
        flags.SetCarryOverflow(carry, Shift.TopBit<T>(result) ^ Shift.TopBit<T>(result << 1));
        return result;
    }
}

internal static class Shift
{
    /// <summary>The sign bit of an operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TopBit<T>(ulong value)
        where T : unmanaged => ((value >> (Operand.Bits<T>() - 1)) & 1) != 0;

    /// <summary>The bits of a count that the processor looks at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Count<T>(ulong count)
        where T : unmanaged => (int)count & (Operand.Bits<T>() == 64 ? 63 : 31);
}

/// <summary>register = register shifted by CL or an immediate. A count of 0 changes no flag, but a 32-bit register is written all the same.</summary>
internal readonly struct ShiftRegister<TOp, T, TSource> : IOperation
    where TOp : struct, IShift
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<byte>(cpu, ref r, ref op, out ulong amount);
        int count = Shift.Count<T>(amount);
        ulong value = Operand.Read<T>(ref r, op.Dst);
        Operand.Write<T>(ref r, op.Dst, count == 0 ? value : TOp.Apply<T>(ref cpu.Flags, value, count));
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = memory shifted by CL or an immediate; written (and checked for it) with a count of 0 too.</summary>
internal readonly struct ShiftMemory<TOp, T, TSource> : IOperation
    where TOp : struct, IShift
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<byte>(cpu, ref r, ref op, out ulong amount);
        int count = Shift.Count<T>(amount);
        ref T memory = ref cpu.Modify<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        if (count != 0)
            memory = Operand.Truncate<T>(TOp.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(memory), count));
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}
