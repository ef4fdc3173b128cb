using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Shifts, rotates, double shifts.</summary>
internal static class ShiftLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(ShiftOperand<Shl>, Mnemonic.Shl, Mnemonic.Sal);
        table.Set(ShiftOperand<Shr>, Mnemonic.Shr);
        table.Set(ShiftOperand<Sar>, Mnemonic.Sar);
        table.Set(ShiftOperand<Rol>, Mnemonic.Rol);
        table.Set(ShiftOperand<Ror>, Mnemonic.Ror);
        table.Set(ShiftOperand<Rcl>, Mnemonic.Rcl);
        table.Set(ShiftOperand<Rcr>, Mnemonic.Rcr);
        table.Set(DoubleShift<Shld>, Mnemonic.Shld);
        table.Set(DoubleShift<Shrd>, Mnemonic.Shrd);
    }

    private static void ShiftOperand<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IShift
    {
        int size = Shapes.Size(in instruction, 0);
        nint handler = (Shapes.Of(in instruction, 0), Shapes.Of(in instruction, 1)) switch
        {
            (Shape.Register, Shape.Register) => Shapes.Pick<InRegister<TOp, FromRegister>>(size),
            (Shape.Register, _) => Shapes.Pick<InRegister<TOp, FromImmediate>>(size),
            (_, Shape.Register) => Shapes.Pick<InMemory<TOp, FromRegister>>(size),
            _ => Shapes.Pick<InMemory<TOp, FromImmediate>>(size),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void DoubleShift<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IDoubleShift
    {
        bool register = Shapes.Of(in instruction, 0) == Shape.Register;
        bool immediate = Shapes.Of(in instruction, 2) == Shape.Immediate;
        nint handler = (Shapes.Size(in instruction, 0), register, immediate) switch
        {
            (2, true, true) => Handler.Of<DoubleShiftRegister<TOp, ushort, CountInImmediate>>(),
            (2, true, false) => Handler.Of<DoubleShiftRegister<TOp, ushort, CountInCl>>(),
            (2, false, true) => Handler.Of<DoubleShiftMemory<TOp, ushort, CountInImmediate>>(),
            (2, false, false) => Handler.Of<DoubleShiftMemory<TOp, ushort, CountInCl>>(),
            (4, true, true) => Handler.Of<DoubleShiftRegister<TOp, uint, CountInImmediate>>(),
            (4, true, false) => Handler.Of<DoubleShiftRegister<TOp, uint, CountInCl>>(),
            (4, false, true) => Handler.Of<DoubleShiftMemory<TOp, uint, CountInImmediate>>(),
            (4, false, false) => Handler.Of<DoubleShiftMemory<TOp, uint, CountInCl>>(),
            (_, true, true) => Handler.Of<DoubleShiftRegister<TOp, ulong, CountInImmediate>>(),
            (_, true, false) => Handler.Of<DoubleShiftRegister<TOp, ulong, CountInCl>>(),
            (_, false, true) => Handler.Of<DoubleShiftMemory<TOp, ulong, CountInImmediate>>(),
            _ => Handler.Of<DoubleShiftMemory<TOp, ulong, CountInCl>>(),
        };
        ref MicroOp op = ref block.Emit(in instruction, handler);
        if (register)
            op.Dst = RegisterOffsets.Of(instruction.Op0Register);
        op.Src = RegisterOffsets.Of(instruction.Op1Register);
        if (immediate)
            op.Immediate = instruction.GetImmediate(2);
    }

    private readonly struct InRegister<TOp, TSource> : ISized
        where TOp : struct, IShift
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<ShiftRegister<TOp, T, TSource>>();
    }

    private readonly struct InMemory<TOp, TSource> : ISized
        where TOp : struct, IShift
        where TSource : struct, ISource
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<ShiftMemory<TOp, T, TSource>>();
    }
}
