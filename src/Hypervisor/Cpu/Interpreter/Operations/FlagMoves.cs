using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>What CLC, STC and CMC make of CF.</summary>
internal interface ICarryChange
{
    static abstract bool Of(bool carry);
}

internal readonly struct Clear : ICarryChange
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Of(bool carry) => false;
}

internal readonly struct Set : ICarryChange
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Of(bool carry) => true;
}

internal readonly struct Complement : ICarryChange
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Of(bool carry) => !carry;
}

/// <summary>CLC, STC, CMC.</summary>
internal readonly struct ChangeCarry<TOp> : IOperation
    where TOp : struct, ICarryChange
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        cpu.Flags.SetCarry(TOp.Of(cpu.Flags.CF));
        return ref Handler.Next(ref op);
    }
}

/// <summary>CLD (Immediate 0) and STD (Immediate is DF).</summary>
internal readonly struct ChangeDirection : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        r.Rflags = (r.Rflags & ~RFlag.Direction) | op.Immediate;
        return ref Handler.Next(ref op);
    }
}

/// <summary>LAHF.</summary>
internal readonly struct LoadFlagsIntoAh : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.At<byte>(ref r, RegisterOffsets.Rax + 1) = (byte)(cpu.Flags.ToBits() | RFlag.Always);
        return ref Handler.Next(ref op);
    }
}

/// <summary>SAHF: all arithmetic flags but OF.</summary>
internal readonly struct StoreAhIntoFlags : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong overflow = cpu.Flags.OF ? LazyFlags.Overflow : 0;
        cpu.Flags.FromBits((Operand.At<byte>(ref r, RegisterOffsets.Rax + 1) & ~LazyFlags.Overflow) | overflow);
        return ref Handler.Next(ref op);
    }
}

/// <summary>PUSHF.</summary>
internal readonly struct PushFlags<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        ulong top = rsp - (ulong)(Operand.Bits<T>() / 8);
        if (!cpu.Store(top, Operand.Truncate<T>(cpu.ReadRflags(ref r))))
            return ref cpu.Fault(ref r, ref op);
        rsp = top;
        return ref Handler.Next(ref op);
    }
}

/// <summary>POPF as ring 3 has it: IOPL and IF stay. When TF is set the block ends, so that the run notices.</summary>
internal readonly struct PopFlags<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!cpu.Load(rsp, out T value))
            return ref cpu.Fault(ref r, ref op);
        rsp += (ulong)(Operand.Bits<T>() / 8);
        ulong writable = Operand.Bits<T>() == 16 ? RFlag.WritableInRing3 & 0xFFFF : RFlag.WritableInRing3;
        cpu.WriteRflags(ref r, Operand.ZeroExtend(value), writable);
        return ref (r.Rflags & RFlag.Trap) != 0 ? ref cpu.StopBehind(ref r, ref op) : ref Handler.Next(ref op);
    }
}
