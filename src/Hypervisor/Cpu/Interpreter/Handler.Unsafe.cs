using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>
/// What a micro-op does. Returns the op to go on with: the next one (<see cref="Handler.Next"/>), the first of another block,
/// or none (a null reference) when the interpreter is to leave its loop.
/// </summary>
internal interface IOperation
{
    static abstract ref MicroOp Execute(Interpreter cpu, ref RegisterFile r, ref MicroOp op);
}

/// <summary>Handlers as addresses, so that the loop calls them without a table.</summary>
internal static unsafe class Handler
{
    /// <summary>The address of an operation's code.</summary>
    public static nint Of<T>()
        where T : struct, IOperation
    {
        // SAFETY: a managed function pointer of a static method stays valid for the life of the process.
        return (nint)(delegate*<Interpreter, ref RegisterFile, ref MicroOp, ref MicroOp>)&Entry<T>.Run;
    }

    /// <summary>The op after this one in the block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref MicroOp Next(ref MicroOp op)
    {
        // SAFETY: a block ends with an op that leaves it and never asks for its next.
        return ref Unsafe.Add(ref op, 1);
    }

    /// <summary>No op: leave the loop.</summary>
    public static ref MicroOp None => ref Unsafe.NullRef<MicroOp>();

    /// <summary>Executes ops until one leaves the loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Loop(Interpreter cpu, ref RegisterFile r, ref MicroOp op)
    {
        // SAFETY: every op's handler was set by Of<T>() when the block was lowered.
        while (!Unsafe.IsNullRef(ref op))
            op = ref ((delegate*<Interpreter, ref RegisterFile, ref MicroOp, ref MicroOp>)op.Handler)(cpu, ref r, ref op);
    }

    private static class Entry<T>
        where T : struct, IOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static ref MicroOp Run(Interpreter cpu, ref RegisterFile r, ref MicroOp op) => ref T.Execute(cpu, ref r, ref op);
    }
}
