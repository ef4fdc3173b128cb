using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>Where an operation's source operand comes from; zero-extended from the operand size.</summary>
internal interface ISource
{
    /// <summary>Reads it. False: the fault is recorded.</summary>
    static abstract bool Read<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out ulong value)
        where T : unmanaged;

    /// <summary>Whether it can be read without anything slow, by <see cref="ReadAtHand{T}"/>.</summary>
    static abstract bool IsAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged;

    static abstract ulong ReadAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged;
}

internal readonly struct FromRegister : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out ulong value)
        where T : unmanaged
    {
        value = Operand.Read<T>(ref r, op.Src);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ReadAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged => Operand.Read<T>(ref r, op.Src);
}

internal readonly struct FromImmediate : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out ulong value)
        where T : unmanaged
    {
        value = Operand.ZeroExtend(Operand.Truncate<T>(op.Immediate));
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ReadAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged => Operand.ZeroExtend(Operand.Truncate<T>(op.Immediate));
}

internal readonly struct FromMemory : ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out ulong value)
        where T : unmanaged
    {
        bool ok = cpu.Load(Operand.Address(ref r, ref op), out T loaded);
        value = Operand.ZeroExtend(loaded);
        return ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged => cpu.IsReadable<T>(Operand.Address(ref r, ref op));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ReadAtHand<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
        where T : unmanaged => Operand.ZeroExtend(cpu.InPlace<T>(Operand.Address(ref r, ref op)));
}
