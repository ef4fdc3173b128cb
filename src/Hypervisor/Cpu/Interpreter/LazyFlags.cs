using System.Numerics;
using System.Runtime.CompilerServices;

namespace Xen.Cpu;

/// <summary>
/// The six arithmetic flags, kept as the result they come from. Each flag is computed when somebody asks:
/// <code>
/// ZF  Result == 0            SF  sign of Result, flipped by bit 0 of Aux
/// PF  parity of the low byte of Result ^ (Aux >> 8)
///
/// Aux  31   30        15..8          3    0
///     +----+----+---+--------------+----+----+
///     | CF | PO |   | parity delta | AF | SD |     OF = CF ^ PO   (PO: carry into the sign bit)
///     +----+----+---+--------------+----+----+
/// </code>
/// </summary>
public struct LazyFlags
{
    public const ulong Carry = 1, Parity = 4, Adjust = 0x10, Zero = 0x40, Sign = 0x80, Overflow = 0x800;
    public const ulong All = Carry | Parity | Adjust | Zero | Sign | Overflow;

    private const uint CarryBit = 1u << 31, PartialBit = 1u << 30, AdjustBit = 8, SignDelta = 1;

    /// <summary>The last result, sign-extended from its size.</summary>
    public long Result;

    /// <summary>See the picture.</summary>
    public uint Aux;

    public readonly bool CF => (int)Aux < 0;

    public readonly bool ZF => Result == 0;

    public readonly bool SF => (Result < 0) ^ ((Aux & SignDelta) != 0);

    public readonly bool OF => (int)(Aux ^ (Aux << 1)) < 0;

    public readonly bool PF => (BitOperations.PopCount((uint)(Result ^ (Aux >> 8)) & 0xFF) & 1) == 0;

    public readonly bool AF => (Aux & AdjustBit) != 0;

    /// <summary>Flags of a + b (+ carry in) = r. Operands zero-extended from <paramref name="bits"/> bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetAdd(ulong a, ulong b, ulong r, int bits) => Set(r, (a & b) | ((a | b) & ~r), bits);

    /// <summary>Flags of a - b (- borrow in) = r.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetSub(ulong a, ulong b, ulong r, int bits) => Set(r, (~a & b) | (~(a ^ b) & r), bits);

    /// <summary>Flags of a logical operation: CF, OF and AF clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetLogic(ulong r, int bits)
    {
        Result = (long)(r << (64 - bits)) >> (64 - bits);
        Aux = 0;
    }

    /// <summary>Flags of an operation whose CF and OF are known; AF clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetResult(ulong r, int bits, bool carry, bool overflow)
    {
        Result = (long)(r << (64 - bits)) >> (64 - bits);
        Aux = Top(carry, overflow);
    }

    /// <summary>Flags of INC and DEC: CF stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetStep(ulong r, int bits, bool overflow, bool adjust)
    {
        Result = (long)(r << (64 - bits)) >> (64 - bits);
        uint carry = Aux & CarryBit;
        Aux = carry | ((carry >> 1) ^ ((overflow ? 1u : 0u) << 30)) | ((adjust ? 1u : 0u) << 3);
    }

    /// <summary>Changes CF and OF only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetCarryOverflow(bool carry, bool overflow) =>
        Aux = (Aux & ~(CarryBit | PartialBit)) | Top(carry, overflow);

    /// <summary>Changes CF only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetCarry(bool carry) => SetCarryOverflow(carry, OF);

    /// <summary>Changes ZF only.</summary>
    public void SetZero(bool zero) => FromBits(zero ? ToBits() | Zero : ToBits() & ~Zero);

    /// <summary>The flags as bits of rflags.</summary>
    public readonly ulong ToBits() =>
        (CF ? Carry : 0) | (PF ? Parity : 0) | (AF ? Adjust : 0) | (ZF ? Zero : 0) | (SF ? Sign : 0) | (OF ? Overflow : 0);

    /// <summary>Takes the flags from bits of rflags.</summary>
    public void FromBits(ulong rflags)
    {
        bool zero = (rflags & Zero) != 0;
        bool sign = (rflags & Sign) != 0;
        bool carry = (rflags & Carry) != 0;
        bool overflow = (rflags & Overflow) != 0;
        Result = zero ? 0 : 1;
        uint parityDelta = ((rflags & Parity) != 0) == zero ? 0u : 1u;
        Aux = (parityDelta << 8) | (sign ? SignDelta : 0) | ((rflags & Adjust) != 0 ? AdjustBit : 0)
            | (carry ? CarryBit : 0) | (carry ^ overflow ? PartialBit : 0);
    }

    /// <summary>CF and PO in their places, by shifts: no jumps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Top(bool carry, bool overflow) => ((carry ? 1u : 0u) << 31) | ((carry ^ overflow ? 1u : 0u) << 30);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Set(ulong r, ulong carries, int bits)
    {
        Result = (long)(r << (64 - bits)) >> (64 - bits);
        uint top = bits >= 32 ? (uint)(carries >> (bits - 32)) : (uint)carries << (32 - bits);
        Aux = (top & (CarryBit | PartialBit)) | ((uint)carries & AdjustBit);
    }
}
