using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>An operation on two vectors: the destination's old value and the source.</summary>
internal interface IPacked
{
    static abstract Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b);
}

/// <summary>An operation on two vectors and an immediate byte.</summary>
internal interface IPackedImmediate
{
    static abstract Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate);
}

/// <summary>Where a vector operation's source comes from. False: the fault is recorded.</summary>
internal interface IVectorSource
{
    static abstract bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value);
}

/// <summary>An xmm register.</summary>
internal readonly struct FromXmm : IVectorSource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value)
    {
        value = Operand.At<Vector128<byte>>(ref r, op.Src);
        return true;
    }
}

/// <summary>16 bytes of memory on their boundary, as SSE instructions other than unaligned moves want them.</summary>
internal readonly struct FromAligned : IVectorSource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value)
    {
        ulong address = Operand.Address(ref r, ref op);
        if ((address & 15) != 0)
        {
            value = default;
            return cpu.Misaligned();
        }

        return cpu.Load(address, out value);
    }
}

/// <summary>16 bytes of memory anywhere.</summary>
internal readonly struct FromUnaligned : IVectorSource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value) =>
        cpu.Load(Operand.Address(ref r, ref op), out value);
}

/// <summary>A smaller memory operand, zero-extended to a vector.</summary>
internal readonly struct FromPart<T> : IVectorSource
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value)
    {
        bool ok = cpu.Load(Operand.Address(ref r, ref op), out T loaded);
        value = Vector128.CreateScalar(Operand.ZeroExtend(loaded)).AsByte();
        return ok;
    }
}

/// <summary>An MMX register, zero-extended to a vector.</summary>
internal readonly struct FromMmx : IVectorSource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value)
    {
        value = Vector128.CreateScalar(Operand.At<ulong>(ref r, op.Src)).AsByte();
        return true;
    }
}

/// <summary>A general register, zero-extended to a vector.</summary>
internal readonly struct FromGeneral<T> : IVectorSource
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value)
    {
        value = Vector128.CreateScalar(Operand.Read<T>(ref r, op.Src)).AsByte();
        return true;
    }
}

/// <summary>The immediate byte as a vector: counts of shifts.</summary>
internal readonly struct FromCount : IVectorSource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out Vector128<byte> value)
    {
        value = Vector128.CreateScalar((ulong)(byte)op.Immediate).AsByte();
        return true;
    }
}

/// <summary>xmm = op(xmm, source).</summary>
internal readonly struct PackedToXmm<TOp, TSource> : IOperation
    where TOp : struct, IPacked
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref Vector128<byte> destination = ref Operand.At<Vector128<byte>>(ref r, op.Dst);
        destination = TOp.Apply(destination, source);
        return ref Handler.Next(ref op);
    }
}

/// <summary>xmm = op(xmm, source, immediate).</summary>
internal readonly struct PackedImmediateToXmm<TOp, TSource> : IOperation
    where TOp : struct, IPackedImmediate
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        ref Vector128<byte> destination = ref Operand.At<Vector128<byte>>(ref r, op.Dst);
        destination = TOp.Apply(destination, source, (byte)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>mm = op(mm, source), where the operation treats every 64 bits alike.</summary>
internal readonly struct PackedToMmx<TOp, TSource> : IOperation
    where TOp : struct, IPacked
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        Vector128<byte> old = Vector128.CreateScalar(Operand.At<ulong>(ref r, op.Dst)).AsByte();
        Mmx.Write(ref r, op.Dst, TOp.Apply(old, source).AsUInt64().ToScalar());
        return ref Handler.Next(ref op);
    }
}

/// <summary>mm = op(mm, source, immediate), where the operation treats every 64 bits alike.</summary>
internal readonly struct PackedImmediateToMmx<TOp, TSource> : IOperation
    where TOp : struct, IPackedImmediate
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out Vector128<byte> source))
            return ref cpu.Fault(ref r, ref op);
        Vector128<byte> old = Vector128.CreateScalar(Operand.At<ulong>(ref r, op.Dst)).AsByte();
        Mmx.Write(ref r, op.Dst, TOp.Apply(old, source, (byte)op.Immediate).AsUInt64().ToScalar());
        return ref Handler.Next(ref op);
    }
}

/// <summary>
/// As the MMX form of a 128-bit operation whose low result half comes from all of the first operand and the high half from all of the second:
/// both halves of both operands are the two MMX registers.
/// </summary>
internal readonly struct Folded<TOp> : IPacked
    where TOp : struct, IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b)
    {
        Vector128<byte> both = Vector128.Create(a.AsUInt64().ToScalar(), b.AsUInt64().ToScalar()).AsByte();
        return TOp.Apply(both, both);
    }
}

/// <summary>As the MMX form of an interleave of high halves: the high half of the interleaved low halves.</summary>
internal readonly struct UpperHalf<TOp> : IPacked
    where TOp : struct, IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        Vector128.CreateScalar(TOp.Apply(a, b).AsUInt64().GetElement(1)).AsByte();
}

/// <summary>The MMX registers: significands of the x87's.</summary>
internal static class Mmx
{
    private const int TopMask = 7 << 11;

    /// <summary>Writes an MMX register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(ref RegisterFile r, ushort offset, ulong value)
    {
        Use(ref r);
        Operand.At<ulong>(ref r, offset) = value;
        Operand.At<ushort>(ref r, (ushort)(offset + 8)) = 0xFFFF;
    }

    /// <summary>What every MMX instruction but EMMS does to the x87: all registers valid, R0 on top.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Use(ref RegisterFile r)
    {
        r.Ftw = 0xFF;
        r.Fsw = (ushort)(r.Fsw & ~TopMask);
    }
}

/// <summary>Before the first vector or floating-point instruction of a block: #NM while CR0.TS is set, which cannot change within a block.</summary>
internal readonly struct CheckTaskSwitched : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (cpu.State.TaskSwitched)
            return ref cpu.Fault(ref r, ref op, Vector.DeviceNotAvailable);
        return ref Handler.Next(ref op);
    }
}

/// <summary>Before an MMX instruction: #MF when an x87 exception that is not masked is pending.</summary>
internal readonly struct CheckPendingX87 : IOperation
{
    private const int ErrorSummary = 0x80;

    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if ((r.Fsw & ErrorSummary) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.X87);
        return ref Handler.Next(ref op);
    }
}
