using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>XCHG of two registers.</summary>
internal readonly struct ExchangeRegisters<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong first = Operand.Read<T>(ref r, op.Dst);
        ulong second = Operand.Read<T>(ref r, op.Src);
        Operand.Write<T>(ref r, op.Dst, second);
        Operand.Write<T>(ref r, op.Src, first);
        return ref Handler.Next(ref op);
    }
}

/// <summary>XCHG of memory and the register Src: atomic, with or without LOCK.</summary>
internal readonly struct ExchangeMemory<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref T memory = ref cpu.ModifyLocked<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        T old = Interlocked.Exchange(ref memory, Operand.At<T>(ref r, op.Src));
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        Operand.Write<T>(ref r, op.Src, Operand.ZeroExtend(old));
        return ref Handler.Next(ref op);
    }
}

/// <summary>XADD of two registers: the sum goes to Dst last, so that xadd rax, rax doubles.</summary>
internal readonly struct ExchangeAddRegisters<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong old = Operand.Read<T>(ref r, op.Dst);
        ulong sum = Add.Apply<T>(ref cpu.Flags, old, Operand.Read<T>(ref r, op.Src));
        Operand.Write<T>(ref r, op.Src, old);
        Operand.Write<T>(ref r, op.Dst, sum);
        return ref Handler.Next(ref op);
    }
}

/// <summary>XADD of memory and the register Src. Always atomic: without LOCK it need not be, but may.</summary>
internal readonly struct ExchangeAddMemory<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref T memory = ref cpu.ModifyLocked<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        ulong addend = Operand.Read<T>(ref r, op.Src);
        T old = memory;
        while (true)
        {
            T seen = Interlocked.CompareExchange(ref memory, Operand.Truncate<T>(Operand.ZeroExtend(old) + addend), old);
            if (Operand.ZeroExtend(seen) == Operand.ZeroExtend(old))
                break;
            old = seen;
        }

        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        Add.Apply<T>(ref cpu.Flags, Operand.ZeroExtend(old), addend);
        Operand.Write<T>(ref r, op.Src, Operand.ZeroExtend(old));
        return ref Handler.Next(ref op);
    }
}

/// <summary>CMPXCHG of two registers.</summary>
internal readonly struct CompareExchangeRegisters<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong old = Operand.Read<T>(ref r, op.Dst);
        ulong wanted = Operand.Read<T>(ref r, RegisterOffsets.Rax);
        Sub.Apply<T>(ref cpu.Flags, wanted, old);
        if (old == wanted)
            Operand.Write<T>(ref r, op.Dst, Operand.Read<T>(ref r, op.Src));
        else
            Operand.Write<T>(ref r, RegisterOffsets.Rax, old);
        return ref Handler.Next(ref op);
    }
}

/// <summary>CMPXCHG of memory. Always atomic. The page must be writable even when nothing is exchanged.</summary>
internal readonly struct CompareExchangeMemory<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref T memory = ref cpu.ModifyLocked<T>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        ulong wanted = Operand.Read<T>(ref r, RegisterOffsets.Rax);
        ulong old = Operand.ZeroExtend(Interlocked.CompareExchange(ref memory, Operand.At<T>(ref r, op.Src), Operand.Truncate<T>(wanted)));
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        Sub.Apply<T>(ref cpu.Flags, wanted, old);
        if (old != wanted)
            Operand.Write<T>(ref r, RegisterOffsets.Rax, old);
        return ref Handler.Next(ref op);
    }
}

/// <summary>CMPXCHG8B: edx:eax against memory, ecx:ebx into it. Only ZF changes.</summary>
internal readonly struct CompareExchange8Bytes : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong memory = ref cpu.ModifyLocked<ulong>(Operand.Address(ref r, ref op));
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        ulong wanted = (uint)r.Gpr[0] | (r.Gpr[2] << 32);
        ulong old = Interlocked.CompareExchange(ref memory, (uint)r.Gpr[3] | (r.Gpr[1] << 32), wanted);
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        cpu.Flags.SetZero(old == wanted);
        if (old != wanted)
        {
            r.Gpr[0] = (uint)old;
            r.Gpr[2] = old >> 32;
        }

        return ref Handler.Next(ref op);
    }
}

/// <summary>CMPXCHG16B: rdx:rax against memory, rcx:rbx into it. Only ZF changes. A misaligned operand raises #GP.</summary>
internal readonly struct CompareExchange16Bytes : IOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if ((address & 15) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.GeneralProtection);
        ref UInt128 memory = ref cpu.Modify<UInt128>(address);
        if (Interpreter.IsFault(ref memory))
            return ref cpu.Fault(ref r, ref op);
        UInt128 wanted = new(r.Gpr[2], r.Gpr[0]);
        bool exchanged = WideExchange.CompareExchange(ref memory, new UInt128(r.Gpr[1], r.Gpr[3]), wanted, out UInt128 old);
        if (!cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        cpu.Flags.SetZero(exchanged);
        if (!exchanged)
        {
            r.Gpr[0] = (ulong)old;
            r.Gpr[2] = (ulong)(old >> 64);
        }

        return ref Handler.Next(ref op);
    }
}
