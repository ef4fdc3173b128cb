namespace Xen.Cpu;

/// <summary>FLD, FILD: pushes the source, exactly.</summary>
internal readonly struct X87Load<TSource> : IOperation
    where TSource : struct, IX87Source
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!TSource.Read(cpu, ref r, ref op, out FloatValue source, out _))
            return ref cpu.Fault(ref r, ref op);
        X87Stack.ClearC1(ref r);
        if (!X87Stack.IsEmpty(ref r, -1))
        {
            X87Stack.Push(ref r, default);
            return ref Handler.Next(ref op);
        }

        FloatContext context = FloatContext.FromControlWord(r.Fcw);
        context.Format = FloatFormat.Extended;
        FloatValue value = FloatMath.Convert(ref context, source);

        // A denormal is loaded even when its exception is not masked.
        X87Stack.Finish(ref r, in context);
        if ((context.Flags & ~context.Masks & FloatFlags.Invalid) == 0)
            X87Stack.Push(ref r, value.ToExtended());
        return ref Handler.Next(ref op);
    }
}

/// <summary>FLD m80: pushes as is.</summary>
internal readonly struct X87LoadExtended : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if (!cpu.Load(address, out ulong significand) || !cpu.Load(address + 8, out ushort signExponent))
            return ref cpu.Fault(ref r, ref op);
        X87Stack.ClearC1(ref r);
        X87Stack.Push(ref r, new Float80 { Significand = significand, SignExponent = signExponent });
        return ref Handler.Next(ref op);
    }
}

/// <summary>FLD ST(i).</summary>
internal readonly struct X87Duplicate : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        Float80 value = X87Stack.St(ref r, op.Src);
        if (!X87Stack.IsEmpty(ref r, op.Src))
            X87Stack.Push(ref r, value);
        else if (X87Stack.Underflow(ref r))
            X87Stack.PushAnyway(ref r, X87Stack.Indefinite);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FLD1, FLDPI, ...: pushes a constant, rounded as the control word says. Src is its number.</summary>
internal readonly struct X87LoadConstant : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        FloatContext context = FloatContext.FromControlWord(r.Fcw);
        context.Format = FloatFormat.Extended;

        // The precision exception is not raised.
        X87Stack.Push(ref r, X87Constants.All[op.Src] is { IsZero: false } constant
            ? context.Round(false, constant.Exponent, constant.Significand).ToExtended()
            : default);
        return ref Handler.Next(ref op);
    }
}

/// <summary>The constants in order of their opcodes, with more digits than a register has.</summary>
internal static class X87Constants
{
    public static readonly WideFloat[] All =
    [
        WideFloat.One,
        new(false, 1, new UInt128(0xD49A_784B_CD1B_8AFE, 0x492B_F6FF_4DAF_DB4D)),
        WideFloat.Log2E,
        WideFloat.Pi,
        new(false, -2, new UInt128(0x9A20_9A84_FBCF_F798, 0x8F89_59AC_0B7C_9178)),
        WideFloat.Ln2,
        default,
    ];
}

/// <summary>FST, FSTP to memory, as single (uint) or double (ulong). Immediate says how often to pop.</summary>
internal readonly struct X87Store<T> : IOperation
    where T : unmanaged
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ushort status = r.Fsw;
        ulong bits;
        if (X87Stack.IsEmpty(ref r, 0))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
            bits = FloatValue.DefaultNaN.ToBits<T>();
        }
        else
        {
            FloatContext context = FloatContext.FromControlWord(r.Fcw);
            context.Format = FloatSlowPath.Format<T>();
            FloatValue source = X87Stack.Value(ref r, 0);
            if (!context.TryNaN(in source, out FloatValue value))
                value = context.Round(in source);

            // Of a number that does not fit nothing is stored when the exception is not masked.
            const FloatFlags Unfit = FloatFlags.Overflow | FloatFlags.Underflow;
            bool stops = (context.Flags & ~context.Masks & Unfit) != 0;
            if (stops)
                context.Flags &= ~FloatFlags.Precision;
            if (!X87Stack.Finish(ref r, in context) || stops)
                return ref Handler.Next(ref op);
            bits = value.ToBits<T>();
        }

        if (!cpu.Store(Operand.Address(ref r, ref op), Operand.Truncate<T>(bits)))
        {
            r.Fsw = status;
            return ref cpu.Fault(ref r, ref op);
        }

        X87Stack.Pop(ref r, (int)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FSTP m80: as is.</summary>
internal readonly struct X87StoreExtended : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ushort status = r.Fsw;
        Float80 value = X87Stack.St(ref r, 0);
        X87Stack.ClearC1(ref r);
        if (X87Stack.IsEmpty(ref r, 0))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
            value = X87Stack.Indefinite;
        }

        if (!X87Memory.TryStore(cpu, Operand.Address(ref r, ref op), value.Significand, value.SignExponent))
        {
            r.Fsw = status;
            return ref cpu.Fault(ref r, ref op);
        }

        X87Stack.Pop(ref r);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FST, FSTP to ST(Dst).</summary>
internal readonly struct X87Copy : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        Float80 value = X87Stack.St(ref r, 0);
        if (X87Stack.IsEmpty(ref r, 0))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
            value = X87Stack.Indefinite;
        }

        X87Stack.Set(ref r, op.Dst, value);
        X87Stack.Pop(ref r, (int)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>The other encoding of FSTP ST(Dst), D9 D8+i: an empty register is no exception, and is not copied.</summary>
internal readonly struct X87CopyQuietly : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        if (!X87Stack.IsEmpty(ref r, 0))
            X87Stack.Set(ref r, op.Dst, X87Stack.St(ref r, 0));
        X87Stack.Pop(ref r);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FIST, FISTP, FISTTP.</summary>
internal readonly struct X87StoreInteger<T, TRounding> : IOperation
    where T : unmanaged
    where TRounding : struct, IRoundingChoice
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ushort status = r.Fsw;
        long value = -1L << (Operand.Bits<T>() - 1);
        if (X87Stack.IsEmpty(ref r, 0))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
        }
        else
        {
            FloatContext context = FloatContext.FromControlWord(r.Fcw);
            if (TRounding.Truncates)
                context.Rounding = Rounding.TowardZero;
            value = FloatMath.ToInteger(ref context, X87Stack.Value(ref r, 0), Operand.Bits<T>());
            if (!X87Stack.Finish(ref r, in context))
                return ref Handler.Next(ref op);
        }

        if (!cpu.Store(Operand.Address(ref r, ref op), Operand.Truncate<T>((ulong)value)))
        {
            r.Fsw = status;
            return ref cpu.Fault(ref r, ref op);
        }

        X87Stack.Pop(ref r, (int)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FBLD.</summary>
internal readonly struct X87LoadDecimal : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ulong address = Operand.Address(ref r, ref op);
        if (!cpu.Load(address, out ulong digits) || !cpu.Load(address + 8, out ushort sign))
            return ref cpu.Fault(ref r, ref op);
        X87Stack.ClearC1(ref r);
        X87Stack.Push(ref r, PackedDecimal.Decode(digits, sign).ToExtended());
        return ref Handler.Next(ref op);
    }
}

/// <summary>FBSTP.</summary>
internal readonly struct X87StoreDecimal : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        ushort status = r.Fsw;
        ulong digits = PackedDecimal.IndefiniteDigits;
        ushort sign = PackedDecimal.IndefiniteSign;
        if (X87Stack.IsEmpty(ref r, 0))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
        }
        else
        {
            FloatContext context = FloatContext.FromControlWord(r.Fcw);
            PackedDecimal.TryEncode(ref context, X87Stack.Value(ref r, 0), out digits, out sign);
            if (!X87Stack.Finish(ref r, in context))
                return ref Handler.Next(ref op);
        }

        if (!X87Memory.TryStore(cpu, Operand.Address(ref r, ref op), digits, sign))
        {
            r.Fsw = status;
            return ref cpu.Fault(ref r, ref op);
        }

        X87Stack.Pop(ref r);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FXCH.</summary>
internal readonly struct X87Exchange : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        if (X87Stack.IsEmpty(ref r, 0) || X87Stack.IsEmpty(ref r, op.Src))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
            if (X87Stack.IsEmpty(ref r, 0))
                X87Stack.Set(ref r, 0, X87Stack.Indefinite);
            if (X87Stack.IsEmpty(ref r, op.Src))
                X87Stack.Set(ref r, op.Src, X87Stack.Indefinite);
        }

        (X87Stack.St(ref r, 0), X87Stack.St(ref r, op.Src)) = (X87Stack.St(ref r, op.Src), X87Stack.St(ref r, 0));
        return ref Handler.Next(ref op);
    }
}

/// <summary>FCMOVcc. C1 stays as it is.</summary>
internal readonly struct X87MoveIf<TIf> : IOperation
    where TIf : struct, ICondition
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (X87Stack.IsEmpty(ref r, 0) || X87Stack.IsEmpty(ref r, op.Src))
        {
            if (X87Stack.Underflow(ref r))
                X87Stack.Set(ref r, 0, X87Stack.Indefinite);
        }
        else if (TIf.Test(in cpu.Flags))
        {
            X87Stack.St(ref r, 0) = X87Stack.St(ref r, op.Src);
        }

        return ref Handler.Next(ref op);
    }
}

/// <summary>Operands of ten bytes.</summary>
internal static class X87Memory
{
    /// <summary>Stores all or nothing.</summary>
    public static bool TryStore(Interpreter cpu, ulong address, ulong low, ushort high)
    {
        Span<byte> bytes = stackalloc byte[10];
        BitConverter.TryWriteBytes(bytes, low);
        BitConverter.TryWriteBytes(bytes[8..], high);
        return cpu.WriteBytes(address, bytes);
    }
}
