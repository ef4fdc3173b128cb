using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Jumps, calls and returns: what ends a block.</summary>
internal static class BranchLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(ConditionalJump, Mnemonic.Jo, Mnemonic.Jno, Mnemonic.Jb, Mnemonic.Jae, Mnemonic.Je, Mnemonic.Jne, Mnemonic.Jbe, Mnemonic.Ja);
        table.Set(ConditionalJump, Mnemonic.Js, Mnemonic.Jns, Mnemonic.Jp, Mnemonic.Jnp, Mnemonic.Jl, Mnemonic.Jge, Mnemonic.Jle, Mnemonic.Jg);
        table.Set(Jmp, Mnemonic.Jmp);
        table.Set(CallTarget, Mnemonic.Call);
        table.Set(Ret, Mnemonic.Ret);
    }

    private static void ConditionalJump(in Instruction instruction, BlockDecoder block)
    {
        ref MicroOp op = ref block.EmitConditionalJump(in instruction, Conditional.Pick<If>(instruction.ConditionCode));
        op.Displacement = instruction.NearBranchTarget;
        op.Immediate = instruction.NextIP;
    }

    private static void Jmp(in Instruction instruction, BlockDecoder block)
    {
        switch (instruction.Op0Kind)
        {
            case OpKind.NearBranch64:
                block.EmitLast(in instruction, Handler.Of<Jump>()).Displacement = instruction.NearBranchTarget;
                break;
            case OpKind.Register:
                block.EmitLast(in instruction, Handler.Of<JumpIndirect<FromRegister>>()).Src = RegisterOffsets.Of(instruction.Op0Register);
                break;
            case OpKind.Memory when instruction.MemorySize == MemorySize.QwordOffset:
                block.EmitLast(in instruction, Handler.Of<JumpIndirect<FromMemory>>());
                break;
            default:
                LoweringTable.Undefined(in instruction, block);
                break;
        }
    }

    private static void CallTarget(in Instruction instruction, BlockDecoder block)
    {
        switch (instruction.Op0Kind)
        {
            case OpKind.NearBranch64:
                ref MicroOp direct = ref block.EmitLast(in instruction, Handler.Of<Call>());
                direct.Displacement = instruction.NearBranchTarget;
                direct.Immediate = instruction.NextIP;
                break;
            case OpKind.Register:
                ref MicroOp byRegister = ref block.EmitLast(in instruction, Handler.Of<CallIndirect<FromRegister>>());
                byRegister.Src = RegisterOffsets.Of(instruction.Op0Register);
                byRegister.Immediate = instruction.NextIP;
                break;
            case OpKind.Memory when instruction.MemorySize == MemorySize.QwordOffset:
                block.EmitLast(in instruction, Handler.Of<CallIndirect<FromMemory>>()).Immediate = instruction.NextIP;
                break;
            default:
                LoweringTable.Undefined(in instruction, block);
                break;
        }
    }

    private static void Ret(in Instruction instruction, BlockDecoder block) =>
        block.EmitLast(in instruction, Handler.Of<Return>()).Immediate = instruction.OpCount == 0 ? 0ul : instruction.Immediate16;

    private readonly struct If : IConditioned
    {
        public static nint Of<TIf>()
            where TIf : struct, ICondition => Handler.Of<JumpIf<TIf>>();
    }
}
