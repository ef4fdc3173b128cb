namespace Xen.Cpu;

/// <summary>What vector and floating-point instructions ask of the interpreter besides memory.</summary>
public sealed partial class Interpreter
{
    /// <summary>Records the fault of a vector operand that is not on its natural boundary; always false.</summary>
    internal bool Misaligned()
    {
        _exit = CpuExit.Exception(Vector.GeneralProtection);
        return false;
    }

    /// <summary>Takes the exceptions of an SSE operation into MXCSR. False: one was not masked, and #XM is recorded.</summary>
    internal bool Raise(ref RegisterFile r, in FloatContext context)
    {
        FloatFlags flags = context.Flags;
        if (context.IsStopped)
            flags &= FloatFlags.BeforeOperation;
        r.Mxcsr |= (uint)flags;
        if ((flags & ~context.Masks) == 0)
            return true;
        _exit = CpuExit.Exception(Vector.Simd);
        return false;
    }
}
