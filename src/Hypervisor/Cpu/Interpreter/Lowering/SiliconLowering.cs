using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Instructions that the host's own processor executes: see <see cref="HostExecutor"/>.</summary>
internal static class SiliconLowering
{
    /// <summary>Emits the ops of an instruction. False: it is none of those.</summary>
    public static bool TryLower(in Instruction instruction, BlockDecoder block)
    {
        SiliconKind kind = InstructionSets.KindOf(instruction.Code);
        if (kind == SiliconKind.None || block.Host is not { } host || instruction.Mnemonic is Mnemonic.Vzeroupper or Mnemonic.Vzeroall)
            return false;
        if (kind == SiliconKind.Extended)
            ExtendedLowering.EmitCheck(in instruction, block);
        if (kind != SiliconKind.General)
            VectorLowering.EmitCheck(in instruction, block);
        int thunk = host.Add(in instruction, kind);
        ref MicroOp op = ref block.Emit(in instruction, Handler.Of<OnSilicon>());
        op.Immediate = (uint)thunk;
        return true;
    }
}
