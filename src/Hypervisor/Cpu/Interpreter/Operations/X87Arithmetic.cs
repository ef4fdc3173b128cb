namespace Xen.Cpu;

/// <summary>The second operand of an x87 operation. False: the fault is recorded.</summary>
internal interface IX87Source
{
    static abstract bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out FloatValue value, out bool isEmpty);
}

/// <summary>ST(Src).</summary>
internal readonly struct FromStack : IX87Source
{
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out FloatValue value, out bool isEmpty)
    {
        value = X87Stack.Value(ref r, op.Src);
        isEmpty = X87Stack.IsEmpty(ref r, op.Src);
        return true;
    }
}

/// <summary>A single (uint) or double (ulong) in memory.</summary>
internal readonly struct FromFloatMemory<T> : IX87Source
    where T : unmanaged
{
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out FloatValue value, out bool isEmpty)
    {
        isEmpty = false;
        bool ok = cpu.Load(Operand.Address(ref r, ref op), out T bits);
        value = FloatValue.FromBits<T>(Operand.ZeroExtend(bits));
        return ok;
    }
}

/// <summary>A signed integer in memory.</summary>
internal readonly struct FromIntegerMemory<T> : IX87Source
    where T : unmanaged
{
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out FloatValue value, out bool isEmpty)
    {
        isEmpty = false;
        bool ok = cpu.Load(Operand.Address(ref r, ref op), out T bits);
        value = FloatValue.FromInteger(Operand.SignExtend(bits));
        return ok;
    }
}

/// <summary>The operation with its operands exchanged: FSUBR, FDIVR.</summary>
internal readonly struct Reversed<TOp> : IX87Binary
    where TOp : struct, IX87Binary
{
    public static FloatValue Apply(ref FloatContext context, in FloatValue a, in FloatValue b) => TOp.Apply(ref context, in b, in a);
}

/// <summary>A basic operation of the x87.</summary>
internal interface IX87Binary
{
    static abstract FloatValue Apply(ref FloatContext context, in FloatValue a, in FloatValue b);
}

internal readonly struct X87Add : IX87Binary
{
    public static FloatValue Apply(ref FloatContext context, in FloatValue a, in FloatValue b) => FloatMath.Add(ref context, a, b);
}

internal readonly struct X87Subtract : IX87Binary
{
    public static FloatValue Apply(ref FloatContext context, in FloatValue a, in FloatValue b) => FloatMath.Subtract(ref context, a, b);
}

internal readonly struct X87Multiply : IX87Binary
{
    public static FloatValue Apply(ref FloatContext context, in FloatValue a, in FloatValue b) => FloatMath.Multiply(ref context, a, b);
}

internal readonly struct X87Divide : IX87Binary
{
    public static FloatValue Apply(ref FloatContext context, in FloatValue a, in FloatValue b) => FloatMath.Divide(ref context, a, b);
}

/// <summary>Before every x87 instruction that is not a control instruction: #MF for a pending exception; notes the instruction's address.</summary>
internal readonly struct BeginX87 : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if ((r.Fsw & X87Stack.ErrorSummary) != 0)
            return ref cpu.Fault(ref r, ref op, Vector.X87);
        r.Fip = cpu.NextRip(ref op) - op.Length;
        return ref Handler.Next(ref op);
    }
}

/// <summary>ST(Dst) = op(ST(Dst), source), then as many pops as Immediate says.</summary>
internal readonly struct X87Arithmetic<TOp, TSource> : IOperation
    where TOp : struct, IX87Binary
    where TSource : struct, IX87Source
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out FloatValue source, out bool isEmpty))
            return ref cpu.Fault(ref r, ref op);
        Float80 result;
        if (isEmpty || X87Stack.IsEmpty(ref r, op.Dst))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
            result = X87Stack.Indefinite;
        }
        else
        {
            FloatContext context = FloatContext.FromControlWord(r.Fcw);
            FloatValue value = TOp.Apply(ref context, X87Stack.Value(ref r, op.Dst), in source);
            if (!X87Stack.Finish(ref r, in context))
                return ref Handler.Next(ref op);
            result = value.ToExtended();
        }

        X87Stack.Set(ref r, op.Dst, result);
        X87Stack.Pop(ref r, (int)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FCOM, FUCOM, FICOM, FTST and their popping forms: ST(0) against the source, outcome in C3, C2, C0.</summary>
internal readonly struct X87Compare<TComparison, TSource> : IOperation
    where TComparison : struct, IComparison
    where TSource : struct, IX87Source
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out FloatValue source, out bool isEmpty))
            return ref cpu.Fault(ref r, ref op);
        bool done = X87Comparison.Compare<TComparison>(ref r, in source, isEmpty, out FloatOrder order);
        X87Stack.SetCondition(ref r, order);
        if (done)
            X87Stack.Pop(ref r, (int)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FCOMI, FUCOMI: outcome in ZF, PF, CF. C1 stays as it is but for a stack fault.</summary>
internal readonly struct X87CompareToFlags<TComparison> : IOperation
    where TComparison : struct, IComparison
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        FromStack.Read(cpu, ref r, ref op, out FloatValue source, out bool isEmpty);
        int c1 = isEmpty || X87Stack.IsEmpty(ref r, 0) ? 0 : r.Fsw & X87Stack.C1;
        bool done = X87Comparison.Compare<TComparison>(ref r, in source, isEmpty, out FloatOrder order);
        cpu.Flags.FromBits(order switch
        {
            FloatOrder.Less => LazyFlags.Carry,
            FloatOrder.Equal => LazyFlags.Zero,
            FloatOrder.Greater => 0,
            _ => LazyFlags.Carry | LazyFlags.Zero | LazyFlags.Parity,
        });
        if (done)
            X87Stack.Pop(ref r, (int)op.Immediate);
        r.Fsw |= (ushort)c1;
        return ref Handler.Next(ref op);
    }
}

/// <summary>Zero, for FTST.</summary>
internal readonly struct FromZero : IX87Source
{
    public static bool Read(Interpreter cpu, ref RegisterFile r, ref MicroOp op, out FloatValue value, out bool isEmpty)
    {
        value = FloatValue.Zero(false);
        isEmpty = false;
        return true;
    }
}

/// <summary>Comparisons with ST(0).</summary>
internal static class X87Comparison
{
    /// <summary>False: an exception that is not masked keeps the instruction from popping. The outcome counts all the same.</summary>
    public static bool Compare<TComparison>(ref RegisterFile r, in FloatValue source, bool isEmpty, out FloatOrder order)
        where TComparison : struct, IComparison
    {
        order = FloatOrder.Unordered;
        if (isEmpty || X87Stack.IsEmpty(ref r, 0))
            return X87Stack.Underflow(ref r);
        FloatContext context = FloatContext.FromControlWord(r.Fcw);
        order = FloatMath.Compare(ref context, X87Stack.Value(ref r, 0), source, TComparison.IsSignalling);
        return X87Stack.Finish(ref r, in context);
    }
}
