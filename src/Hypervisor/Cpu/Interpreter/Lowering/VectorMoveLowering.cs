using System.Runtime.Intrinsics;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Moves between vector registers, MMX registers, general registers and memory; the floating-point state as a whole.</summary>
internal static class VectorMoveLowering
{
    public static void Register(Lowering?[] table)
    {
        table.Set(Aligned, Mnemonic.Movaps, Mnemonic.Movapd, Mnemonic.Movdqa, Mnemonic.Movntps, Mnemonic.Movntpd, Mnemonic.Movntdq);
        table.Set(Unaligned, Mnemonic.Movups, Mnemonic.Movupd, Mnemonic.Movdqu);
        table.Set(ScalarMove<uint>, Mnemonic.Movss);
        table.Set(ScalarMove<ulong>, Mnemonic.Movsd);
        table.Set(MoveElement<uint>, Mnemonic.Movd);
        table.Set(MoveElement<ulong>, Mnemonic.Movq, Mnemonic.Movntq);
        table.Set(LowHalf, Mnemonic.Movlps, Mnemonic.Movlpd);
        table.Set(HighHalf, Mnemonic.Movhps, Mnemonic.Movhpd, Mnemonic.Movlhps);
        table.Set(VectorLowering.Packed<HighToLow>, Mnemonic.Movhlps);
        table.Set(Signs<byte>, Mnemonic.Pmovmskb);
        table.Set(Signs<uint>, Mnemonic.Movmskps);
        table.Set(Signs<ulong>, Mnemonic.Movmskpd);
        table.Set(InsertWord, Mnemonic.Pinsrw);
        table.Set(ExtractWord, Mnemonic.Pextrw);
        table.Set(static (in Instruction i, BlockDecoder b) => WithMmx(in i, b, Handler.Of<XmmToMmx>()), Mnemonic.Movdq2q);
        table.Set(static (in Instruction i, BlockDecoder b) => WithMmx(in i, b, Handler.Of<PackedToXmm<TakeSource, FromMmx>>()), Mnemonic.Movq2dq);
        table.Set(static (in Instruction i, BlockDecoder b) => VectorLowering.Emit(in i, b, Handler.Of<EmptyMmx>()), Mnemonic.Emms);
        table.Set(Masked, Mnemonic.Maskmovdqu, Mnemonic.Maskmovq);
        table.Set(NonTemporalGeneral, Mnemonic.Movnti);
        table.Set(static (in Instruction i, BlockDecoder b) => VectorLowering.Emit(in i, b, Handler.Of<LoadMxcsr>()), Mnemonic.Ldmxcsr);
        table.Set(static (in Instruction i, BlockDecoder b) => VectorLowering.Emit(in i, b, Handler.Of<StoreMxcsr>()), Mnemonic.Stmxcsr);
        table.Set(static (in Instruction i, BlockDecoder b) => Image<FxSave>(in i, b), Mnemonic.Fxsave, Mnemonic.Fxsave64);
        table.Set(static (in Instruction i, BlockDecoder b) => Image<FxRestore>(in i, b), Mnemonic.Fxrstor, Mnemonic.Fxrstor64);
    }

    private static void Aligned(in Instruction instruction, BlockDecoder block)
    {
        if (VectorLowering.IsMemory(in instruction, 0))
            VectorLowering.Emit(in instruction, block, Handler.Of<StoreAligned>());
        else
            VectorLowering.Packed<TakeSource>(in instruction, block);
    }

    private static void Unaligned(in Instruction instruction, BlockDecoder block)
    {
        nint handler = VectorLowering.IsMemory(in instruction, 0) ? Handler.Of<StorePart<Vector128<byte>>>()
            : VectorLowering.IsMemory(in instruction, 1) ? Handler.Of<PackedToXmm<TakeSource, FromUnaligned>>()
            : Handler.Of<PackedToXmm<TakeSource, FromXmm>>();
        VectorLowering.Emit(in instruction, block, handler);
    }

    private static void ScalarMove<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged
    {
        nint handler = VectorLowering.IsMemory(in instruction, 0) ? Handler.Of<StorePart<T>>()
            : VectorLowering.IsMemory(in instruction, 1) ? Handler.Of<PackedToXmm<TakeSource, FromPart<T>>>()
            : Handler.Of<PackedToXmm<MergeLow<T>, FromXmm>>();
        VectorLowering.Emit(in instruction, block, handler);
    }

    /// <summary>MOVD and MOVQ in all their directions.</summary>
    private static void MoveElement<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged
    {
        if (VectorLowering.IsMmx(in instruction, 0))
        {
            nint handler = VectorLowering.IsMemory(in instruction, 1) ? Handler.Of<PackedToMmx<TakeSource, FromPart<T>>>()
                : VectorLowering.IsMmx(in instruction, 1) ? Handler.Of<PackedToMmx<TakeSource, FromMmx>>()
                : Handler.Of<PackedToMmx<TakeSource, FromGeneral<T>>>();
            VectorLowering.Emit(in instruction, block, handler);
        }
        else if (VectorLowering.IsXmm(in instruction, 0))
        {
            nint handler = VectorLowering.IsMemory(in instruction, 1) ? Handler.Of<PackedToXmm<TakeSource, FromPart<T>>>()
                : VectorLowering.IsXmm(in instruction, 1) ? Handler.Of<PackedToXmm<TakeLowHalf, FromXmm>>()
                : Handler.Of<PackedToXmm<TakeSource, FromGeneral<T>>>();
            VectorLowering.Emit(in instruction, block, handler);
        }
        else
        {
            bool memory = VectorLowering.IsMemory(in instruction, 0);
            WithMmx(in instruction, block, memory ? Handler.Of<StorePart<T>>() : Handler.Of<ExtractToGeneral<ExtractElement<T>, FromXmm>>());
        }
    }

    private static void LowHalf(in Instruction instruction, BlockDecoder block)
    {
        bool store = VectorLowering.IsMemory(in instruction, 0);
        VectorLowering.Emit(in instruction, block, store ? Handler.Of<StorePart<ulong>>() : Handler.Of<PackedToXmm<MergeLow<ulong>, FromPart<ulong>>>());
    }

    private static void HighHalf(in Instruction instruction, BlockDecoder block)
    {
        if (VectorLowering.IsMemory(in instruction, 0))
        {
            ref MicroOp op = ref VectorLowering.Emit(in instruction, block, Handler.Of<StorePart<ulong>>());
            op.Src += 8;
            return;
        }

        bool memory = VectorLowering.IsMemory(in instruction, 1);
        nint handler = memory
            ? Handler.Of<PackedToXmm<InterleaveLow<ulong>, FromPart<ulong>>>()
            : Handler.Of<PackedToXmm<InterleaveLow<ulong>, FromXmm>>();
        VectorLowering.Emit(in instruction, block, handler);
    }

    private static void Signs<T>(in Instruction instruction, BlockDecoder block)
    {
        bool mmx = VectorLowering.IsMmx(in instruction, 1);
        WithMmx(in instruction, block, mmx ? Handler.Of<ExtractToGeneral<ExtractSigns<T>, FromMmx>>() : Handler.Of<ExtractToGeneral<ExtractSigns<T>, FromXmm>>());
    }

    private static void InsertWord(in Instruction instruction, BlockDecoder block)
    {
        bool memory = VectorLowering.IsMemory(in instruction, 1);
        nint handler = VectorLowering.IsMmx(in instruction, 0)
            ? (memory
                ? Handler.Of<PackedImmediateToMmx<InsertWordMmx, FromPart<ushort>>>()
                : Handler.Of<PackedImmediateToMmx<InsertWordMmx, FromGeneral<ushort>>>())
            : (memory
                ? Handler.Of<PackedImmediateToXmm<InsertElement<ushort>, FromPart<ushort>>>()
                : Handler.Of<PackedImmediateToXmm<InsertElement<ushort>, FromGeneral<ushort>>>());
        VectorLowering.Emit(in instruction, block, handler);
    }

    private static void ExtractWord(in Instruction instruction, BlockDecoder block)
    {
        nint handler = VectorLowering.IsMmx(in instruction, 1) ? Handler.Of<ExtractToGeneral<ExtractWordMmx, FromMmx>>()
            : VectorLowering.IsMemory(in instruction, 0) ? Handler.Of<ExtractToMemory<ExtractElement<ushort>, ushort>>()
            : Handler.Of<ExtractToGeneral<ExtractElement<ushort>, FromXmm>>();
        WithMmx(in instruction, block, handler);
    }

    /// <summary>Adds an op that may read MMX registers without writing one.</summary>
    private static void WithMmx(in Instruction instruction, BlockDecoder block, nint handler)
    {
        VectorLowering.Emit(in instruction, block, handler);
        if (VectorLowering.IsMmx(in instruction, 1))
            block.Emit(VectorLowering.Plain(in instruction), Handler.Of<UseMmx>());
    }

    /// <summary>MASKMOVDQU, MASKMOVQ, VMASKMOVDQU.</summary>
    public static void Masked(in Instruction instruction, BlockDecoder block)
    {
        // The address is an implied operand: rdi, or edi, in any segment.
        Instruction plain = VectorLowering.Plain(in instruction);
        VectorLowering.EmitCheck(in instruction, block);
        bool mmx = VectorLowering.IsMmx(in instruction, 1);
        if (mmx)
            block.Emit(in plain, Handler.Of<CheckPendingX87>());
        bool narrow = instruction.Op0Kind == OpKind.MemorySegEDI;
        ref MicroOp address = ref block.Emit(in plain, narrow ? Handler.Of<ComputeAddress32>() : Handler.Of<ComputeAddress>());
        address.Base = RegisterOffsets.Rdi;
        address.Src = instruction.MemorySegment switch
        {
            Iced.Intel.Register.FS => RegisterOffsets.FsBase,
            Iced.Intel.Register.GS => RegisterOffsets.GsBase,
            _ => RegisterOffsets.Zero,
        };
        ref MicroOp store = ref block.Emit(in plain, mmx ? Handler.Of<StoreMasked<ulong>>() : Handler.Of<StoreMasked<Vector128<byte>>>());
        store.Dst = RegisterOffsets.Of(instruction.Op1Register);
        store.Src = RegisterOffsets.Of(instruction.Op2Register);
        store.Base = RegisterOffsets.Temp;
        if (mmx)
            block.Emit(in plain, Handler.Of<UseMmx>());
    }

    /// <summary>MOVNTI is an integer move: CR0.TS does not matter.</summary>
    private static void NonTemporalGeneral(in Instruction instruction, BlockDecoder block)
    {
        bool wide = Shapes.Size(in instruction, 1) == 8;
        ref MicroOp op = ref block.Emit(in instruction, wide ? Handler.Of<StorePart<ulong>>() : Handler.Of<StorePart<uint>>());
        Shapes.SetOperands(ref op, in instruction);
    }

    private static void Image<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IOperation
    {
        ref MicroOp op = ref VectorLowering.Emit(in instruction, block, Handler.Of<TOp>());
        op.Immediate = instruction.Mnemonic is Mnemonic.Fxsave64 or Mnemonic.Fxrstor64 ? 1ul : 0;
    }
}
