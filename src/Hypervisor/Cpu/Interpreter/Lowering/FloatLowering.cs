using System.Numerics;
using Iced.Intel;

namespace Xen.Cpu;

/// <summary>SSE and SSE2 on singles and doubles: arithmetic, comparisons, conversions.</summary>
internal static class FloatLowering
{
    public static void Register(Lowering?[] table)
    {
        Arithmetic<FloatAdd>(table, Mnemonic.Addps, Mnemonic.Addpd, Mnemonic.Addss, Mnemonic.Addsd);
        Arithmetic<FloatSubtract>(table, Mnemonic.Subps, Mnemonic.Subpd, Mnemonic.Subss, Mnemonic.Subsd);
        Arithmetic<FloatMultiply>(table, Mnemonic.Mulps, Mnemonic.Mulpd, Mnemonic.Mulss, Mnemonic.Mulsd);
        Arithmetic<FloatDivide>(table, Mnemonic.Divps, Mnemonic.Divpd, Mnemonic.Divss, Mnemonic.Divsd);
        Arithmetic<FloatMin>(table, Mnemonic.Minps, Mnemonic.Minpd, Mnemonic.Minss, Mnemonic.Minsd);
        Arithmetic<FloatMax>(table, Mnemonic.Maxps, Mnemonic.Maxpd, Mnemonic.Maxss, Mnemonic.Maxsd);
        Arithmetic<FloatSquareRoot>(table, Mnemonic.Sqrtps, Mnemonic.Sqrtpd, Mnemonic.Sqrtss, Mnemonic.Sqrtsd);
        table.Set(VectorLowering.Packed<ApproximateReciprocal>, Mnemonic.Rcpps);
        table.Set(VectorLowering.Packed<ApproximateRootReciprocal>, Mnemonic.Rsqrtps);
        table.Set(Lowest<LowestOnly<ApproximateReciprocal, uint>, uint>, Mnemonic.Rcpss);
        table.Set(Lowest<LowestOnly<ApproximateRootReciprocal, uint>, uint>, Mnemonic.Rsqrtss);
        RegisterComparisons(table);
        RegisterConversions(table);
    }

    /// <summary>The four forms of an operation.</summary>
    private static void Arithmetic<TOp>(Lowering?[] table, Mnemonic ps, Mnemonic pd, Mnemonic ss, Mnemonic sd)
        where TOp : struct, IArithmetic
    {
        table.Set(Packed<TOp, float>, ps);
        table.Set(Packed<TOp, double>, pd);
        table.Set(Scalar<TOp, float>, ss);
        table.Set(Scalar<TOp, double>, sd);
    }

    /// <summary>An arithmetic operation on all elements.</summary>
    public static void Packed<TOp, T>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPackedArithmetic
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedArithmetic<TOp, T, FromAligned>>()
            : Handler.Of<PackedArithmetic<TOp, T, FromXmm>>());

    private static void Scalar<TOp, T>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IArithmetic
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<ScalarArithmetic<TOp, T, FromPart<T>>>()
            : Handler.Of<ScalarArithmetic<TOp, T, FromXmm>>());

    /// <summary>A vector operation whose memory operand is one element.</summary>
    public static void Lowest<TOp, T>(in Instruction instruction, BlockDecoder block)
        where TOp : struct, IPacked
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedToXmm<TOp, FromPart<T>>>()
            : Handler.Of<PackedToXmm<TOp, FromXmm>>());

    private static void RegisterComparisons(Lowering?[] table)
    {
        table.Set(ComparePacked<float>, Mnemonic.Cmpps);
        table.Set(ComparePacked<double>, Mnemonic.Cmppd);
        table.Set(CompareScalar<float>, Mnemonic.Cmpss);
        table.Set(CompareScalar<double>, Mnemonic.Cmpsd);
        table.Set(CompareFlags<Ordered, float>, Mnemonic.Comiss);
        table.Set(CompareFlags<Ordered, double>, Mnemonic.Comisd);
        table.Set(CompareFlags<Unordered, float>, Mnemonic.Ucomiss);
        table.Set(CompareFlags<Unordered, double>, Mnemonic.Ucomisd);
    }

    private static void ComparePacked<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedCompare<T, FromAligned>>()
            : Handler.Of<PackedCompare<T, FromXmm>>());

    private static void CompareScalar<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<ScalarCompare<T, FromPart<T>>>()
            : Handler.Of<ScalarCompare<T, FromXmm>>());

    private static void CompareFlags<TComparison, T>(in Instruction instruction, BlockDecoder block)
        where TComparison : struct, IComparison
        where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<CompareToFlags<TComparison, T, FromPart<T>>>()
            : Handler.Of<CompareToFlags<TComparison, T, FromXmm>>());

    private static void RegisterConversions(Lowering?[] table)
    {
        table.Set(FromGeneral<float>, Mnemonic.Cvtsi2ss);
        table.Set(FromGeneral<double>, Mnemonic.Cvtsi2sd);
        table.Set(ToGeneral<float, ByControl>, Mnemonic.Cvtss2si);
        table.Set(ToGeneral<double, ByControl>, Mnemonic.Cvtsd2si);
        table.Set(ToGeneral<float, ByTruncation>, Mnemonic.Cvttss2si);
        table.Set(ToGeneral<double, ByTruncation>, Mnemonic.Cvttsd2si);
        table.Set(BetweenScalars<SingleToDouble, float, double>, Mnemonic.Cvtss2sd);
        table.Set(BetweenScalars<DoubleToSingle, double, float>, Mnemonic.Cvtsd2ss);
        table.Set(Widening<SingleToDouble, float, double>, Mnemonic.Cvtps2pd);
        table.Set(Widening<FromInteger<int, double>, int, double>, Mnemonic.Cvtdq2pd);
        table.Set(Whole<DoubleToSingle, double, float>, Mnemonic.Cvtpd2ps);
        table.Set(Whole<FromInteger<int, float>, int, float>, Mnemonic.Cvtdq2ps);
        table.Set(Whole<ToInteger<float, int, ByControl>, float, int>, Mnemonic.Cvtps2dq);
        table.Set(Whole<ToInteger<float, int, ByTruncation>, float, int>, Mnemonic.Cvttps2dq);
        table.Set(Whole<ToInteger<double, int, ByControl>, double, int>, Mnemonic.Cvtpd2dq);
        table.Set(Whole<ToInteger<double, int, ByTruncation>, double, int>, Mnemonic.Cvttpd2dq);
        table.Set(FromMmxRegister<FromInteger<int, float>, float, ToXmmLowHalf>, Mnemonic.Cvtpi2ps);
        table.Set(FromMmxRegister<FromInteger<int, double>, double, ToXmm>, Mnemonic.Cvtpi2pd);
        table.Set(ToMmxRegister<ToInteger<float, int, ByControl>, float, FromPart<ulong>>, Mnemonic.Cvtps2pi);
        table.Set(ToMmxRegister<ToInteger<float, int, ByTruncation>, float, FromPart<ulong>>, Mnemonic.Cvttps2pi);
        table.Set(ToMmxRegister<ToInteger<double, int, ByControl>, double, FromAligned>, Mnemonic.Cvtpd2pi);
        table.Set(ToMmxRegister<ToInteger<double, int, ByTruncation>, double, FromAligned>, Mnemonic.Cvttpd2pi);
    }

    private static void FromGeneral<T>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged
    {
        nint handler = (Shapes.Size(in instruction, 1) == 8, VectorLowering.IsMemory(in instruction, 1)) switch
        {
            (false, false) => Handler.Of<ConvertToScalar<FromInteger<int, T>, T, FromGeneral<uint>>>(),
            (false, true) => Handler.Of<ConvertToScalar<FromInteger<int, T>, T, FromPart<uint>>>(),
            (true, false) => Handler.Of<ConvertToScalar<FromInteger<long, T>, T, FromGeneral<ulong>>>(),
            (true, true) => Handler.Of<ConvertToScalar<FromInteger<long, T>, T, FromPart<ulong>>>(),
        };
        VectorLowering.Emit(in instruction, block, handler);
    }

    private static void ToGeneral<T, TRounding>(in Instruction instruction, BlockDecoder block)
        where T : unmanaged
        where TRounding : struct, IRoundingChoice
    {
        nint handler = (Shapes.Size(in instruction, 0) == 8, VectorLowering.IsMemory(in instruction, 1)) switch
        {
            (false, false) => Handler.Of<ConvertToGeneral<ToInteger<T, int, TRounding>, uint, FromXmm>>(),
            (false, true) => Handler.Of<ConvertToGeneral<ToInteger<T, int, TRounding>, uint, FromPart<T>>>(),
            (true, false) => Handler.Of<ConvertToGeneral<ToInteger<T, long, TRounding>, ulong, FromXmm>>(),
            (true, true) => Handler.Of<ConvertToGeneral<ToInteger<T, long, TRounding>, ulong, FromPart<T>>>(),
        };
        VectorLowering.Emit(in instruction, block, handler);
    }

    private static void BetweenScalars<TConversion, TFrom, TTo>(in Instruction instruction, BlockDecoder block)
        where TConversion : struct, IConversion
        where TFrom : unmanaged
        where TTo : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<ConvertToScalar<TConversion, TTo, FromPart<TFrom>>>()
            : Handler.Of<ConvertToScalar<TConversion, TTo, FromXmm>>());

    /// <summary>Two elements of half a vector to a whole one.</summary>
    private static void Widening<TConversion, TFrom, TTo>(in Instruction instruction, BlockDecoder block)
        where TConversion : struct, IConversion
        where TFrom : unmanaged
        where TTo : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedConvert<TConversion, TFrom, TTo, FromPart<ulong>, ToXmm>>()
            : Handler.Of<PackedConvert<TConversion, TFrom, TTo, FromXmm, ToXmm>>());

    private static void Whole<TConversion, TFrom, TTo>(in Instruction instruction, BlockDecoder block)
        where TConversion : struct, IConversion
        where TFrom : unmanaged
        where TTo : unmanaged =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedConvert<TConversion, TFrom, TTo, FromAligned, ToXmm>>()
            : Handler.Of<PackedConvert<TConversion, TFrom, TTo, FromXmm, ToXmm>>());

    private static void FromMmxRegister<TConversion, TTo, TResult>(in Instruction instruction, BlockDecoder block)
        where TConversion : struct, IConversion
        where TTo : unmanaged
        where TResult : struct, IPackedResult
    {
        if (VectorLowering.IsMemory(in instruction, 1))
        {
            VectorLowering.Emit(in instruction, block, Handler.Of<PackedConvert<TConversion, int, TTo, FromPart<ulong>, TResult>>());
            return;
        }

        VectorLowering.Emit(in instruction, block, Handler.Of<PackedConvert<TConversion, int, TTo, FromMmx, TResult>>());
        block.Emit(VectorLowering.Plain(in instruction), Handler.Of<UseMmx>());
    }

    private static void ToMmxRegister<TConversion, TFrom, TMemory>(in Instruction instruction, BlockDecoder block)
        where TConversion : struct, IConversion
        where TFrom : unmanaged
        where TMemory : struct, IVectorSource =>
        VectorLowering.Emit(in instruction, block, VectorLowering.IsMemory(in instruction, 1)
            ? Handler.Of<PackedConvert<TConversion, TFrom, int, TMemory, ToMmx>>()
            : Handler.Of<PackedConvert<TConversion, TFrom, int, FromXmm, ToMmx>>());
}
