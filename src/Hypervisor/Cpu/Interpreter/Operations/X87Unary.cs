namespace Xen.Cpu;

/// <summary>A function of ST(0) that replaces it.</summary>
internal interface IX87Unary
{
    static abstract FloatValue Apply(ref FloatContext context, in FloatValue a);

    /// <summary>Whether precision control applies.</summary>
    static abstract bool IsBasic { get; }
}

/// <summary>FSQRT.</summary>
internal readonly struct X87SquareRoot : IX87Unary
{
    public static bool IsBasic => true;

    public static FloatValue Apply(ref FloatContext context, in FloatValue a) => FloatMath.SquareRoot(ref context, a);
}

/// <summary>FRNDINT.</summary>
internal readonly struct X87RoundToInteger : IX87Unary
{
    public static bool IsBasic => false;

    public static FloatValue Apply(ref FloatContext context, in FloatValue a) => FloatMath.RoundToIntegral(ref context, a);
}

/// <summary>F2XM1.</summary>
internal readonly struct X87PowerMinusOne : IX87Unary
{
    public static bool IsBasic => false;

    public static FloatValue Apply(ref FloatContext context, in FloatValue a) => Transcendental.PowerMinusOne(ref context, a);
}

/// <summary>ST(0) = function(ST(0)).</summary>
internal readonly struct X87Function<TOp> : IOperation
    where TOp : struct, IX87Unary
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (X87Stack.IsEmpty(ref r, 0))
        {
            if (X87Stack.Underflow(ref r))
                X87Stack.Set(ref r, 0, X87Stack.Indefinite);
            return ref Handler.Next(ref op);
        }

        FloatContext context = FloatContext.FromControlWord(r.Fcw);
        if (!TOp.IsBasic)
            context.Format = FloatFormat.Extended;
        FloatValue value = TOp.Apply(ref context, X87Stack.Value(ref r, 0));
        if (X87Stack.Finish(ref r, in context))
            X87Stack.Set(ref r, 0, value.ToExtended());
        return ref Handler.Next(ref op);
    }
}

/// <summary>A function of ST(1) and ST(0). Its result replaces ST(1), and ST(0) is popped; or replaces ST(0).</summary>
internal interface IX87Pair
{
    static abstract FloatValue Apply(ref FloatContext context, in FloatValue st1, in FloatValue st0);

    static abstract bool Pops { get; }
}

/// <summary>FSCALE.</summary>
internal readonly struct X87Scale : IX87Pair
{
    public static bool Pops => false;

    public static FloatValue Apply(ref FloatContext context, in FloatValue st1, in FloatValue st0) => X87Functions.Scale(ref context, st0, st1);
}

/// <summary>FYL2X.</summary>
internal readonly struct X87Logarithm : IX87Pair
{
    public static bool Pops => true;

    public static FloatValue Apply(ref FloatContext context, in FloatValue st1, in FloatValue st0) => Transcendental.Logarithm(ref context, st1, st0);
}

/// <summary>FYL2XP1.</summary>
internal readonly struct X87LogarithmOnePlus : IX87Pair
{
    public static bool Pops => true;

    public static FloatValue Apply(ref FloatContext context, in FloatValue st1, in FloatValue st0) => Transcendental.LogarithmOnePlus(ref context, st1, st0);
}

/// <summary>FPATAN.</summary>
internal readonly struct X87ArcTangent : IX87Pair
{
    public static bool Pops => true;

    public static FloatValue Apply(ref FloatContext context, in FloatValue st1, in FloatValue st0) => Transcendental.ArcTangent(ref context, st1, st0);
}

/// <summary>See <see cref="IX87Pair"/>.</summary>
internal readonly struct X87PairFunction<TOp> : IOperation
    where TOp : struct, IX87Pair
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Float80 result = X87Stack.Indefinite;
        if (X87Stack.IsEmpty(ref r, 0) || X87Stack.IsEmpty(ref r, 1))
        {
            if (!X87Stack.Underflow(ref r))
                return ref Handler.Next(ref op);
        }
        else
        {
            FloatContext context = FloatContext.FromControlWord(r.Fcw);
            context.Format = FloatFormat.Extended;
            FloatValue value = TOp.Apply(ref context, X87Stack.Value(ref r, 1), X87Stack.Value(ref r, 0));
            if (!X87Stack.Finish(ref r, in context))
                return ref Handler.Next(ref op);
            result = value.ToExtended();
        }

        X87Stack.Set(ref r, TOp.Pops ? 1 : 0, result);
        X87Stack.Pop(ref r, TOp.Pops ? 1 : 0);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FPREM; FPREM1 when Immediate is not 0. C2: partial; else C0, C3, C1 are the quotient's bits 2, 1, 0.</summary>
internal readonly struct X87Remainder : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        const int Conditions = X87Stack.C0 | X87Stack.C1 | X87Stack.C2 | X87Stack.C3;
        X87Stack.SetCondition(ref r, X87Stack.C2, 0);
        if (X87Stack.IsEmpty(ref r, 0) || X87Stack.IsEmpty(ref r, 1))
        {
            if (X87Stack.Underflow(ref r))
                X87Stack.Set(ref r, 0, X87Stack.Indefinite);

            return ref Handler.Next(ref op);
        }

        FloatContext context = FloatContext.FromControlWord(r.Fcw);
        context.Format = FloatFormat.Extended;
        FloatValue value = X87Functions.Remainder(ref context, X87Stack.Value(ref r, 0), X87Stack.Value(ref r, 1), op.Immediate != 0, out int quotient);
        if (X87Stack.Finish(ref r, in context))
        {
            X87Stack.Set(ref r, 0, value.ToExtended());
            if (value.IsNaN)
            {
                X87Stack.SetCondition(ref r, X87Stack.C1 | X87Stack.C2, 0);
                return ref Handler.Next(ref op);
            }

            int bits = quotient < 0
                ? X87Stack.C2
                : ((quotient & 4) != 0 ? X87Stack.C0 : 0) | ((quotient & 2) != 0 ? X87Stack.C3 : 0) | ((quotient & 1) != 0 ? X87Stack.C1 : 0);
            X87Stack.SetCondition(ref r, Conditions, bits);
        }

        return ref Handler.Next(ref op);
    }
}

/// <summary>FXTRACT: ST(0) becomes its exponent, and its significand is pushed.</summary>
internal readonly struct X87Extract : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        bool empty = X87Stack.IsEmpty(ref r, 0);
        Float80 exponent = X87Stack.Indefinite, significand = X87Stack.Indefinite;
        if (empty || !X87Stack.IsEmpty(ref r, -1))
        {
            if (!(empty ? X87Stack.Underflow(ref r) : X87Stack.Overflow(ref r)))
                return ref Handler.Next(ref op);
        }
        else
        {
            FloatContext context = FloatContext.FromControlWord(r.Fcw);
            exponent = X87Functions.Extract(ref context, X87Stack.Value(ref r, 0), out FloatValue rest).ToExtended();
            significand = rest.ToExtended();
            if (!X87Stack.Finish(ref r, in context))
                return ref Handler.Next(ref op);
        }

        X87Stack.Set(ref r, 0, exponent);
        X87Stack.PushAnyway(ref r, significand);
        return ref Handler.Next(ref op);
    }
}

/// <summary>What FSIN and its kin leave in ST(0), and whether they push something on top.</summary>
internal enum Angle
{
    Sine,
    Cosine,
    SineCosine,
    Tangent,
}

/// <summary>FSIN, FCOS, FSINCOS, FPTAN: Immediate says which. C2: the angle is out of range, and nothing changed.</summary>
internal readonly struct X87Angle : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        var wanted = (Angle)op.Immediate;
        bool pushes = wanted is Angle.SineCosine or Angle.Tangent;
        X87Stack.SetCondition(ref r, X87Stack.C2, 0);
        Float80 first = X87Stack.Indefinite, second = first;
        bool empty = X87Stack.IsEmpty(ref r, 0);
        if (empty || (pushes && !X87Stack.IsEmpty(ref r, -1)))
        {
            if (!(empty ? X87Stack.Underflow(ref r) : X87Stack.Overflow(ref r)))
                return ref Handler.Next(ref op);
        }
        else
        {
            FloatContext context = FloatContext.FromControlWord(r.Fcw);
            context.Format = FloatFormat.Extended;
            if (!Transcendental.TryAngle(ref context, X87Stack.Value(ref r, 0), wanted, out FloatValue result, out FloatValue pushed))
            {
                X87Stack.SetCondition(ref r, X87Stack.C1 | X87Stack.C2, X87Stack.C2);
                return ref Handler.Next(ref op);
            }

            if (!X87Stack.Finish(ref r, in context))
                return ref Handler.Next(ref op);
            first = result.ToExtended();
            second = pushed.ToExtended();
        }

        X87Stack.Set(ref r, 0, first);
        if (pushes)
            X87Stack.PushAnyway(ref r, second);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FCHS (Immediate 1) and FABS (0): the sign bit only.</summary>
internal readonly struct X87Sign : IOperation
{
    private const ushort SignBit = 0x8000;

    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        if (X87Stack.IsEmpty(ref r, 0))
        {
            if (X87Stack.Underflow(ref r))
                X87Stack.Set(ref r, 0, X87Stack.Indefinite);
            return ref Handler.Next(ref op);
        }

        ref ushort signExponent = ref X87Stack.St(ref r, 0).SignExponent;
        signExponent = (ushort)(op.Immediate != 0 ? signExponent ^ SignBit : signExponent & ~SignBit);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FXAM: what ST(0) is, in C3, C2, C0; its sign in C1.</summary>
internal readonly struct X87Examine : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        FloatValue value = X87Stack.Value(ref r, 0);
        int bits = X87Stack.IsEmpty(ref r, 0) ? X87Stack.C3 | X87Stack.C0 : value.Class switch
        {
            FloatClass.Unsupported => 0,
            FloatClass.NaN => X87Stack.C0,
            FloatClass.Infinity => X87Stack.C2 | X87Stack.C0,
            FloatClass.Zero => X87Stack.C3,
            _ => value.IsDenormal ? X87Stack.C3 | X87Stack.C2 : X87Stack.C2,
        };
        X87Stack.SetCondition(ref r, X87Stack.C0 | X87Stack.C1 | X87Stack.C2 | X87Stack.C3, bits | (value.Negative ? X87Stack.C1 : 0));
        return ref Handler.Next(ref op);
    }
}
