using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>LEAVE.</summary>
internal readonly struct LeaveFrame<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ref ulong rbp = ref Operand.At<ulong>(ref r, RegisterOffsets.Rbp);
        ulong frame = rbp;
        if (!cpu.Load(frame, out T value))
            return ref cpu.Fault(ref r, ref op);
        Operand.Write<T>(ref r, RegisterOffsets.Rbp, Operand.ZeroExtend(value));
        Operand.At<ulong>(ref r, RegisterOffsets.Rsp) = frame + (ulong)(Operand.Bits<T>() / 8);
        return ref Handler.Next(ref op);
    }
}

/// <summary>ENTER: the size of the frame is Immediate, the nesting level Src (0 to 31). Registers change when all is stored.</summary>
internal readonly struct EnterFrame<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong size = (ulong)(Operand.Bits<T>() / 8);
        ulong rsp = r.Gpr[4];
        ulong rbp = r.Gpr[5];
        rsp -= size;
        if (!cpu.Store(rsp, Operand.Truncate<T>(rbp)))
            return ref cpu.Fault(ref r, ref op);
        ulong frame = rsp;
        for (int level = 1; level < op.Src; level++)
        {
            rbp -= size;
            rsp -= size;
            if (!cpu.Load(rbp, out T link) || !cpu.Store(rsp, link))
                return ref cpu.Fault(ref r, ref op);
        }

        if (op.Src > 0)
        {
            rsp -= size;
            if (!cpu.Store(rsp, Operand.Truncate<T>(frame)))
                return ref cpu.Fault(ref r, ref op);
        }

        // The processor looks whether the new top can be written.
        rsp -= op.Immediate;
        ref T top = ref cpu.Modify<T>(rsp);
        if (Interpreter.IsFault(ref top) || !cpu.Commit())
            return ref cpu.Fault(ref r, ref op);
        r.Gpr[4] = rsp;
        Operand.Write<T>(ref r, RegisterOffsets.Rbp, frame);
        return ref Handler.Next(ref op);
    }
}

/// <summary>When LOOP, LOOPE, LOOPNE jump besides rcx not being 0.</summary>
internal interface ILoopCondition
{
    static abstract bool Test(in LazyFlags flags);
}

internal readonly struct Always : ILoopCondition
{
    public static bool Test(in LazyFlags flags) => true;
}

internal readonly struct WhileZero : ILoopCondition
{
    public static bool Test(in LazyFlags flags) => flags.ZF;
}

internal readonly struct WhileNotZero : ILoopCondition
{
    public static bool Test(in LazyFlags flags) => !flags.ZF;
}

/// <summary>LOOP, LOOPE, LOOPNE. T is the size of the counter; branch addresses as in <see cref="JumpIf{TIf}"/>.</summary>
internal readonly struct LoopWhile<TIf, T> : IOperation
    where TIf : struct, ILoopCondition
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong count = Operand.Read<T>(ref r, RegisterOffsets.Rcx) - 1;
        Operand.Write<T>(ref r, RegisterOffsets.Rcx, count);
        if (Operand.ZeroExtend(Operand.Truncate<T>(count)) != 0 && TIf.Test(in cpu.Flags))
            return ref cpu.GoTaken(ref r, op.Displacement);
        return ref cpu.GoNext(ref r, op.Immediate);
    }
}

/// <summary>JRCXZ, JECXZ.</summary>
internal readonly struct JumpIfCounterZero<T> : IOperation
    where T : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (Operand.Read<T>(ref r, RegisterOffsets.Rcx) == 0)
            return ref cpu.GoTaken(ref r, op.Displacement);
        return ref cpu.GoNext(ref r, op.Immediate);
    }
}
