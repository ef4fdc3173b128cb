using System.Numerics;
using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>BT, BTS, BTR, BTC: CF is the bit; the other flags stay.</summary>
internal interface IBitOperation
{
    static virtual bool Stores => true;

    static abstract ulong Apply(ulong value, ulong bit);
}

internal readonly struct Bt : IBitOperation
{
    public static bool Stores => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value;
}

internal readonly struct Bts : IBitOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value | bit;
}

internal readonly struct Btr : IBitOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value & ~bit;
}

internal readonly struct Btc : IBitOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(ulong value, ulong bit) => value ^ bit;
}

internal static class BitOffset
{
    /// <summary>The bit within the operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mask<T>(ulong index)
        where T : unmanaged => 1ul << ((int)index & (Operand.Bits<T>() - 1));

    /// <summary>Bytes from the operand's address to the operand that has the bit. A register's offset is signed and reaches beyond the operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Bytes<T>(ulong index)
        where T : unmanaged
    {
        int bits = Operand.Bits<T>();
        long offset = Operand.SignExtend(Operand.Truncate<T>(index));
        return (ulong)((offset >> BitOperations.Log2((uint)bits)) * (bits / 8));
    }
}

/// <summary>A bit of a register.</summary>
internal readonly struct BitInRegister<TOp, T, TSource> : IOperation
    where TOp : struct, IBitOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<T>(cpu, ref r, ref op, out ulong index);
        ulong bit = BitOffset.Mask<T>(index);
        ulong value = Operand.Read<T>(ref r, op.Dst);
        cpu.Flags.SetCarry((value & bit) != 0);
        if (TOp.Stores)
            Operand.Write<T>(ref r, op.Dst, TOp.Apply(value, bit));
        return ref Handler.Next(ref op);
    }
}

/// <summary>A bit in memory, at an offset in a register. An immediate offset stays within the operand: lowering has masked it.</summary>
internal readonly struct BitInMemory<TOp, T, TSource> : IOperation
    where TOp : struct, IBitOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<T>(cpu, ref r, ref op, out ulong index);
        ulong bit = BitOffset.Mask<T>(index);
        ulong address = Operand.Address(ref r, ref op) + BitOffset.Bytes<T>(index);
        if (!TOp.Stores)
        {
            if (!cpu.Load(address, out T value))
                return ref cpu.Fault(ref r, ref op);
            cpu.Flags.SetCarry((Operand.ZeroExtend(value) & bit) != 0);
            return ref Handler.Next(ref op);
        }

        ref T memory = ref cpu.Modify<T>(address);
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        ulong old = Operand.ZeroExtend(memory);
        memory = Operand.Truncate<T>(TOp.Apply(old, bit));
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        cpu.Flags.SetCarry((old & bit) != 0);
        return ref Handler.Next(ref op);
    }
}

/// <summary>A bit in memory, with LOCK.</summary>
internal readonly struct BitLocked<TOp, T, TSource> : IOperation
    where TOp : struct, IBitOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read<T>(cpu, ref r, ref op, out ulong index);
        ulong bit = BitOffset.Mask<T>(index);
        ref T memory = ref cpu.ModifyLocked<T>(Operand.Address(ref r, ref op) + BitOffset.Bytes<T>(index));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        T old = memory;
        while (true)
        {
            T seen = Interlocked.CompareExchange(ref memory, Operand.Truncate<T>(TOp.Apply(Operand.ZeroExtend(old), bit)), old);
            if (Operand.ZeroExtend(seen) == Operand.ZeroExtend(old))
                break;
            old = seen;
        }

        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        cpu.Flags.SetCarry((Operand.ZeroExtend(old) & bit) != 0);
        return ref Handler.Next(ref op);
    }
}

/// <summary>BSF or BSR (and TZCNT, which executes as BSF on a processor that does not have it).</summary>
internal interface IBitScan
{
    /// <summary>Number of the bit found in a value that is not 0.</summary>
    static abstract int Find(ulong value);
}

internal readonly struct Lowest : IBitScan
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Find(ulong value) => BitOperations.TrailingZeroCount(value);
}

internal readonly struct Highest : IBitScan
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Find(ulong value) => BitOperations.Log2(value);
}

/// <summary>Finds a bit. When there is none the destination stays, all 64 bits of it. ZF says so; the other flags, which are undefined, are those of the source.</summary>
internal readonly struct BitScan<TOp, T, TSource> : IOperation
    where TOp : struct, IBitScan
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong value))
            return ref cpu.Fault(ref r, ref op);
        cpu.Flags.SetLogic(value, Operand.Bits<T>());
        if (value != 0)
            Operand.Write<T>(ref r, op.Dst, (ulong)TOp.Find(value));
        return ref Handler.Next(ref op);
    }
}

/// <summary>POPCNT: all flags clear but ZF.</summary>
internal readonly struct PopulationCount<T, TSource> : IOperation
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<T>(cpu, ref r, ref op, out ulong value))
            return ref cpu.Fault(ref r, ref op);
        Operand.Write<T>(ref r, op.Dst, (ulong)BitOperations.PopCount(value));
        cpu.Flags.FromBits(value == 0 ? LazyFlags.Zero : 0);
        return ref Handler.Next(ref op);
    }
}

/// <summary>BSWAP. In 16 bits it is undefined, and clears.</summary>
internal readonly struct ByteSwap<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong value = Operand.Read<T>(ref r, op.Dst);
        Operand.Write<T>(ref r, op.Dst, Operand.Bits<T>() switch
        {
            64 => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value),
            32 => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((uint)value),
            _ => 0,
        });
        return ref Handler.Next(ref op);
    }
}

/// <summary>CWD, CDQ, CQO: rdx is filled with the sign of rax.</summary>
internal readonly struct SignIntoRdx<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.Write<T>(ref r, RegisterOffsets.Rdx, (ulong)(Operand.SignExtend(Operand.At<T>(ref r, RegisterOffsets.Rax)) >> 63));
        return ref Handler.Next(ref op);
    }
}
