using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>MOV to a segment register, whose number (ES is 0) is Immediate.</summary>
internal readonly struct LoadSegment<TSource> : IOperation
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<ushort>(cpu, ref r, ref op, out ulong value))
            return ref cpu.Fault(ref r, ref op);
        byte vector = cpu.LoadSegment(ref r, (int)op.Immediate, (ushort)value);
        if (vector != 0)
            return ref cpu.Fault(ref r, ref op, vector, Selectors.ErrorOf((ushort)value));
        return ref Handler.Next(ref op);
    }
}

/// <summary>POP fs, POP gs; T is what is popped.</summary>
internal readonly struct PopSegment<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        if (!cpu.Load(rsp, out T value))
            return ref cpu.Fault(ref r, ref op);
        ushort selector = (ushort)Operand.ZeroExtend(value);
        byte vector = cpu.LoadSegment(ref r, (int)op.Immediate, selector);
        if (vector != 0)
            return ref cpu.Fault(ref r, ref op, vector, Selectors.ErrorOf(selector));
        rsp += (ulong)(Operand.Bits<T>() / 8);
        return ref Handler.Next(ref op);
    }
}

/// <summary>MOV from a segment register (at Src) to a register of T's size.</summary>
internal readonly struct StoreSegment<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.Write<T>(ref r, op.Dst, Operand.At<ushort>(ref r, op.Src));
        return ref Handler.Next(ref op);
    }
}

/// <summary>MOV from a segment register (at Src) to memory: 16 bits.</summary>
internal readonly struct StoreSegmentInMemory : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Store(Operand.Address(ref r, ref op), Operand.At<ushort>(ref r, op.Src)))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>PUSH fs, PUSH gs.</summary>
internal readonly struct PushSegment<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rsp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsp);
        ulong top = rsp - (ulong)(Operand.Bits<T>() / 8);
        if (!cpu.Store(top, Operand.Truncate<T>(Operand.At<ushort>(ref r, op.Src))))
            return ref cpu.Fault(ref r, ref op);
        rsp = top;
        return ref Handler.Next(ref op);
    }
}

/// <summary>What LAR, LSL, VERR and VERW ask of a descriptor.</summary>
internal interface IDescriptorQuery
{
    /// <summary>False: ZF is cleared and nothing is loaded.</summary>
    static abstract bool TryGet(Descriptor descriptor, out uint value);
}

internal readonly struct LoadAccessRights : IDescriptorQuery
{
    public static bool TryGet(Descriptor descriptor, out uint value)
    {
        value = descriptor.AccessRights;

        // Of system descriptors: LDT, TSS and call gates.
        return descriptor.IsSegment || descriptor.Type is 2 or 9 or 11 or 12;
    }
}

internal readonly struct LoadLimit : IDescriptorQuery
{
    public static bool TryGet(Descriptor descriptor, out uint value)
    {
        value = descriptor.Limit;
        return descriptor.IsSegment || descriptor.Type is 2 or 9 or 11;
    }
}

internal readonly struct VerifyRead : IDescriptorQuery
{
    public static bool TryGet(Descriptor descriptor, out uint value)
    {
        value = 0;
        return descriptor.IsReadable;
    }
}

internal readonly struct VerifyWrite : IDescriptorQuery
{
    public static bool TryGet(Descriptor descriptor, out uint value)
    {
        value = 0;
        return descriptor.IsWritable;
    }
}

/// <summary>LAR and LSL: T is the destination's size, or byte for VERR and VERW, which have none.</summary>
internal readonly struct QueryDescriptor<TQuery, T, TSource> : IOperation
    where TQuery : struct, IDescriptorQuery
    where T : unmanaged
    where TSource : struct, ISource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read<ushort>(cpu, ref r, ref op, out ulong selector))
            return ref cpu.Fault(ref r, ref op);
        uint value = 0;
        bool ok = Selectors.IsVisible(cpu.State, (ushort)selector, out Descriptor descriptor) && TQuery.TryGet(descriptor, out value);
        if (ok && Operand.Bits<T>() != 8)
            Operand.Write<T>(ref r, op.Dst, value);
        cpu.Flags.SetZero(ok);
        return ref Handler.Next(ref op);
    }
}

/// <summary>SLDT, STR, SMSW to a register: the value is Immediate.</summary>
internal readonly struct StoreSystemRegister<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.Write<T>(ref r, op.Dst, op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>SGDT, SIDT: a limit in Src and a base in Immediate; the guest sees tables that it cannot reach, as under Xen.</summary>
internal readonly struct StoreTableRegister : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Span<byte> table = stackalloc byte[10];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16LittleEndian(table, op.Src);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(table[2..], op.Immediate);
        if (!cpu.WriteBytes(Operand.Address(ref r, ref op), table))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}
