using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Flags, stack frames, loops, far returns.</summary>
internal static class FlowLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(Plain<ChangeCarry<Clear>>, Mnemonic.Clc);
        table.Set(Plain<ChangeCarry<Set>>, Mnemonic.Stc);
        table.Set(Plain<ChangeCarry<Complement>>, Mnemonic.Cmc);
        table.Set(Plain<ChangeDirection>, Mnemonic.Cld);
        table.Set(static (in Instruction i, BlockDecoder b) => b.Emit(in i, Handler.Of<ChangeDirection>()).Immediate = RFlag.Direction, Mnemonic.Std);
        table.Set(Plain<LoadFlagsIntoAh>, Mnemonic.Lahf);
        table.Set(Plain<StoreAhIntoFlags>, Mnemonic.Sahf);
        table.Set(Plain<PushFlags<ulong>>, Mnemonic.Pushfq);
        table.Set(Plain<PushFlags<ushort>>, Mnemonic.Pushf);
        table.Set(Plain<PopFlags<ulong>>, Mnemonic.Popfq);
        table.Set(Plain<PopFlags<ushort>>, Mnemonic.Popf);
        table.Set(Enter, Mnemonic.Enter);
        table.Set(Leave, Mnemonic.Leave);
        table.Set(Loop, Mnemonic.Loop, Mnemonic.Loope, Mnemonic.Loopne);
        table.Set(Branch<JumpIfCounterZero<ulong>>, Mnemonic.Jrcxz);
        table.Set(Branch<JumpIfCounterZero<uint>>, Mnemonic.Jecxz);
        table.Set(Last<InterruptReturn<ulong>>, Mnemonic.Iretq);
        table.Set(Last<InterruptReturn<uint>>, Mnemonic.Iretd);
        table.Set(Last<InterruptReturn<ushort>>, Mnemonic.Iret);
        table.Set(FarRet, Mnemonic.Retf);
    }

    private static void Plain<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IOperation => block.Emit(in instruction, Handler.Of<TOp>());

    private static void Last<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IOperation => block.EmitLast(in instruction, Handler.Of<TOp>());

    private static void Branch<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IOperation
    {
        ref MicroOp op = ref block.EmitLast(in instruction, Handler.Of<TOp>());
        op.Displacement = instruction.NearBranchTarget;
        op.Immediate = instruction.NextIP;
    }

    private static void Loop(in Instruction instruction, BlockDecoder block)
    {
        bool narrow = instruction.Code is Code.Loop_rel8_64_ECX or Code.Loope_rel8_64_ECX or Code.Loopne_rel8_64_ECX;
        Lowering lowering = (instruction.Mnemonic, narrow) switch
        {
            (Mnemonic.Loope, false) => Branch<LoopWhile<WhileZero, ulong>>,
            (Mnemonic.Loope, true) => Branch<LoopWhile<WhileZero, uint>>,
            (Mnemonic.Loopne, false) => Branch<LoopWhile<WhileNotZero, ulong>>,
            (Mnemonic.Loopne, true) => Branch<LoopWhile<WhileNotZero, uint>>,
            (_, false) => Branch<LoopWhile<Always, ulong>>,
            (_, true) => Branch<LoopWhile<Always, uint>>,
        };
        lowering(in instruction, block);
    }

    private static void Enter(in Instruction instruction, BlockDecoder block)
    {
        bool word = instruction.Code == Code.Enterw_imm16_imm8;
        ref MicroOp op = ref block.Emit(in instruction, word ? Handler.Of<EnterFrame<ushort>>() : Handler.Of<EnterFrame<ulong>>());
        op.Immediate = instruction.Immediate16;
        op.Src = (ushort)(instruction.Immediate8_2nd & 31);
    }

    private static void Leave(in Instruction instruction, BlockDecoder block) =>
        block.Emit(in instruction, instruction.Code == Code.Leavew ? Handler.Of<LeaveFrame<ushort>>() : Handler.Of<LeaveFrame<ulong>>());

    private static void FarRet(in Instruction instruction, BlockDecoder block)
    {
        nint handler = instruction.Code switch
        {
            Code.Retfq or Code.Retfq_imm16 => Handler.Of<FarReturn<ulong>>(),
            Code.Retfd or Code.Retfd_imm16 => Handler.Of<FarReturn<uint>>(),
            _ => Handler.Of<FarReturn<ushort>>(),
        };
        block.EmitLast(in instruction, handler).Immediate = instruction.OpCount == 0 ? 0ul : instruction.Immediate16;
    }
}
