using System.Runtime.CompilerServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>What string instructions share. An op has: Src, the segment base of the source; Immediate, the mask of the address size.</summary>
internal static class StringStep
{
    /// <summary>Most elements between two looks at requests where there is no page to end a run.</summary>
    public const int MaxElements = Page.Size;

    /// <summary>Adds to rsi, rdi or rcx in the address size: 32-bit results clear the upper half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Advance(ref ulong register, ulong by, ulong mask) => register = (register + by) & mask;

    /// <summary>Whole elements from an address to the end of its page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ToPageEnd<T>(ulong address)
        where T : unmanaged => (ulong)(Page.Size - (int)(address & Page.OffsetMask)) / (ulong)(Operand.Bits<T>() / 8);

    /// <summary>One element forward or back, by DF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Size<T>(ref RegisterFile r)
        where T : unmanaged
    {
        ulong size = (ulong)(Operand.Bits<T>() / 8);
        return (r.Rflags & RFlag.Direction) == 0 ? size : 0 - size;
    }
}

/// <summary>What a string instruction does to a run of elements.</summary>
internal interface IString
{
    /// <summary>Whether a repetition also ends by ZF, as it does after comparing.</summary>
    static virtual bool Compares => false;

    /// <summary>Executes one element, or going upwards as many as lie on the pages at hand, and advances rsi and rdi.</summary>
    /// <param name="cpu">The engine.</param>
    /// <param name="r">The registers.</param>
    /// <param name="op">The op.</param>
    /// <param name="limit">Most elements; at least 1.</param>
    /// <param name="until">For comparing instructions: the run ends behind an element whose comparison has this ZF.</param>
    /// <param name="done">Elements executed.</param>
    /// <returns>False: the first element of this run faults, nothing has changed since the last run.</returns>
    static abstract bool TryRun<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong limit, bool until, out ulong done)
        where T : unmanaged;
}

/// <summary>A string instruction without a repeat prefix.</summary>
internal readonly struct StringOnce<TOp, T> : IOperation
    where TOp : struct, IString
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TOp.TryRun<T>(cpu, ref r, ref op, 1, false, out _))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>
/// A string instruction with REP or REPE (or REPNE, when Dst is 1). Between runs rcx, rsi and rdi are exact, so that faults and requests
/// can come in; then rip stays at the instruction and it goes on later.
/// </summary>
internal readonly struct StringRepeated<TOp, T> : IOperation
    where TOp : struct, IString
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        bool until = op.Dst != 0;
        bool single = (r.Rflags & RFlag.Trap) != 0;
        ref ulong rcx = ref Operand.At<ulong>(ref r, RegisterOffsets.Rcx);
        LazyFlags before = cpu.Flags;
        while ((rcx & op.Immediate) != 0)
        {
            if (!TOp.TryRun<T>(cpu, ref r, ref op, single ? 1 : rcx & op.Immediate, until, out ulong done))
            {
                // A faulting comparison leaves the flags as they were before the instruction.
                cpu.Flags = before;
                return ref cpu.Fault(ref r, ref op);
            }

            StringStep.Advance(ref rcx, 0 - done, op.Immediate);
            if (TOp.Compares && cpu.Flags.ZF == until)
                break;
            if (rcx != 0 && (single || !cpu.MayGoOn()))
                return ref cpu.Interrupt(ref r, ref op);
        }

        return ref Handler.Next(ref op);
    }
}

/// <summary>MOVS.</summary>
internal readonly struct MoveString : IString
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRun<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong limit, bool until, out ulong done)
        where T : unmanaged
    {
        ref ulong rsi = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsi);
        ref ulong rdi = ref Operand.At<ulong>(ref r, RegisterOffsets.Rdi);
        ulong source = (rsi & op.Immediate) + Operand.At<ulong>(ref r, op.Src);
        ulong destination = rdi & op.Immediate;
        ulong size = StringStep.Size<T>(ref r);
        done = Math.Min(limit, Math.Min(StringStep.ToPageEnd<T>(source), StringStep.ToPageEnd<T>(destination)));
        if (done > 1 && (long)size > 0
            && cpu.TryRun(source, (int)(done * size), false, out Span<byte> from)
            && cpu.TryRun(destination, (int)(done * size), true, out Span<byte> to))
        {
            Interpreter.CopyUp<T>(from, to);
        }
        else
        {
            done = 1;
            if (!cpu.Load(source, out T value) || !cpu.Store(destination, value))
                return false;
        }

        StringStep.Advance(ref rsi, done * size, op.Immediate);
        StringStep.Advance(ref rdi, done * size, op.Immediate);
        return true;
    }
}

/// <summary>STOS.</summary>
internal readonly struct StoreString : IString
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRun<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong limit, bool until, out ulong done)
        where T : unmanaged
    {
        ref ulong rdi = ref Operand.At<ulong>(ref r, RegisterOffsets.Rdi);
        ulong destination = rdi & op.Immediate;
        ulong size = StringStep.Size<T>(ref r);
        T value = Operand.At<T>(ref r, RegisterOffsets.Rax);
        done = Math.Min(limit, StringStep.ToPageEnd<T>(destination));
        if (done > 1 && (long)size > 0 && cpu.TryRun(destination, (int)(done * size), true, out Span<byte> to))
        {
            Interpreter.Elements<T>(to).Fill(value);
        }
        else
        {
            done = 1;
            if (!cpu.Store(destination, value))
                return false;
        }

        StringStep.Advance(ref rdi, done * size, op.Immediate);
        return true;
    }
}

/// <summary>LODS. Of a run only the last element matters, but every page of it is read.</summary>
internal readonly struct LoadString : IString
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRun<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong limit, bool until, out ulong done)
        where T : unmanaged
    {
        ref ulong rsi = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsi);
        ulong size = StringStep.Size<T>(ref r);
        ulong source = (rsi & op.Immediate) + Operand.At<ulong>(ref r, op.Src);
        done = (long)size > 0 ? Math.Max(1, Math.Min(limit, StringStep.ToPageEnd<T>(source))) : 1;
        if (!cpu.Load(source + ((done - 1) * size), out T value))
            return false;
        Operand.Write<T>(ref r, RegisterOffsets.Rax, Operand.ZeroExtend(value));
        StringStep.Advance(ref rsi, done * size, op.Immediate);
        return true;
    }
}

/// <summary>SCAS: rax against es:[rdi].</summary>
internal readonly struct ScanString : IString
{
    public static bool Compares => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRun<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong limit, bool until, out ulong done)
        where T : unmanaged
    {
        ref ulong rdi = ref Operand.At<ulong>(ref r, RegisterOffsets.Rdi);
        ulong destination = rdi & op.Immediate;
        ulong size = StringStep.Size<T>(ref r);
        ulong a = Operand.Read<T>(ref r, RegisterOffsets.Rax);
        ulong last;
        done = Math.Min(limit, StringStep.ToPageEnd<T>(destination));
        if (done > 1 && (long)size > 0 && cpu.TryRun(destination, (int)(done * size), false, out Span<byte> run))
        {
            Span<T> elements = Interpreter.Elements<T>(run);
            int i = 0;
            while (i < elements.Length - 1 && (Operand.ZeroExtend(elements[i]) == a) != until)
                i++;
            last = Operand.ZeroExtend(elements[i]);
            done = (ulong)i + 1;
        }
        else
        {
            done = 1;
            if (!cpu.Load(destination, out T value))
                return false;
            last = Operand.ZeroExtend(value);
        }

        Sub.Apply<T>(ref cpu.Flags, a, last);
        StringStep.Advance(ref rdi, done * size, op.Immediate);
        return true;
    }
}

/// <summary>CMPS: [rsi] against es:[rdi].</summary>
internal readonly struct CompareString : IString
{
    public static bool Compares => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRun<T>(Interpreter cpu, ref RegisterFile r, ref MicroOp op, ulong limit, bool until, out ulong done)
        where T : unmanaged
    {
        ref ulong rsi = ref Operand.At<ulong>(ref r, RegisterOffsets.Rsi);
        ref ulong rdi = ref Operand.At<ulong>(ref r, RegisterOffsets.Rdi);
        ulong source = (rsi & op.Immediate) + Operand.At<ulong>(ref r, op.Src);
        ulong destination = rdi & op.Immediate;
        ulong size = StringStep.Size<T>(ref r);
        ulong a, b;
        done = Math.Min(limit, Math.Min(StringStep.ToPageEnd<T>(source), StringStep.ToPageEnd<T>(destination)));
        if (done > 1 && (long)size > 0
            && cpu.TryRun(source, (int)(done * size), false, out Span<byte> first)
            && cpu.TryRun(destination, (int)(done * size), false, out Span<byte> second))
        {
            Span<T> left = Interpreter.Elements<T>(first);
            Span<T> right = Interpreter.Elements<T>(second);
            int i = 0;
            while (i < left.Length - 1 && (Operand.ZeroExtend(left[i]) == Operand.ZeroExtend(right[i])) != until)
                i++;
            a = Operand.ZeroExtend(left[i]);
            b = Operand.ZeroExtend(right[i]);
            done = (ulong)i + 1;
        }
        else
        {
            done = 1;
            if (!cpu.Load(source, out T left) || !cpu.Load(destination, out T right))
                return false;
            a = Operand.ZeroExtend(left);
            b = Operand.ZeroExtend(right);
        }

        Sub.Apply<T>(ref cpu.Flags, a, b);
        StringStep.Advance(ref rsi, done * size, op.Immediate);
        StringStep.Advance(ref rdi, done * size, op.Immediate);
        return true;
    }
}
