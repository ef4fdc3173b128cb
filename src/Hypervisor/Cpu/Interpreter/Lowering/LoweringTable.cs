using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Emits the ops of one instruction.</summary>
internal delegate void Lowering(in Instruction instruction, BlockDecoder block);

/// <summary>Which function lowers which mnemonic. An instruction that is in no family raises #UD.</summary>
internal static class LoweringTable
{
    private static readonly Lowering?[] Table = Build();

    /// <summary>Emits the ops of an instruction.</summary>
    public static void Lower(in Instruction instruction, BlockDecoder block)
    {
        if (SiliconLowering.TryLower(in instruction, block))
            return;
        if (instruction.IsStringInstruction)
            StringLowering.Lower(in instruction, block);
        else if (Table[(int)instruction.Mnemonic] is { } lowering)
            lowering(in instruction, block);
        else
            Undefined(in instruction, block);
    }

    /// <summary>Emits #UD.</summary>
    public static void Undefined(in Instruction instruction, BlockDecoder block) =>
        SystemLowering.UndefinedInstruction(in instruction, block);

    private static Lowering?[] Build()
    {
        var table = new Lowering?[Enum.GetValues<Mnemonic>().Length];
        IntegerLowering.Register(table);
        ShiftLowering.Register(table);
        MultiplyLowering.Register(table);
        BitLowering.Register(table);
        ExchangeLowering.Register(table);
        FlowLowering.Register(table);
        SegmentLowering.Register(table);
        BranchLowering.Register(table);
        SystemLowering.Register(table);
        VectorLowering.Register(table);
        FloatLowering.Register(table);
        ExtendedVectorLowering.Register(table);
        X87Lowering.Register(table);
        ExtendedLowering.Register(table);
        return table;
    }

    /// <summary>Enters one function for several mnemonics.</summary>
    public static void Set(this Lowering?[] table, Lowering lowering, params ReadOnlySpan<Mnemonic> mnemonics)
    {
        foreach (Mnemonic mnemonic in mnemonics)
            table[(int)mnemonic] = lowering;
    }
}
