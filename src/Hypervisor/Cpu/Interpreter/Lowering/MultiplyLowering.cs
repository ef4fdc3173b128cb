using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Multiplication, division, and the sign extensions that go with them.</summary>
internal static class MultiplyLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(OneOperand<MultiplyBy<Mul, FromRegister>, MultiplyBy<Mul, FromMemory>>, Mnemonic.Mul);
        table.Set(OneOperand<DivideBy<Div, FromRegister>, DivideBy<Div, FromMemory>>, Mnemonic.Div);
        table.Set(OneOperand<DivideBy<Idiv, FromRegister>, DivideBy<Idiv, FromMemory>>, Mnemonic.Idiv);
        table.Set(SignedMultiply, Mnemonic.Imul);
        table.Set(Extend, Mnemonic.Cbw, Mnemonic.Cwde, Mnemonic.Cdqe, Mnemonic.Cwd, Mnemonic.Cdq, Mnemonic.Cqo);
    }

    private static void OneOperand<TRegister, TMemory>(in Instruction instruction, BlockDecoder block)
        where TRegister : struct, ISized
        where TMemory : struct, ISized
    {
        int size = Shapes.Size(in instruction, 0);
        bool register = Shapes.Of(in instruction, 0) == Shape.Register;
        ref MicroOp op = ref block.Emit(in instruction, register ? Shapes.Pick<TRegister>(size) : Shapes.Pick<TMemory>(size));
        if (register)
            op.Src = RegisterOffsets.Of(instruction.Op0Register);
    }

    private static void SignedMultiply(in Instruction instruction, BlockDecoder block)
    {
        if (instruction.OpCount == 1)
        {
            OneOperand<MultiplyBy<Imul, FromRegister>, MultiplyBy<Imul, FromMemory>>(in instruction, block);
            return;
        }

        int size = Shapes.Size(in instruction, 0);
        nint handler = (instruction.OpCount, Shapes.Of(in instruction, 1)) switch
        {
            (2, Shape.Register) => Shapes.Pick<InPlace<FromRegister>>(size),
            (2, _) => Shapes.Pick<InPlace<FromMemory>>(size),
            (_, Shape.Register) => Shapes.Pick<ByImmediate<FromRegister>>(size),
            _ => Shapes.Pick<ByImmediate<FromMemory>>(size),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void Extend(in Instruction instruction, BlockDecoder block)
    {
        // Dst and Src are offset 0: rax.
        block.Emit(in instruction, instruction.Mnemonic switch
        {
            Mnemonic.Cbw => Handler.Of<MoveSignExtend<ushort, byte, FromRegister>>(),
            Mnemonic.Cwde => Handler.Of<MoveSignExtend<uint, ushort, FromRegister>>(),
            Mnemonic.Cdqe => Handler.Of<MoveSignExtend<ulong, uint, FromRegister>>(),
            Mnemonic.Cwd => Handler.Of<SignIntoRdx<ushort>>(),
            Mnemonic.Cdq => Handler.Of<SignIntoRdx<uint>>(),
            _ => Handler.Of<SignIntoRdx<ulong>>(),
        });
    }

    private readonly struct MultiplyBy<TOp, TSource> : ISized
        where TOp : struct, IMultiply
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<MultiplyAccumulator<TOp, T, TSource>>();
    }

    private readonly struct DivideBy<TOp, TSource> : ISized
        where TOp : struct, IDivide
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<Divide<TOp, T, TSource>>();
    }

    private readonly struct InPlace<TSource> : ISized
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<MultiplyRegister<T, TSource>>();
    }

    private readonly struct ByImmediate<TSource> : ISized
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<MultiplyImmediate<T, TSource>>();
    }
}
