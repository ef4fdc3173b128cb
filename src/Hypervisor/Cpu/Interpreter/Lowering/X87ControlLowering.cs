using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Control instructions of the x87: those with N in their names do not wait for pending exceptions, and none notes its address.</summary>
internal static class X87ControlLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(static (in Instruction i, BlockDecoder b) => NoWait(in i, b, Handler.Of<X87Initialise>()), Mnemonic.Fninit);
        table.Set(static (in Instruction i, BlockDecoder b) => NoWait(in i, b, Handler.Of<X87ClearExceptions>()), Mnemonic.Fnclex);
        table.Set(static (in Instruction i, BlockDecoder b) => NoWait(in i, b, Handler.Of<X87StoreControl>()), Mnemonic.Fnstcw);
        table.Set(StoreStatus, Mnemonic.Fnstsw);
        table.Set(static (in Instruction i, BlockDecoder b) => Environment(ref NoWait(in i, b, Handler.Of<X87StoreEnvironment>()), in i), Mnemonic.Fnstenv, Mnemonic.Fnsave);
        table.Set(static (in Instruction i, BlockDecoder b) => Environment(ref Wait(in i, b, Handler.Of<X87LoadEnvironment>()), in i), Mnemonic.Fldenv, Mnemonic.Frstor);
        table.Set(static (in Instruction i, BlockDecoder b) => Wait(in i, b, Handler.Of<X87LoadControl>()), Mnemonic.Fldcw);
        table.Set(static (in Instruction i, BlockDecoder b) => Wait(in i, b, Handler.Of<NoOperation>()), Mnemonic.Wait);
        table.Set(static (in Instruction i, BlockDecoder b) => X87Lowering.Emit(in i, b, Handler.Of<NoOperation>()), Mnemonic.Fnop);
        table.Set(static (in Instruction i, BlockDecoder b) => X87Lowering.Emit(in i, b, Handler.Of<X87MoveTop>()).Immediate = 1, Mnemonic.Fincstp);
        table.Set(static (in Instruction i, BlockDecoder b) => X87Lowering.Emit(in i, b, Handler.Of<X87MoveTop>()).Immediate = 7, Mnemonic.Fdecstp);
        table.Set(static (in Instruction i, BlockDecoder b) => X87Lowering.Emit(in i, b, Handler.Of<X87Free>()), Mnemonic.Ffree);
        table.Set(static (in Instruction i, BlockDecoder b) => X87Lowering.Emit(in i, b, Handler.Of<X87Free>()).Immediate = 1, Mnemonic.Ffreep);

        // Nothing to the x87 since the 80287 and 80387.
        table.Set(static (in Instruction i, BlockDecoder b) => X87Lowering.Emit(in i, b, Handler.Of<NoOperation>()), Mnemonic.Fneni, Mnemonic.Fndisi, Mnemonic.Fnsetpm);
    }

    private static ref MicroOp NoWait(in Instruction instruction, BlockDecoder block, nint handler)
    {
        VectorLowering.EmitCheck(in instruction, block);
        return ref block.Emit(in instruction, handler);
    }

    private static ref MicroOp Wait(in Instruction instruction, BlockDecoder block, nint handler)
    {
        VectorLowering.EmitCheck(in instruction, block);
        block.Emit(VectorLowering.Plain(in instruction), Handler.Of<CheckPendingX87>());
        return ref block.Emit(in instruction, handler);
    }

    private static void StoreStatus(in Instruction instruction, BlockDecoder block) =>
        NoWait(in instruction, block, VectorLowering.IsMemory(in instruction, 0) ? Handler.Of<X87StoreStatus>() : Handler.Of<X87StatusToAx>());

    private static void Environment(ref MicroOp op, in Instruction instruction)
    {
        bool narrow = instruction.MemorySize is MemorySize.FpuEnv14 or MemorySize.FpuState94;
        op.Immediate = narrow ? (ulong)X87Environment.NarrowSize : X87Environment.Size;
        op.Dst = instruction.Mnemonic is Mnemonic.Fnsave or Mnemonic.Frstor ? (ushort)1 : (ushort)0;
    }
}
