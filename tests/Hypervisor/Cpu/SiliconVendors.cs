using System.Numerics;
using System.Runtime.Intrinsics;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>
/// Where the processors of Intel and AMD differ because the manuals leave it open. The interpreter does as Intel's; each rule here also lets AMD's outcome
/// pass, and only that. On a processor that agrees with the interpreter no rule changes anything.
/// </summary>
internal static class SiliconVendors
{
    private const ulong IntegerBit = 1ul << 63;

    /// <summary>UE in the x87's status word, UM in its control word.</summary>
    private const int Underflow = 0x10;

    /// <summary>Whether the processor may raise an exception that the interpreter does not: #UD for opcode 0F 0D (PREFETCHW's) with a register, for Intel a NOP.</summary>
    public static bool MayRaise(SiliconInstance made, int vector) =>
        vector == 6 && made.MemoryOperand < 0
        && made.Instruction.Code is Code.Reservednop_rm16_r16_0F0D or Code.Reservednop_rm32_r32_0F0D or Code.Reservednop_rm64_r64_0F0D;

    /// <summary>Whether the processor may execute what the engine raises an exception for: Intel's SHA instructions want their operands aligned.</summary>
    public static bool MayExecute(SiliconInstance made, int vector) =>
        vector == 13 && made.Instruction.CpuidFeatures.Contains(CpuidFeature.SHA) && (made.MemoryAddress & 15) != 0;

    /// <summary>
    /// RCL and RCR all the way round (8 bits and the carry by 9, 18, 27; 16 bits and the carry by 17) change neither operand nor carry. OF is undefined,
    /// as it is for all counts but 1: Intel keeps it, AMD computes it from the result.
    /// </summary>
    public static void FullRotation(SiliconInstance made, ref RegisterFile interpreted, ref RegisterFile native)
    {
        ref Instruction instruction = ref made.Instruction;
        if (instruction.Mnemonic is not (Mnemonic.Rcl or Mnemonic.Rcr) || instruction.Op1Kind != OpKind.Immediate8)
            return;
        int size = instruction.Op0Kind == OpKind.Memory ? instruction.MemorySize.GetSize() : instruction.Op0Register.GetSize();
        int count = instruction.Immediate8 & 31;
        if (size <= 2 && count != 0 && count % ((size * 8) + 1) == 0)
            interpreted.Rflags = (interpreted.Rflags & ~LazyFlags.Overflow) | (native.Rflags & LazyFlags.Overflow);
    }

    /// <summary>DPPS and DPPD with several NaNs: the order of the additions, and so which NaN is kept, is not documented. It must be one that was there.</summary>
    public static void NaNOfDotProduct(SiliconInstance made, ref RegisterFile interpreted, ref RegisterFile native)
    {
        if (made.Instruction.Mnemonic == Mnemonic.Dpps)
            AdoptNaNs(made, ref interpreted, in native, infinity: 0x7F80_0000u, quiet: 0x0040_0000u);
        else if (made.Instruction.Mnemonic == Mnemonic.Dppd)
            AdoptNaNs(made, ref interpreted, in native, infinity: 0x7FF0_0000_0000_0000ul, quiet: 0x0008_0000_0000_0000ul);
    }

    /// <summary>
    /// FSCALE by zero and FPREM, FPREM1 by an infinity leave ST(0) as it is. When it is denormal and #U is not masked, AMD raises that: the result is tiny.
    /// It is stored with its exponent moved, as for every operation.
    /// </summary>
    public static void TinyUnchanged(SiliconInstance made, ref RegisterFile interpreted, ref RegisterFile native)
    {
        const int Pending = 0x8080, Moved = 0x6000;
        int top = Top(made);
        Float80 value = made.Registers.X87[top], other = made.Registers.X87[(top + 1) & 7];
        bool unchanged = made.Instruction.Mnemonic switch
        {
            Mnemonic.Fscale => other.Significand == 0 && (other.SignExponent & 0x7FFF) == 0,
            Mnemonic.Fprem or Mnemonic.Fprem1 => other.Significand == IntegerBit && (other.SignExponent & 0x7FFF) == 0x7FFF,
            _ => false,
        };
        if (!unchanged || !IsDenormal(value) || (made.Registers.Fcw & Underflow) != 0)
            return;
        int shift = BitOperations.LeadingZeroCount(value.Significand);
        var moved = new Float80 { Significand = value.Significand << shift, SignExponent = (ushort)((value.SignExponent & 0x8000) | (1 - shift + Moved)) };
        if (!moved.Equals(native.X87[top]))
            return;
        interpreted.X87[top] = moved;
        interpreted.Fsw |= Underflow | Pending;
    }

    /// <summary>
    /// FYL2X of a power of two is exact, and reported as inexact all the same. When it is denormal, AMD goes on to report the masked #U (tiny and inexact).
    /// </summary>
    public static void TinyLogarithm(SiliconInstance made, ref RegisterFile interpreted, ref RegisterFile native)
    {
        int top = Top(made);
        Float80 result = interpreted.X87[(top + 1) & 7];
        bool exact = made.Instruction.Mnemonic == Mnemonic.Fyl2x && made.Registers.X87[top].Significand == IntegerBit;
        if (exact && IsDenormal(result) && (made.Registers.Fcw & Underflow) != 0)
            interpreted.Fsw |= (ushort)(native.Fsw & Underflow);
    }

    /// <summary>FXSAVE says which bits MXCSR has. Bit 17 (MM: misaligned operands are fine) is AMD's, and not the interpreter's.</summary>
    public static void MisalignedMode(SiliconInstance made, ref RegisterFile interpreted, ref RegisterFile native)
    {
        const int MaskHigh = 30;
        if (made.Instruction.Mnemonic is Mnemonic.Fxsave or Mnemonic.Fxsave64)
            SiliconProcessor.Memory(made.MemoryAddress + MaskHigh, 1)[0] &= 0xFD;
    }

    private static int Top(SiliconInstance made) => (made.Registers.Fsw >> 11) & 7;

    private static bool IsDenormal(Float80 number) => (number.SignExponent & 0x7FFF) == 0 && number.Significand is > 0 and < IntegerBit;

    private static void AdoptNaNs<T>(SiliconInstance made, ref RegisterFile interpreted, in RegisterFile native, T infinity, T quiet)
        where T : unmanaged, IBinaryInteger<T>, IMinMaxValue<T>
    {
        int destination = made.Instruction.Op0Register - Register.XMM0;
        Vector128<byte> source = made.MemoryOperand < 0
            ? made.Registers.Xmm[made.Instruction.Op1Register - Register.XMM0]
            : Vector128.Create(SiliconProcessor.Memory(made.MemoryAddress, 16));
        Vector128<T> a = made.Registers.Xmm[destination].As<byte, T>(), b = source.As<byte, T>();
        Vector128<T> ours = interpreted.Xmm[destination].As<byte, T>(), theirs = native.Xmm[destination].As<byte, T>();

        // The NaN of an invalid operation, and those of the factors.
        List<T> possible = [~(T.MaxValue >> 1) | infinity | quiet];
        for (int i = 0; i < Vector128<T>.Count; i++)
        {
            if (((made.Instruction.Immediate8 >> (4 + i)) & 1) != 0)
                possible.AddRange(new[] { a[i], b[i] }.Where(IsNaN).Select(factor => factor | quiet));
        }

        for (int i = 0; i < Vector128<T>.Count; i++)
        {
            if (IsNaN(ours[i]) && possible.Contains(theirs[i]))
                ours = ours.WithElement(i, theirs[i]);
        }

        interpreted.Xmm[destination] = ours.AsByte();

        bool IsNaN(T value) => (value & (T.MaxValue >> 1)) > infinity;
    }
}
