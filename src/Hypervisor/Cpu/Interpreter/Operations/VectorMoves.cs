using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Xen.Cpu;

/// <summary>A value taken out of a vector, for a general register. The immediate selects.</summary>
internal interface IExtract
{
    static abstract ulong Apply(Vector128<byte> a, byte immediate);
}

/// <summary>Loads and full moves: the source.</summary>
internal readonly struct TakeSource : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => b;
}

/// <summary>MOVQ between registers: the low half, zero-extended.</summary>
internal readonly struct TakeLowHalf : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.CreateScalar(b.AsUInt64().ToScalar()).AsByte();
}

/// <summary>MOVSS and MOVSD between registers, MOVLPS: only the low element changes.</summary>
internal readonly struct MergeLow<T> : IPacked
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) =>
        a.As<byte, T>().WithElement(0, b.As<byte, T>().ToScalar()).AsByte();
}

/// <summary>PINSRW, PINSRB, PINSRD, PINSRQ.</summary>
internal readonly struct InsertElement<T> : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) =>
        a.As<byte, T>().WithElement(immediate & (Vector128<T>.Count - 1), b.As<byte, T>().ToScalar()).AsByte();
}

/// <summary>PINSRW of an MMX register.</summary>
internal readonly struct InsertWordMmx : IPackedImmediate
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b, byte immediate) =>
        a.AsUInt16().WithElement(immediate & 3, b.AsUInt16().ToScalar()).AsByte();
}

/// <summary>MOVD, MOVQ, PEXTRW, PEXTRB, PEXTRD, PEXTRQ.</summary>
internal readonly struct ExtractElement<T> : IExtract
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(Vector128<byte> a, byte immediate) =>
        Operand.ZeroExtend(a.As<byte, T>().GetElement(immediate & (Vector128<T>.Count - 1)));
}

/// <summary>PEXTRW of an MMX register.</summary>
internal readonly struct ExtractWordMmx : IExtract
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(Vector128<byte> a, byte immediate) => a.AsUInt16().GetElement(immediate & 3);
}

/// <summary>PMOVMSKB, MOVMSKPS, MOVMSKPD: signs of the elements.</summary>
internal readonly struct ExtractSigns<T> : IExtract
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Apply(Vector128<byte> a, byte immediate) => a.As<byte, T>().ExtractMostSignificantBits();
}

/// <summary>general register = extract(vector); the register is written whole.</summary>
internal readonly struct ExtractToGeneral<TOp, TSource> : IOperation
    where TOp : struct, IExtract
    where TSource : struct, IVectorSource
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        TSource.Read(cpu, ref r, ref op, out Vector128<byte> source);
        Operand.At<ulong>(ref r, op.Dst) = TOp.Apply(source, (byte)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = extract(xmm).</summary>
internal readonly struct ExtractToMemory<TOp, T> : IOperation
    where TOp : struct, IExtract
    where T : unmanaged
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong value = TOp.Apply(Operand.At<Vector128<byte>>(ref r, op.Src), (byte)op.Immediate);
        if (!cpu.Store(Operand.Address(ref r, ref op), Operand.Truncate<T>(value)))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = register or part of it. Where the part starts is in Src.</summary>
internal readonly struct StorePart<T> : IOperation
    where T : unmanaged
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Store(Operand.Address(ref r, ref op), Operand.At<T>(ref r, op.Src)))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>memory = xmm, on a 16-byte boundary.</summary>
internal readonly struct StoreAligned : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if ((address & 15) != 0 ? !cpu.Misaligned() : !cpu.Store(address, Operand.At<Vector128<byte>>(ref r, op.Src)))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>After an instruction that only reads MMX registers: the x87 is in MMX state then too.</summary>
internal readonly struct UseMmx : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Mmx.Use(ref r);
        return ref Handler.Next(ref op);
    }
}

/// <summary>EMMS: all x87 registers are empty.</summary>
internal readonly struct EmptyMmx : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Mmx.Use(ref r);
        r.Ftw = 0;
        return ref Handler.Next(ref op);
    }
}

/// <summary>MOVDQ2Q.</summary>
internal readonly struct XmmToMmx : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Mmx.Write(ref r, op.Dst, Operand.At<ulong>(ref r, op.Src));
        return ref Handler.Next(ref op);
    }
}

/// <summary>MASKMOVDQU, MASKMOVQ: stores the bytes of Dst that have their sign set in Src. Bytes before one that faults stay stored.</summary>
internal readonly struct StoreMasked<T> : IOperation
    where T : unmanaged
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        Vector128<byte> value = Operand.At<Vector128<byte>>(ref r, op.Dst);
        Vector128<byte> mask = Operand.At<Vector128<byte>>(ref r, op.Src);
        for (int i = 0; i < Operand.Bits<T>() / 8; i++)
        {
            if ((mask.GetElement(i) & 0x80) != 0 && !cpu.Store(address + (uint)i, value.GetElement(i)))
                return ref cpu.Fault(ref r, ref op);
        }

        return ref Handler.Next(ref op);
    }
}
