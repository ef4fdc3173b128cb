using Iced.Intel;

namespace Xen.Cpu;

/// <summary>SSE and SSE2 on integers, and MMX: moves, arithmetic, shuffles. The patterns that other vector families use too.</summary>
internal static class VectorLowering
{
    public static void Register(Lowering?[] table)
    {
        RegisterArithmetic(table);
        RegisterLogic(table);
        RegisterShuffles(table);
        VectorMoveLowering.Register(table);
    }

    /// <summary>Adds the op of a vector instruction, after a check of CR0.TS if it is the block's first.</summary>
    public static ref MicroOp Emit(in Instruction instruction, BlockDecoder block, nint handler)
    {
        EmitCheck(in instruction, block);
        if (UsesMmx(in instruction))
            block.Emit(Plain(in instruction), Handler.Of<CheckPendingX87>());
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
        return ref op;
    }

    /// <summary>Adds the check of CR0.TS, once per block.</summary>
    public static void EmitCheck(in Instruction instruction, BlockDecoder block)
    {
        if (block.ChecksTaskSwitched)
            return;
        block.ChecksTaskSwitched = true;
        block.Emit(Plain(in instruction), Handler.Of<CheckTaskSwitched>());
    }

    /// <summary>The instruction without its operands: for an op beside its main one.</summary>
    public static Instruction Plain(in Instruction instruction)
    {
        Instruction plain = default;
        plain.IP = instruction.IP;
        plain.Length = instruction.Length;
        return plain;
    }

    /// <summary>Whether an operand is a register of a class; see <see cref="RegisterExtensions"/>.</summary>
    public static bool IsXmm(in Instruction instruction, int operand) =>
        instruction.GetOpKind(operand) == OpKind.Register && instruction.GetOpRegister(operand).IsXMM();

    public static bool IsMmx(in Instruction instruction, int operand) =>
        instruction.GetOpKind(operand) == OpKind.Register && instruction.GetOpRegister(operand).IsMM();

    public static bool IsMemory(in Instruction instruction, int operand) => instruction.GetOpKind(operand) == OpKind.Memory;

    /// <summary>An operation that treats every 64 bits alike, so that one definition serves xmm and mm registers.</summary>
    public static void Packed<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPacked => Packed<TOp, TOp>(in instruction, block);

    /// <summary>An operation with its own form for MMX.</summary>
    public static void Packed<TOp, TMmx>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPacked
        where TMmx : struct, IPacked
    {
        bool memory = IsMemory(in instruction, 1);
        nint handler = IsMmx(in instruction, 0)
            ? (memory ? Handler.Of<PackedToMmx<TMmx, FromPart<ulong>>>() : Handler.Of<PackedToMmx<TMmx, FromMmx>>())
            : (memory ? Handler.Of<PackedToXmm<TOp, FromAligned>>() : Handler.Of<PackedToXmm<TOp, FromXmm>>());
        Emit(in instruction, block, handler);
    }

    /// <summary>As <see cref="Packed{TOp}"/> with an immediate.</summary>
    public static void PackedImmediate<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPackedImmediate => PackedImmediate<TOp, TOp>(in instruction, block);

    public static void PackedImmediate<TOp, TMmx>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPackedImmediate
        where TMmx : struct, IPackedImmediate
    {
        bool memory = IsMemory(in instruction, 1);
        nint handler = IsMmx(in instruction, 0)
            ? (memory ? Handler.Of<PackedImmediateToMmx<TMmx, FromPart<ulong>>>() : Handler.Of<PackedImmediateToMmx<TMmx, FromMmx>>())
            : (memory ? Handler.Of<PackedImmediateToXmm<TOp, FromAligned>>() : Handler.Of<PackedImmediateToXmm<TOp, FromXmm>>());
        Emit(in instruction, block, handler);
    }

    /// <summary>Interleaves; the MMX form of low halves reads 32 bits of memory only.</summary>
    private static void UnpackLow<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged
    {
        if (IsMmx(in instruction, 0) && IsMemory(in instruction, 1))
            Emit(in instruction, block, Handler.Of<PackedToMmx<InterleaveLow<T>, FromPart<uint>>>());
        else
            Packed<InterleaveLow<T>>(in instruction, block);
    }

    private static void UnpackHigh<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged => Packed<InterleaveHigh<T>, UpperHalf<InterleaveLow<T>>>(in instruction, block);

    /// <summary>A shift by register, memory or immediate.</summary>
    private static void Shift<TOp>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPacked
    {
        if (Shapes.Of(in instruction, 1) == Shape.Immediate)
            Emit(in instruction, block, IsMmx(in instruction, 0) ? Handler.Of<PackedToMmx<TOp, FromCount>>() : Handler.Of<PackedToXmm<TOp, FromCount>>());
        else
            Packed<TOp>(in instruction, block);
    }

    private static bool UsesMmx(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (IsMmx(in instruction, i))
                return true;
        }

        return instruction.Mnemonic == Mnemonic.Emms;
    }

    private static void RegisterArithmetic(Lowering?[] table)
    {
        table.Set(Packed<PackedAdd<byte>>, Mnemonic.Paddb);
        table.Set(Packed<PackedAdd<ushort>>, Mnemonic.Paddw);
        table.Set(Packed<PackedAdd<uint>>, Mnemonic.Paddd);
        table.Set(Packed<PackedAdd<ulong>>, Mnemonic.Paddq);
        table.Set(Packed<PackedAddSaturate<sbyte>>, Mnemonic.Paddsb);
        table.Set(Packed<PackedAddSaturate<short>>, Mnemonic.Paddsw);
        table.Set(Packed<PackedAddSaturate<byte>>, Mnemonic.Paddusb);
        table.Set(Packed<PackedAddSaturate<ushort>>, Mnemonic.Paddusw);
        table.Set(Packed<PackedSubtract<byte>>, Mnemonic.Psubb);
        table.Set(Packed<PackedSubtract<ushort>>, Mnemonic.Psubw);
        table.Set(Packed<PackedSubtract<uint>>, Mnemonic.Psubd);
        table.Set(Packed<PackedSubtract<ulong>>, Mnemonic.Psubq);
        table.Set(Packed<PackedSubtractSaturate<sbyte>>, Mnemonic.Psubsb);
        table.Set(Packed<PackedSubtractSaturate<short>>, Mnemonic.Psubsw);
        table.Set(Packed<PackedSubtractSaturate<byte>>, Mnemonic.Psubusb);
        table.Set(Packed<PackedSubtractSaturate<ushort>>, Mnemonic.Psubusw);
        table.Set(Packed<PackedMultiplyLow<ushort>>, Mnemonic.Pmullw);
        table.Set(Packed<PackedMultiplyHighSigned>, Mnemonic.Pmulhw);
        table.Set(Packed<PackedMultiplyHighUnsigned>, Mnemonic.Pmulhuw);
        table.Set(Packed<PackedMultiplyEvenUnsigned>, Mnemonic.Pmuludq);
        table.Set(Packed<PackedMultiplyAddPairs>, Mnemonic.Pmaddwd);
        table.Set(Packed<PackedSumOfDifferences>, Mnemonic.Psadbw);
        table.Set(Packed<PackedAverageBytes>, Mnemonic.Pavgb);
        table.Set(Packed<PackedAverageWords>, Mnemonic.Pavgw);
        table.Set(Packed<PackedMin<byte>>, Mnemonic.Pminub);
        table.Set(Packed<PackedMax<byte>>, Mnemonic.Pmaxub);
        table.Set(Packed<PackedMin<short>>, Mnemonic.Pminsw);
        table.Set(Packed<PackedMax<short>>, Mnemonic.Pmaxsw);
        table.Set(Packed<PackedEqual<byte>>, Mnemonic.Pcmpeqb);
        table.Set(Packed<PackedEqual<ushort>>, Mnemonic.Pcmpeqw);
        table.Set(Packed<PackedEqual<uint>>, Mnemonic.Pcmpeqd);
        table.Set(Packed<PackedGreater<sbyte>>, Mnemonic.Pcmpgtb);
        table.Set(Packed<PackedGreater<short>>, Mnemonic.Pcmpgtw);
        table.Set(Packed<PackedGreater<int>>, Mnemonic.Pcmpgtd);
    }

    private static void RegisterLogic(Lowering?[] table)
    {
        table.Set(Packed<PackedAnd>, Mnemonic.Pand, Mnemonic.Andps, Mnemonic.Andpd);
        table.Set(Packed<PackedAndNot>, Mnemonic.Pandn, Mnemonic.Andnps, Mnemonic.Andnpd);
        table.Set(Packed<PackedOr>, Mnemonic.Por, Mnemonic.Orps, Mnemonic.Orpd);
        table.Set(Packed<PackedXor>, Mnemonic.Pxor, Mnemonic.Xorps, Mnemonic.Xorpd);
        table.Set(Shift<PackedShiftLeft<ushort>>, Mnemonic.Psllw);
        table.Set(Shift<PackedShiftLeft<uint>>, Mnemonic.Pslld);
        table.Set(Shift<PackedShiftLeft<ulong>>, Mnemonic.Psllq);
        table.Set(Shift<PackedShiftRight<ushort>>, Mnemonic.Psrlw);
        table.Set(Shift<PackedShiftRight<uint>>, Mnemonic.Psrld);
        table.Set(Shift<PackedShiftRight<ulong>>, Mnemonic.Psrlq);
        table.Set(Shift<PackedShiftSigned<short>>, Mnemonic.Psraw);
        table.Set(Shift<PackedShiftSigned<int>>, Mnemonic.Psrad);
        table.Set(Shift<PackedShiftBytesLeft>, Mnemonic.Pslldq);
        table.Set(Shift<PackedShiftBytesRight>, Mnemonic.Psrldq);
    }

    private static void RegisterShuffles(Lowering?[] table)
    {
        table.Set(UnpackLow<byte>, Mnemonic.Punpcklbw);
        table.Set(UnpackLow<ushort>, Mnemonic.Punpcklwd);
        table.Set(UnpackLow<uint>, Mnemonic.Punpckldq, Mnemonic.Unpcklps);
        table.Set(UnpackLow<ulong>, Mnemonic.Punpcklqdq, Mnemonic.Unpcklpd);
        table.Set(UnpackHigh<byte>, Mnemonic.Punpckhbw);
        table.Set(UnpackHigh<ushort>, Mnemonic.Punpckhwd);
        table.Set(UnpackHigh<uint>, Mnemonic.Punpckhdq, Mnemonic.Unpckhps);
        table.Set(UnpackHigh<ulong>, Mnemonic.Punpckhqdq, Mnemonic.Unpckhpd);
        table.Set(Packed<PackWordsSigned, Folded<PackWordsSigned>>, Mnemonic.Packsswb);
        table.Set(Packed<PackDoublewordsSigned, Folded<PackDoublewordsSigned>>, Mnemonic.Packssdw);
        table.Set(Packed<PackWordsUnsigned, Folded<PackWordsUnsigned>>, Mnemonic.Packuswb);
        table.Set(PackedImmediate<ShuffleDoublewords>, Mnemonic.Pshufd);
        table.Set(PackedImmediate<ShuffleLowWords>, Mnemonic.Pshuflw, Mnemonic.Pshufw);
        table.Set(PackedImmediate<ShuffleHighWords>, Mnemonic.Pshufhw);
        table.Set(PackedImmediate<ShuffleSingles>, Mnemonic.Shufps);
        table.Set(PackedImmediate<ShuffleDoubles>, Mnemonic.Shufpd);
    }
}
