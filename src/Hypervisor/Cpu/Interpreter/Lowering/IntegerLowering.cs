using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Moves, arithmetic and logic on general registers and memory.</summary>
internal static class IntegerLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(Fusable<Add>, Mnemonic.Add);
        table.Set(Binary<Adc>, Mnemonic.Adc);
        table.Set(Fusable<Sub>, Mnemonic.Sub);
        table.Set(Binary<Sbb>, Mnemonic.Sbb);
        table.Set(Fusable<And>, Mnemonic.And);
        table.Set(Binary<Or>, Mnemonic.Or);
        table.Set(Binary<Xor>, Mnemonic.Xor);
        table.Set(Fusable<Cmp>, Mnemonic.Cmp);
        table.Set(Fusable<Test>, Mnemonic.Test);
        table.Set(Step<Inc>, Mnemonic.Inc);
        table.Set(Step<Dec>, Mnemonic.Dec);
        table.Set(Unary<Neg>, Mnemonic.Neg);
        table.Set(Unary<Not>, Mnemonic.Not);
        table.Set(Move, Mnemonic.Mov, Mnemonic.Movnti);
        table.Set(ZeroExtend, Mnemonic.Movzx);
        table.Set(SignExtend, Mnemonic.Movsx, Mnemonic.Movsxd);
        table.Set(Lea, Mnemonic.Lea);
        table.Set(PushOperand, Mnemonic.Push);
        table.Set(PopOperand, Mnemonic.Pop);
        Conditional.Register(table);
    }

    /// <summary>Selects by the shapes of both operands.</summary>
    public static void Binary<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IBinary
    {
        Shape source = Shapes.Of(in instruction, 1);
        nint handler = (Shapes.Of(in instruction, 0), source, instruction.HasLockPrefix) switch
        {
            (Shape.Memory, Shape.Register, true) => Shapes.Pick<Locked<TOp, FromRegister>>(Shapes.Size(in instruction, 0)),
            (Shape.Memory, _, true) => Shapes.Pick<Locked<TOp, FromImmediate>>(Shapes.Size(in instruction, 0)),
            (Shape.Memory, Shape.Register, _) => Shapes.Pick<InMemory<TOp, FromRegister>>(Shapes.Size(in instruction, 0)),
            (Shape.Memory, _, _) => Shapes.Pick<InMemory<TOp, FromImmediate>>(Shapes.Size(in instruction, 0)),
            (_, Shape.Register, _) => Shapes.Pick<InRegister<TOp, FromRegister>>(Shapes.Size(in instruction, 0)),
            (_, Shape.Immediate, _) => Shapes.Pick<InRegister<TOp, FromImmediate>>(Shapes.Size(in instruction, 0)),
            _ => Shapes.Pick<InRegister<TOp, FromMemory>>(Shapes.Size(in instruction, 0)),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    /// <summary>A binary operation that may become one op with a jump behind it.</summary>
    private static void Fusable<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IBinary
    {
        Binary<TOp>(in instruction, block);
        int size = Shapes.Size(in instruction, 0);
        block.Fusion = (Shapes.Of(in instruction, 0), Shapes.Of(in instruction, 1)) switch
        {
            (Shape.Memory, _) when TOp.Stores => null,
            (Shape.Memory, Shape.Register) => MemoryFusions<TOp, FromRegister>.Of(size),
            (Shape.Memory, _) => MemoryFusions<TOp, FromImmediate>.Of(size),
            (_, Shape.Register) => Fusions<TOp, FromRegister>.Of(size),
            (_, Shape.Immediate) => Fusions<TOp, FromImmediate>.Of(size),
            _ => Fusions<TOp, FromMemory>.Of(size),
        };
    }

    private static void Unary<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IUnary
    {
        int size = Shapes.Size(in instruction, 0);
        nint handler = Shapes.Of(in instruction, 0) == Shape.Register ? Shapes.Pick<OneRegister<TOp>>(size)
            : instruction.HasLockPrefix ? Shapes.Pick<OneLocked<TOp>>(size)
            : Shapes.Pick<OneMemory<TOp>>(size);
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    /// <summary>INC and DEC, which may become one op with a jump behind them.</summary>
    private static void Step<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IUnary
    {
        Unary<TOp>(in instruction, block);
        if (Shapes.Of(in instruction, 0) == Shape.Register)
            block.Fusion = StepFusions<TOp>.Of(Shapes.Size(in instruction, 0));
    }

    private static void Move(in Instruction instruction, BlockDecoder block)
    {
        for (int i = 0; i < 2; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register && !instruction.GetOpRegister(i).IsGPR())
            {
                SegmentLowering.MoveSpecial(in instruction, block);
                return;
            }
        }

        int size = Shapes.Size(in instruction, 0);
        nint handler = (Shapes.Of(in instruction, 0), Shapes.Of(in instruction, 1)) switch
        {
            (Shape.Memory, Shape.Register) => Shapes.Pick<StoreMove<FromRegister>>(size),
            (Shape.Memory, _) => Shapes.Pick<StoreMove<FromImmediate>>(size),
            (_, Shape.Register) => Shapes.Pick<LoadMove<FromRegister>>(size),
            (_, Shape.Immediate) => Shapes.Pick<LoadMove<FromImmediate>>(size),
            _ => Shapes.Pick<LoadMove<FromMemory>>(size),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void ZeroExtend(in Instruction instruction, BlockDecoder block)
    {
        bool memory = Shapes.Of(in instruction, 1) == Shape.Memory;
        int size = Shapes.Size(in instruction, 0);
        nint handler = (Shapes.Size(in instruction, 1), memory) switch
        {
            (1, false) => Shapes.Pick<Widen<byte, FromRegister>>(size),
            (1, true) => Shapes.Pick<Widen<byte, FromMemory>>(size),
            (_, false) => Shapes.Pick<Widen<ushort, FromRegister>>(size),
            (_, true) => Shapes.Pick<Widen<ushort, FromMemory>>(size),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void SignExtend(in Instruction instruction, BlockDecoder block)
    {
        bool memory = Shapes.Of(in instruction, 1) == Shape.Memory;
        int size = Shapes.Size(in instruction, 0);
        nint handler = (Shapes.Size(in instruction, 1), memory) switch
        {
            (1, false) => Shapes.Pick<WidenSigned<byte, FromRegister>>(size),
            (1, true) => Shapes.Pick<WidenSigned<byte, FromMemory>>(size),
            (2, false) => Shapes.Pick<WidenSigned<ushort, FromRegister>>(size),
            (2, true) => Shapes.Pick<WidenSigned<ushort, FromMemory>>(size),
            (_, false) => Shapes.Pick<WidenSigned<uint, FromRegister>>(size),
            (_, true) => Shapes.Pick<WidenSigned<uint, FromMemory>>(size),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void Lea(in Instruction instruction, BlockDecoder block)
    {
        // LEA takes the offset: no segment base is added.
        Instruction flat = instruction;
        flat.SegmentPrefix = Iced.Intel.Register.None;
        ref MicroOp op = ref block.Emit(in flat, Shapes.Pick<Address>(Shapes.Size(in instruction, 0)));
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void PushOperand(in Instruction instruction, BlockDecoder block)
    {
        if (instruction.GetOpKind(0) == OpKind.Register && !instruction.GetOpRegister(0).IsGPR())
        {
            SegmentLowering.MoveSpecial(in instruction, block);
            return;
        }

        bool word = instruction.StackPointerIncrement == -2;
        nint handler = Shapes.Of(in instruction, 0) switch
        {
            Shape.Register => word ? Handler.Of<Push<ushort, FromRegister>>() : Handler.Of<Push<ulong, FromRegister>>(),
            Shape.Immediate => word ? Handler.Of<Push<ushort, FromImmediate>>() : Handler.Of<Push<ulong, FromImmediate>>(),
            _ => word ? Handler.Of<Push<ushort, FromMemory>>() : Handler.Of<Push<ulong, FromMemory>>(),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
        op.Src = op.Dst;
    }

    private static void PopOperand(in Instruction instruction, BlockDecoder block)
    {
        if (instruction.GetOpKind(0) == OpKind.Register && !instruction.GetOpRegister(0).IsGPR())
        {
            SegmentLowering.MoveSpecial(in instruction, block);
            return;
        }

        bool word = instruction.StackPointerIncrement == 2;
        nint handler = Shapes.Of(in instruction, 0) == Shape.Register
            ? (word ? Handler.Of<PopRegister<ushort>>() : Handler.Of<PopRegister<ulong>>())
            : (word ? Handler.Of<PopMemory<ushort>>() : Handler.Of<PopMemory<ulong>>());
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private readonly struct InRegister<TOp, TSource> : ISized
        where TOp : struct, IBinary
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<BinaryToRegister<TOp, T, TSource>>();
    }

    private readonly struct InMemory<TOp, TSource> : ISized
        where TOp : struct, IBinary
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<BinaryToMemory<TOp, T, TSource>>();
    }

    private readonly struct Locked<TOp, TSource> : ISized
        where TOp : struct, IBinary
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<BinaryLocked<TOp, T, TSource>>();
    }

    private readonly struct OneRegister<TOp> : ISized
        where TOp : struct, IUnary
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<UnaryRegister<TOp, T>>();
    }

    private readonly struct OneMemory<TOp> : ISized
        where TOp : struct, IUnary
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<UnaryMemory<TOp, T>>();
    }

    private readonly struct OneLocked<TOp> : ISized
        where TOp : struct, IUnary
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<UnaryLocked<TOp, T>>();
    }

    private readonly struct LoadMove<TSource> : ISized
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<MoveToRegister<T, TSource>>();
    }

    private readonly struct StoreMove<TSource> : ISized
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<MoveToMemory<T, TSource>>();
    }

    private readonly struct Widen<TFrom, TSource> : ISized
        where TFrom : unmanaged
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<MoveZeroExtend<T, TFrom, TSource>>();
    }

    private readonly struct WidenSigned<TFrom, TSource> : ISized
        where TFrom : unmanaged
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<MoveSignExtend<T, TFrom, TSource>>();
    }

    private readonly struct Address : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<LoadAddress<T>>();
    }
}
