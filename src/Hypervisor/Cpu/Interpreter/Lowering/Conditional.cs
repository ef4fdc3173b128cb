using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Makes the handler of one condition.</summary>
internal interface IConditioned
{
    static abstract nint Of<TIf>()
        where TIf : struct, ICondition;
}

/// <summary>SETcc and CMOVcc, and the choice of a handler by condition.</summary>
internal static class Conditional
{
    public static void Register(Lowering?[] table)
    {
        table.Set(Set, Mnemonic.Seto, Mnemonic.Setno, Mnemonic.Setb, Mnemonic.Setae, Mnemonic.Sete, Mnemonic.Setne, Mnemonic.Setbe, Mnemonic.Seta);
        table.Set(Set, Mnemonic.Sets, Mnemonic.Setns, Mnemonic.Setp, Mnemonic.Setnp, Mnemonic.Setl, Mnemonic.Setge, Mnemonic.Setle, Mnemonic.Setg);
        table.Set(Move, Mnemonic.Cmovo, Mnemonic.Cmovno, Mnemonic.Cmovb, Mnemonic.Cmovae, Mnemonic.Cmove, Mnemonic.Cmovne, Mnemonic.Cmovbe, Mnemonic.Cmova);
        table.Set(Move, Mnemonic.Cmovs, Mnemonic.Cmovns, Mnemonic.Cmovp, Mnemonic.Cmovnp, Mnemonic.Cmovl, Mnemonic.Cmovge, Mnemonic.Cmovle, Mnemonic.Cmovg);
    }

    /// <summary>The handler of a family for a condition.</summary>
    public static nint Pick<TFamily>(ConditionCode condition)
        where TFamily : struct, IConditioned => condition switch
        {
            ConditionCode.o => TFamily.Of<IfO>(),
            ConditionCode.no => TFamily.Of<IfNo>(),
            ConditionCode.b => TFamily.Of<IfB>(),
            ConditionCode.ae => TFamily.Of<IfAe>(),
            ConditionCode.e => TFamily.Of<IfE>(),
            ConditionCode.ne => TFamily.Of<IfNe>(),
            ConditionCode.be => TFamily.Of<IfBe>(),
            ConditionCode.a => TFamily.Of<IfA>(),
            ConditionCode.s => TFamily.Of<IfS>(),
            ConditionCode.ns => TFamily.Of<IfNs>(),
            ConditionCode.p => TFamily.Of<IfP>(),
            ConditionCode.np => TFamily.Of<IfNp>(),
            ConditionCode.l => TFamily.Of<IfL>(),
            ConditionCode.ge => TFamily.Of<IfGe>(),
            ConditionCode.le => TFamily.Of<IfLe>(),
            ConditionCode.g => TFamily.Of<IfG>(),
            _ => throw new ArgumentOutOfRangeException(nameof(condition)),
        };

    private static void Set(in Instruction instruction, BlockDecoder block)
    {
        nint handler = Shapes.Of(in instruction, 0) == Shape.Register
            ? Pick<SetInRegister>(instruction.ConditionCode)
            : Pick<SetInMemory>(instruction.ConditionCode);
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void Move(in Instruction instruction, BlockDecoder block)
    {
        bool memory = Shapes.Of(in instruction, 1) == Shape.Memory;
        nint handler = (Shapes.Size(in instruction, 0), memory) switch
        {
            (2, false) => Pick<MoveIf<ushort, FromRegister>>(instruction.ConditionCode),
            (2, true) => Pick<MoveIf<ushort, FromMemory>>(instruction.ConditionCode),
            (4, false) => Pick<MoveIf<uint, FromRegister>>(instruction.ConditionCode),
            (4, true) => Pick<MoveIf<uint, FromMemory>>(instruction.ConditionCode),
            (_, false) => Pick<MoveIf<ulong, FromRegister>>(instruction.ConditionCode),
            (_, true) => Pick<MoveIf<ulong, FromMemory>>(instruction.ConditionCode),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private readonly struct SetInRegister : IConditioned
    {
        public static nint Of<TIf>()
            where TIf : struct, ICondition => Handler.Of<SetRegister<TIf>>();
    }

    private readonly struct SetInMemory : IConditioned
    {
        public static nint Of<TIf>()
            where TIf : struct, ICondition => Handler.Of<SetMemory<TIf>>();
    }

    private readonly struct MoveIf<T, TSource> : IConditioned
        where T : unmanaged
        where TSource : struct, ISource
    {
        public static nint Of<TIf>()
            where TIf : struct, ICondition => Handler.Of<ConditionalMove<TIf, T, TSource>>();
    }
}
