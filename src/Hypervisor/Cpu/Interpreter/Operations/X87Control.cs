namespace Xen.Cpu;

/// <summary>FLDCW. Waiting.</summary>
internal readonly struct X87LoadControl : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Load(Operand.Address(ref r, ref op), out ushort control))
            return ref cpu.Fault(ref r, ref op);
        X87Environment.SetControl(ref r, control);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FNSTCW.</summary>
internal readonly struct X87StoreControl : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Store(Operand.Address(ref r, ref op), r.Fcw))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FNSTSW m16.</summary>
internal readonly struct X87StoreStatus : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        if (!cpu.Store(Operand.Address(ref r, ref op), r.Fsw))
            return ref cpu.Fault(ref r, ref op);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FNSTSW ax.</summary>
internal readonly struct X87StatusToAx : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        Operand.Write<ushort>(ref r, RegisterOffsets.Rax, r.Fsw);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FNINIT.</summary>
internal readonly struct X87Initialise : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Environment.Initialise(ref r);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FNCLEX.</summary>
internal readonly struct X87ClearExceptions : IOperation
{
    private const int Kept = 0x7F00;

    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        r.Fsw &= Kept;
        return ref Handler.Next(ref op);
    }
}

/// <summary>FINCSTP, FDECSTP: Immediate is what is added to TOP.</summary>
internal readonly struct X87MoveTop : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        X87Stack.MoveTop(ref r, (int)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FFREE ST(Dst), and FFREEP, which pops besides.</summary>
internal readonly struct X87Free : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        X87Stack.ClearC1(ref r);
        X87Stack.Free(ref r, op.Dst);
        X87Stack.Pop(ref r, (int)op.Immediate);
        return ref Handler.Next(ref op);
    }
}

/// <summary>FNSTENV, FNSAVE. Immediate is the size of the environment; Dst is not 0 for FNSAVE.</summary>
internal readonly struct X87StoreEnvironment : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        int size = (int)op.Immediate;
        bool all = op.Dst != 0;
        Span<byte> image = stackalloc byte[X87Environment.Size + X87Environment.RegistersSize];
        image = image[..(size + (all ? X87Environment.RegistersSize : 0))];
        X87Environment.Store(ref r, image[..size]);
        if (all)
            X87Environment.StoreRegisters(ref r, image[size..]);
        if (!cpu.WriteBytes(Operand.Address(ref r, ref op), image))
            return ref cpu.Fault(ref r, ref op);
        if (all)
        {
            X87Environment.Initialise(ref r);
        }
        else
        {
            r.Fcw |= (ushort)FloatFlags.All;
            X87Stack.Summarise(ref r);
        }

        return ref Handler.Next(ref op);
    }
}

/// <summary>FLDENV, FRSTOR. Operands as in <see cref="X87StoreEnvironment"/>.</summary>
internal readonly struct X87LoadEnvironment : IOperation
{
    public static ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        int size = (int)op.Immediate;
        bool all = op.Dst != 0;
        Span<byte> image = stackalloc byte[X87Environment.Size + X87Environment.RegistersSize];
        image = image[..(size + (all ? X87Environment.RegistersSize : 0))];
        if (!cpu.ReadBytes(Operand.Address(ref r, ref op), image))
            return ref cpu.Fault(ref r, ref op);
        X87Environment.Load(ref r, image[..size]);
        if (all)
            X87Environment.LoadRegisters(ref r, image[size..]);
        return ref Handler.Next(ref op);
    }
}
