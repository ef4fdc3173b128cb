using System.Numerics;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>SSE3, SSSE3, SSE4.1 and SSE4.2.</summary>
internal static class ExtendedVectorLowering
{
    public static void Register(Lowering?[] table)
    {
        RegisterSse3(table);
        RegisterSsse3(table);
        RegisterSse41Integer(table);
        RegisterSse41Moves(table);
        RegisterSse41Float(table);
        RegisterSse42(table);
    }

    private static void RegisterSse3(Lowering?[] table)
    {
        table.Set(FloatLowering.Packed<FloatAddSubtract, float>, Mnemonic.Addsubps);
        table.Set(FloatLowering.Packed<FloatAddSubtract, double>, Mnemonic.Addsubpd);
        table.Set(HorizontalFloat<FloatAdd, float>, Mnemonic.Haddps);
        table.Set(HorizontalFloat<FloatAdd, double>, Mnemonic.Haddpd);
        table.Set(HorizontalFloat<FloatSubtract, float>, Mnemonic.Hsubps);
        table.Set(HorizontalFloat<FloatSubtract, double>, Mnemonic.Hsubpd);
        table.Set(static (in Instruction i, BlockDecoder b) => VectorLowering.Emit(in i, b, Handler.Of<PackedToXmm<TakeSource, FromUnaligned>>()), Mnemonic.Lddqu);
        table.Set(FloatLowering.Lowest<DuplicateLow, ulong>, Mnemonic.Movddup);
        table.Set(VectorLowering.Packed<DuplicateEven>, Mnemonic.Movsldup);
        table.Set(VectorLowering.Packed<DuplicateOdd>, Mnemonic.Movshdup);
    }

    private static void RegisterSsse3(Lowering?[] table)
    {
        table.Set(HorizontalInteger<PackedAdd<ushort>, ushort>, Mnemonic.Phaddw);
        table.Set(HorizontalInteger<PackedAdd<uint>, uint>, Mnemonic.Phaddd);
        table.Set(HorizontalInteger<PackedAddSaturate<short>, short>, Mnemonic.Phaddsw);
        table.Set(HorizontalInteger<PackedSubtract<ushort>, ushort>, Mnemonic.Phsubw);
        table.Set(HorizontalInteger<PackedSubtract<uint>, uint>, Mnemonic.Phsubd);
        table.Set(HorizontalInteger<PackedSubtractSaturate<short>, short>, Mnemonic.Phsubsw);
        table.Set(VectorLowering.Packed<PackedMultiplyAddBytes>, Mnemonic.Pmaddubsw);
        table.Set(VectorLowering.Packed<PackedMultiplyHighRound>, Mnemonic.Pmulhrsw);
        table.Set(VectorLowering.Packed<ShuffleBytes, ShuffleBytesMmx>, Mnemonic.Pshufb);
        table.Set(VectorLowering.Packed<PackedSign<sbyte>>, Mnemonic.Psignb);
        table.Set(VectorLowering.Packed<PackedSign<short>>, Mnemonic.Psignw);
        table.Set(VectorLowering.Packed<PackedSign<int>>, Mnemonic.Psignd);
        table.Set(VectorLowering.Packed<PackedAbsolute<sbyte>>, Mnemonic.Pabsb);
        table.Set(VectorLowering.Packed<PackedAbsolute<short>>, Mnemonic.Pabsw);
        table.Set(VectorLowering.Packed<PackedAbsolute<int>>, Mnemonic.Pabsd);
        table.Set(VectorLowering.PackedImmediate<AlignBytes, AlignBytesMmx>, Mnemonic.Palignr);
    }

    private static void RegisterSse41Integer(Lowering?[] table)
    {
        table.Set(VectorLowering.Packed<PackedMultiplyLow<uint>>, Mnemonic.Pmulld);
        table.Set(VectorLowering.Packed<PackedMultiplyEvenSigned>, Mnemonic.Pmuldq);
        table.Set(VectorLowering.Packed<PackedMin<sbyte>>, Mnemonic.Pminsb);
        table.Set(VectorLowering.Packed<PackedMax<sbyte>>, Mnemonic.Pmaxsb);
        table.Set(VectorLowering.Packed<PackedMin<ushort>>, Mnemonic.Pminuw);
        table.Set(VectorLowering.Packed<PackedMax<ushort>>, Mnemonic.Pmaxuw);
        table.Set(VectorLowering.Packed<PackedMin<int>>, Mnemonic.Pminsd);
        table.Set(VectorLowering.Packed<PackedMax<int>>, Mnemonic.Pmaxsd);
        table.Set(VectorLowering.Packed<PackedMin<uint>>, Mnemonic.Pminud);
        table.Set(VectorLowering.Packed<PackedMax<uint>>, Mnemonic.Pmaxud);
        table.Set(VectorLowering.Packed<PackedEqual<ulong>>, Mnemonic.Pcmpeqq);
        table.Set(VectorLowering.Packed<PackDoublewordsUnsigned>, Mnemonic.Packusdw);
        table.Set(VectorLowering.Packed<SmallestWord>, Mnemonic.Phminposuw);
        table.Set(VectorLowering.PackedImmediate<MultipleSumsOfDifferences>, Mnemonic.Mpsadbw);
        table.Set(VectorLowering.PackedImmediate<Blend<ushort>>, Mnemonic.Pblendw);
        table.Set(VectorLowering.PackedImmediate<Blend<uint>>, Mnemonic.Blendps);
        table.Set(VectorLowering.PackedImmediate<Blend<ulong>>, Mnemonic.Blendpd);
        table.Set(BySign<sbyte>, Mnemonic.Pblendvb);
        table.Set(BySign<int>, Mnemonic.Blendvps);
        table.Set(BySign<long>, Mnemonic.Blendvpd);
        table.Set(static (in Instruction i, BlockDecoder b) => VectorLowering.Emit(in i, b, VectorLowering.IsMemory(in i, 1)
            ? Handler.Of<TestVectors<FromAligned>>()
            : Handler.Of<TestVectors<FromXmm>>()), Mnemonic.Ptest);
    }

    private static void RegisterSse41Moves(Lowering?[] table)
    {
        table.Set(FloatLowering.Lowest<Widen<sbyte, short>, ulong>, Mnemonic.Pmovsxbw);
        table.Set(FloatLowering.Lowest<Widen<sbyte, int>, uint>, Mnemonic.Pmovsxbd);
        table.Set(FloatLowering.Lowest<Widen<sbyte, long>, ushort>, Mnemonic.Pmovsxbq);
        table.Set(FloatLowering.Lowest<Widen<short, int>, ulong>, Mnemonic.Pmovsxwd);
        table.Set(FloatLowering.Lowest<Widen<short, long>, uint>, Mnemonic.Pmovsxwq);
        table.Set(FloatLowering.Lowest<Widen<int, long>, ulong>, Mnemonic.Pmovsxdq);
        table.Set(FloatLowering.Lowest<Widen<byte, ushort>, ulong>, Mnemonic.Pmovzxbw);
        table.Set(FloatLowering.Lowest<Widen<byte, uint>, uint>, Mnemonic.Pmovzxbd);
        table.Set(FloatLowering.Lowest<Widen<byte, ulong>, ushort>, Mnemonic.Pmovzxbq);
        table.Set(FloatLowering.Lowest<Widen<ushort, uint>, ulong>, Mnemonic.Pmovzxwd);
        table.Set(FloatLowering.Lowest<Widen<ushort, ulong>, uint>, Mnemonic.Pmovzxwq);
        table.Set(FloatLowering.Lowest<Widen<uint, ulong>, ulong>, Mnemonic.Pmovzxdq);
        table.Set(VectorLowering.Packed<TakeSource>, Mnemonic.Movntdqa);
        table.Set(Insert<byte>, Mnemonic.Pinsrb);
        table.Set(Insert<uint>, Mnemonic.Pinsrd);
        table.Set(Insert<ulong>, Mnemonic.Pinsrq);
        table.Set(Extract<byte>, Mnemonic.Pextrb);
        table.Set(Extract<uint>, Mnemonic.Pextrd, Mnemonic.Extractps);
        table.Set(Extract<ulong>, Mnemonic.Pextrq);
        table.Set(InsertFloat, Mnemonic.Insertps);
    }

    private static void RegisterSse41Float(Lowering?[] table)
    {
        table.Set(Rounding<float>, Mnemonic.Roundps);
        table.Set(Rounding<double>, Mnemonic.Roundpd);
        table.Set(RoundingScalar<float>, Mnemonic.Roundss);
        table.Set(RoundingScalar<double>, Mnemonic.Roundsd);
        table.Set(Dot<float>, Mnemonic.Dpps);
        table.Set(Dot<double>, Mnemonic.Dppd);
    }

    private static void RegisterSse42(Lowering?[] table)
    {
        table.Set(VectorLowering.Packed<PackedGreater<long>>, Mnemonic.Pcmpgtq);
        table.Set(Strings<ImplicitLength, ToIndex>, Mnemonic.Pcmpistri);
        table.Set(Strings<ImplicitLength, ToMask>, Mnemonic.Pcmpistrm);
        table.Set(Strings<ExplicitLength<uint>, ToIndex>, Mnemonic.Pcmpestri);
        table.Set(Strings<ExplicitLength<uint>, ToMask>, Mnemonic.Pcmpestrm);
        table.Set(Strings<ExplicitLength<ulong>, ToIndex>, Mnemonic.Pcmpestri64);
        table.Set(Strings<ExplicitLength<ulong>, ToMask>, Mnemonic.Pcmpestrm64);
        table.Set(Checksum, Mnemonic.Crc32);
    }

    private static void HorizontalFloat<TOp, T>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPackedArithmetic
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<HorizontalArithmetic<TOp, T, FromAligned>>()
            : Handler.Of<HorizontalArithmetic<TOp, T, FromXmm>>());

    private static void HorizontalInteger<TOp, T>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPacked
        where T : unmanaged => VectorLowering.Packed<Horizontal<TOp, T>, Folded<Horizontal<TOp, T>>>(in instruction, block);

    private static void BySign<T>(in Instruction instruction, BlockDecoder block) =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<BlendBySign<T, FromAligned>>()
            : Handler.Of<BlendBySign<T, FromXmm>>());

    private static void Insert<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedImmediateToXmm<InsertElement<T>, FromPart<T>>>()
            : Handler.Of<PackedImmediateToXmm<InsertElement<T>, FromGeneral<ulong>>>());

    private static void Extract<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 0)
            ? Handler.Of<ExtractToMemory<ExtractElement<T>, T>>()
            : Handler.Of<ExtractToGeneral<ExtractElement<T>, FromXmm>>());

    private static void InsertFloat(in Instruction instruction, BlockDecoder block)
    {
        if (!VectorLowering.IsMemory(in instruction, 1))
        {
            VectorLowering.Emit(in instruction, block, Handler.Of<PackedImmediateToXmm<InsertSingle, FromXmm>>());
            return;
        }

        // Memory has one element only.
        ref MicroOp op = ref VectorLowering.Emit(in instruction, block, Handler.Of<PackedImmediateToXmm<InsertSingle, FromPart<uint>>>());
        op.Immediate &= 0x3F;
    }

    private static void Rounding<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedRound<T, FromAligned>>()
            : Handler.Of<PackedRound<T, FromXmm>>());

    private static void RoundingScalar<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<ScalarRound<T, FromPart<T>>>()
            : Handler.Of<ScalarRound<T, FromXmm>>());

    private static void Dot<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<DotProduct<T, FromAligned>>()
            : Handler.Of<DotProduct<T, FromXmm>>());

    private static void Strings<TLength, TOutput>(in Instruction instruction, BlockDecoder block)
        where TLength : struct, IStringLength
        where TOutput : struct, IStringOutput =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<CompareStrings<TLength, TOutput, FromUnaligned>>()
            : Handler.Of<CompareStrings<TLength, TOutput, FromXmm>>());

    /// <summary>CRC32 is an integer instruction: CR0.TS does not matter.</summary>
    private static void Checksum(in Instruction instruction, BlockDecoder block)
    {
        int size = Shapes.Size(in instruction, 1);
        nint handler = Shapes.Of(in instruction, 1) == Shape.Memory ? Shapes.Pick<OfMemory>(size) : Shapes.Pick<OfRegister>(size);
        ref MicroOp op = ref block.Emit(in instruction, handler);
        Shapes.SetOperands(ref op, in instruction);
    }

    private readonly struct OfMemory : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<Checksum<T, FromMemory>>();
    }

    private readonly struct OfRegister : ISized
    {
        public static nint Of<T>()
            where T : unmanaged => Handler.Of<Checksum<T, FromRegister>>();
    }
}
