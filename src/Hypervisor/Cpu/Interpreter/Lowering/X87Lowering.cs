using Iced.Intel;

namespace Xen.Cpu;

/// <summary>The x87. Dst and Src of its ops are stack positions.</summary>
internal static class X87Lowering
{
    public static void Register(Lowering?[] table)
    {
        RegisterArithmetic(table);
        RegisterMoves(table);
        RegisterFunctions(table);
        X87ControlLowering.Register(table);
    }

    /// <summary>Adds the op of an instruction that waits for pending exceptions, and notes its address.</summary>
    public static ref MicroOp Emit(in Instruction instruction, BlockDecoder block, nint handler)
    {
        VectorLowering.EmitCheck(in instruction, block);
        block.Emit(VectorLowering.Plain(in instruction), Handler.Of<BeginX87>());
        ref MicroOp op = ref block.Emit(in instruction, handler);
        SetStackOperands(ref op, in instruction);
        return ref op;
    }

    /// <summary>The first stack register is Dst, the second (or the only one) Src.</summary>
    private static void SetStackOperands(ref MicroOp op, in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) != OpKind.Register || !instruction.GetOpRegister(i).IsST())
                continue;
            ushort position = (ushort)(instruction.GetOpRegister(i) - Iced.Intel.Register.ST0);
            if (i == 0)
                op.Dst = position;
            op.Src = position;
        }
    }

    private static void RegisterArithmetic(Lowering?[] table)
    {
        Binary<X87Add>(table, Mnemonic.Fadd, Mnemonic.Faddp, Mnemonic.Fiadd);
        Binary<X87Subtract>(table, Mnemonic.Fsub, Mnemonic.Fsubp, Mnemonic.Fisub);
        Binary<Reversed<X87Subtract>>(table, Mnemonic.Fsubr, Mnemonic.Fsubrp, Mnemonic.Fisubr);
        Binary<X87Multiply>(table, Mnemonic.Fmul, Mnemonic.Fmulp, Mnemonic.Fimul);
        Binary<X87Divide>(table, Mnemonic.Fdiv, Mnemonic.Fdivp, Mnemonic.Fidiv);
        Binary<Reversed<X87Divide>>(table, Mnemonic.Fdivr, Mnemonic.Fdivrp, Mnemonic.Fidivr);
        Compare<Ordered>(table, 0, Mnemonic.Fcom, Mnemonic.Ficom);
        Compare<Ordered>(table, 1, Mnemonic.Fcomp, Mnemonic.Ficomp);
        Compare<Unordered>(table, 0, Mnemonic.Fucom);
        Compare<Unordered>(table, 1, Mnemonic.Fucomp);
        table.Set(ComparePop2<Ordered>, Mnemonic.Fcompp);
        table.Set(ComparePop2<Unordered>, Mnemonic.Fucompp);
        CompareFlags<Ordered>(table, Mnemonic.Fcomi, Mnemonic.Fcomip);
        CompareFlags<Unordered>(table, Mnemonic.Fucomi, Mnemonic.Fucomip);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Compare<Ordered, FromZero>>()), Mnemonic.Ftst);
    }

    private static void Binary<TOp>(Lowering?[] table, Mnemonic plain, Mnemonic pops, Mnemonic integer)
        where TOp : struct, IX87Binary
    {
        table.Set((in Instruction i, BlockDecoder b) => Emit(in i, b, FloatHandler<TOp>(in i)), plain);
        table.Set((in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Arithmetic<TOp, FromStack>>()).Immediate = 1, pops);
        table.Set(
            (in Instruction i, BlockDecoder b) => Emit(in i, b, i.MemorySize.GetSize() == 2
                ? Handler.Of<X87Arithmetic<TOp, FromIntegerMemory<ushort>>>()
                : Handler.Of<X87Arithmetic<TOp, FromIntegerMemory<uint>>>()),
            integer);
    }

    private static nint FloatHandler<TOp>(in Instruction instruction)
        where TOp : struct, IX87Binary
    {
        if (!VectorLowering.IsMemory(in instruction, 0))
            return Handler.Of<X87Arithmetic<TOp, FromStack>>();
        return instruction.MemorySize.GetSize() == 4
            ? Handler.Of<X87Arithmetic<TOp, FromFloatMemory<uint>>>()
            : Handler.Of<X87Arithmetic<TOp, FromFloatMemory<ulong>>>();
    }

    private static void Compare<TComparison>(Lowering?[] table, ulong pops, params ReadOnlySpan<Mnemonic> mnemonics)
        where TComparison : struct, IComparison =>
        table.Set((in Instruction i, BlockDecoder b) => Emit(in i, b, CompareHandler<TComparison>(in i)).Immediate = pops, mnemonics);

    private static nint CompareHandler<TComparison>(in Instruction instruction)
        where TComparison : struct, IComparison
    {
        if (!VectorLowering.IsMemory(in instruction, 0))
            return Handler.Of<X87Compare<TComparison, FromStack>>();
        return (instruction.Mnemonic is Mnemonic.Ficom or Mnemonic.Ficomp, instruction.MemorySize.GetSize()) switch
        {
            (true, 2) => Handler.Of<X87Compare<TComparison, FromIntegerMemory<ushort>>>(),
            (true, _) => Handler.Of<X87Compare<TComparison, FromIntegerMemory<uint>>>(),
            (false, 4) => Handler.Of<X87Compare<TComparison, FromFloatMemory<uint>>>(),
            (false, _) => Handler.Of<X87Compare<TComparison, FromFloatMemory<ulong>>>(),
        };
    }

    private static void ComparePop2<TComparison>(in Instruction instruction, BlockDecoder block)
        where TComparison : struct, IComparison
    {
        ref MicroOp op = ref Emit(in instruction, block, Handler.Of<X87Compare<TComparison, FromStack>>());
        op.Src = 1;
        op.Immediate = 2;
    }

    private static void CompareFlags<TComparison>(Lowering?[] table, Mnemonic plain, Mnemonic pops)
        where TComparison : struct, IComparison
    {
        table.Set((in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87CompareToFlags<TComparison>>()), plain);
        table.Set((in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87CompareToFlags<TComparison>>()).Immediate = 1, pops);
    }

    private static void RegisterMoves(Lowering?[] table)
    {
        table.Set(Load, Mnemonic.Fld);
        table.Set(LoadInteger, Mnemonic.Fild);
        table.Set(Store, Mnemonic.Fst, Mnemonic.Fstp);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87CopyQuietly>()), Mnemonic.Fstpnce);
        table.Set(StoreInteger<ByControl>, Mnemonic.Fist, Mnemonic.Fistp);
        table.Set(StoreInteger<ByTruncation>, Mnemonic.Fisttp);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87LoadDecimal>()), Mnemonic.Fbld);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87StoreDecimal>()), Mnemonic.Fbstp);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Exchange>()), Mnemonic.Fxch);
        MoveIf<IfB>(table, Mnemonic.Fcmovb);
        MoveIf<IfAe>(table, Mnemonic.Fcmovnb);
        MoveIf<IfE>(table, Mnemonic.Fcmove);
        MoveIf<IfNe>(table, Mnemonic.Fcmovne);
        MoveIf<IfBe>(table, Mnemonic.Fcmovbe);
        MoveIf<IfA>(table, Mnemonic.Fcmovnbe);
        MoveIf<IfP>(table, Mnemonic.Fcmovu);
        MoveIf<IfNp>(table, Mnemonic.Fcmovnu);
        ReadOnlySpan<Mnemonic> constants =
            [Mnemonic.Fld1, Mnemonic.Fldl2t, Mnemonic.Fldl2e, Mnemonic.Fldpi, Mnemonic.Fldlg2, Mnemonic.Fldln2, Mnemonic.Fldz];
        for (int n = 0; n < constants.Length; n++)
        {
            ushort number = (ushort)n;
            table.Set((in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87LoadConstant>()).Src = number, constants[n]);
        }
    }

    private static void MoveIf<TIf>(Lowering?[] table, Mnemonic mnemonic)
        where TIf : struct, ICondition =>
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87MoveIf<TIf>>()), mnemonic);

    private static void Load(in Instruction instruction, BlockDecoder block)
    {
        nint handler = !VectorLowering.IsMemory(in instruction, 0) ? Handler.Of<X87Duplicate>() : instruction.MemorySize.GetSize() switch
        {
            4 => Handler.Of<X87Load<FromFloatMemory<uint>>>(),
            8 => Handler.Of<X87Load<FromFloatMemory<ulong>>>(),
            _ => Handler.Of<X87LoadExtended>(),
        };
        Emit(in instruction, block, handler);
    }

    private static void LoadInteger(in Instruction instruction, BlockDecoder block)
    {
        nint handler = instruction.MemorySize.GetSize() switch
        {
            2 => Handler.Of<X87Load<FromIntegerMemory<ushort>>>(),
            4 => Handler.Of<X87Load<FromIntegerMemory<uint>>>(),
            _ => Handler.Of<X87Load<FromIntegerMemory<ulong>>>(),
        };
        Emit(in instruction, block, handler);
    }

    private static void Store(in Instruction instruction, BlockDecoder block)
    {
        nint handler = !VectorLowering.IsMemory(in instruction, 0) ? Handler.Of<X87Copy>() : instruction.MemorySize.GetSize() switch
        {
            4 => Handler.Of<X87Store<uint>>(),
            8 => Handler.Of<X87Store<ulong>>(),
            _ => Handler.Of<X87StoreExtended>(),
        };
        ref MicroOp op = ref Emit(in instruction, block, handler);
        op.Dst = VectorLowering.IsMemory(in instruction, 0) ? (ushort)0 : (ushort)(instruction.Op0Register - Iced.Intel.Register.ST0);
        op.Immediate = instruction.Mnemonic == Mnemonic.Fst ? 0ul : 1;
    }

    private static void StoreInteger<TRounding>(in Instruction instruction, BlockDecoder block)
        where TRounding : struct, IRoundingChoice
    {
        nint handler = instruction.MemorySize.GetSize() switch
        {
            2 => Handler.Of<X87StoreInteger<ushort, TRounding>>(),
            4 => Handler.Of<X87StoreInteger<uint, TRounding>>(),
            _ => Handler.Of<X87StoreInteger<ulong, TRounding>>(),
        };
        Emit(in instruction, block, handler).Immediate = instruction.Mnemonic == Mnemonic.Fist ? 0ul : 1;
    }

    private static void RegisterFunctions(Lowering?[] table)
    {
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Sign>()).Immediate = 1, Mnemonic.Fchs);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Sign>()), Mnemonic.Fabs);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Examine>()), Mnemonic.Fxam);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Function<X87SquareRoot>>()), Mnemonic.Fsqrt);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Function<X87RoundToInteger>>()), Mnemonic.Frndint);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Function<X87PowerMinusOne>>()), Mnemonic.F2xm1);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87PairFunction<X87Scale>>()), Mnemonic.Fscale);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87PairFunction<X87Logarithm>>()), Mnemonic.Fyl2x);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87PairFunction<X87LogarithmOnePlus>>()), Mnemonic.Fyl2xp1);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87PairFunction<X87ArcTangent>>()), Mnemonic.Fpatan);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Remainder>()), Mnemonic.Fprem);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Remainder>()).Immediate = 1, Mnemonic.Fprem1);
        table.Set(static (in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Extract>()), Mnemonic.Fxtract);
        Trigonometric(table, Mnemonic.Fsin, Angle.Sine);
        Trigonometric(table, Mnemonic.Fcos, Angle.Cosine);
        Trigonometric(table, Mnemonic.Fsincos, Angle.SineCosine);
        Trigonometric(table, Mnemonic.Fptan, Angle.Tangent);
    }

    private static void Trigonometric(Lowering?[] table, Mnemonic mnemonic, Angle wanted) =>
        table.Set((in Instruction i, BlockDecoder b) => Emit(in i, b, Handler.Of<X87Angle>()).Immediate = (ulong)wanted, mnemonic);
}
