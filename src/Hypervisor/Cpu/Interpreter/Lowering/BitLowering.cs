using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Bits: tests, scans, counts, byte order.</summary>
internal static class BitLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(BitTest<Bt>, Mnemonic.Bt);
        table.Set(BitTest<Bts>, Mnemonic.Bts);
        table.Set(BitTest<Btr>, Mnemonic.Btr);
        table.Set(BitTest<Btc>, Mnemonic.Btc);

        // Without BMI and ABM the prefix of TZCNT and LZCNT is ignored.
        table.Set(FromOperand<Scan<Lowest, FromRegister>, Scan<Lowest, FromMemory>>, Mnemonic.Bsf, Mnemonic.Tzcnt);
        table.Set(FromOperand<Scan<Highest, FromRegister>, Scan<Highest, FromMemory>>, Mnemonic.Bsr, Mnemonic.Lzcnt);
        table.Set(FromOperand<Count<FromRegister>, Count<FromMemory>>, Mnemonic.Popcnt);
        table.Set(Swap, Mnemonic.Bswap);
    }

    private static void BitTest<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IBitOperation
    {
        int size = Shapes.Size(in instruction, 0);
        bool immediate = Shapes.Of(in instruction, 1) == Shape.Immediate;
        nint handler = (Shapes.Of(in instruction, 0), immediate, instruction.HasLockPrefix) switch
        {
            (Shape.Register, false, _) => Shapes.Pick<InRegister<TOp, FromRegister>>(size),
            (Shape.Register, true, _) => Shapes.Pick<InRegister<TOp, FromImmediate>>(size),
            (_, false, false) => Shapes.Pick<InMemory<TOp, FromRegister>>(size),
            (_, true, false) => Shapes.Pick<InMemory<TOp, FromImmediate>>(size),
            (_, false, true) => Shapes.Pick<Locked<TOp, FromRegister>>(size),
            (_, true, true) => Shapes.Pick<Locked<TOp, FromImmediate>>(size),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
        if (immediate)
            op.Immediate &= (ulong)((size * 8) - 1);
    }

    private static void FromOperand<TRegister, TMemory>(in Instruction instruction, BlockDecoder block)
        where TRegister : struct, ISized
        where TMemory : struct, ISized
    {
        int size = Shapes.Size(in instruction, 0);
        bool register = Shapes.Of(in instruction, 1) == Shape.Register;
        ref MicroOp op = ref block.Emit(in instruction, register ? Shapes.Pick<TRegister>(size) : Shapes.Pick<TMemory>(size));
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void Swap(in Instruction instruction, BlockDecoder block)
    {
        ref MicroOp op = ref block.Emit(in instruction, Shapes.Pick<Swapped>(Shapes.Size(in instruction, 0)));
        Shapes.SetOperands(ref op, in instruction);
    }

    private readonly struct InRegister<TOp, TSource> : ISized
        where TOp : struct, IBitOperation
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<BitInRegister<TOp, T, TSource>>();
    }

    private readonly struct InMemory<TOp, TSource> : ISized
        where TOp : struct, IBitOperation
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<BitInMemory<TOp, T, TSource>>();
    }

    private readonly struct Locked<TOp, TSource> : ISized
        where TOp : struct, IBitOperation
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<BitLocked<TOp, T, TSource>>();
    }

    private readonly struct Scan<TOp, TSource> : ISized
        where TOp : struct, IBitScan
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<BitScan<TOp, T, TSource>>();
    }

    private readonly struct Count<TSource> : ISized
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<PopulationCount<T, TSource>>();
    }

    private readonly struct Swapped : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<ByteSwap<T>>();
    }
}
