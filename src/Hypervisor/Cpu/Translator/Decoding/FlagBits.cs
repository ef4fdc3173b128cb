using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Arithmetic flags as the decoder names them, and as rflags has them.</summary>
internal static class FlagBits
{
    public static ulong Of(RflagsBits bits) =>
        ((bits & RflagsBits.OF) != 0 ? LazyFlags.Overflow : 0) | ((bits & RflagsBits.SF) != 0 ? LazyFlags.Sign : 0)
        | ((bits & RflagsBits.ZF) != 0 ? LazyFlags.Zero : 0) | ((bits & RflagsBits.AF) != 0 ? LazyFlags.Adjust : 0)
        | ((bits & RflagsBits.CF) != 0 ? LazyFlags.Carry : 0) | ((bits & RflagsBits.PF) != 0 ? LazyFlags.Parity : 0);
}
