using Iced.Intel;

namespace Xen.Cpu;

/// <summary>XCHG, XADD, CMPXCHG and its wide forms.</summary>
internal static class ExchangeLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(Lower<ExchangeRegister, ExchangeInMemory>, Mnemonic.Xchg);
        table.Set(Lower<AddRegister, AddInMemory>, Mnemonic.Xadd);
        table.Set(Lower<CompareRegister, CompareInMemory>, Mnemonic.Cmpxchg);
        table.Set(static (in Instruction i, BlockDecoder b) => b.Emit(in i, Handler.Of<CompareExchange8Bytes>()), Mnemonic.Cmpxchg8b);
        table.Set(static (in Instruction i, BlockDecoder b) => b.Emit(in i, Handler.Of<CompareExchange16Bytes>()), Mnemonic.Cmpxchg16b);
    }

    private static void Lower<TRegister, TMemory>(in Instruction instruction, BlockDecoder block)
        where TRegister : struct, ISized
        where TMemory : struct, ISized
    {
        int size = Shapes.Size(in instruction, 0);
        bool register = Shapes.Of(in instruction, 0) == Shape.Register;
        ref MicroOp op = ref block.Emit(in instruction, register ? Shapes.Pick<TRegister>(size) : Shapes.Pick<TMemory>(size));
        Shapes.SetOperands(ref op, in instruction);
    }

    private readonly struct ExchangeRegister : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<ExchangeRegisters<T>>();
    }

    private readonly struct ExchangeInMemory : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<ExchangeMemory<T>>();
    }

    private readonly struct AddRegister : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<ExchangeAddRegisters<T>>();
    }

    private readonly struct AddInMemory : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<ExchangeAddMemory<T>>();
    }

    private readonly struct CompareRegister : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<CompareExchangeRegisters<T>>();
    }

    private readonly struct CompareInMemory : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<CompareExchangeMemory<T>>();
    }
}
