using System.Globalization;
using System.Text;
using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>Compares two register files and says in words what differs.</summary>
internal static class SiliconDifferences
{
    public static readonly string[] GprNames = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    public static void Registers(StringBuilder text, in Instruction instruction, in RegisterFile interpreted, in RegisterFile native, bool x87)
    {
        for (int i = 0; i < 16; i++)
        {
            if (interpreted.Gpr[i] != native.Gpr[i])
                Say(text, GprNames[i], native.Gpr[i].ToString("x", CultureInfo.InvariantCulture), interpreted.Gpr[i].ToString("x", CultureInfo.InvariantCulture));
            if (interpreted.Xmm[i] != native.Xmm[i])
                Say(text, $"xmm{i}", $"{native.Xmm[i]}", $"{interpreted.Xmm[i]}");
            if (interpreted.UpperHalves[i] != native.UpperHalves[i])
                Say(text, $"upper half of ymm{i}", $"{native.UpperHalves[i]}", $"{interpreted.UpperHalves[i]}");
        }

        ulong mask = ~Undefined(instruction.RflagsUndefined);
        if (((interpreted.Rflags ^ native.Rflags) & mask) != 0)
            Say(text, "rflags", (native.Rflags & mask).ToString("x", CultureInfo.InvariantCulture), (interpreted.Rflags & mask).ToString("x", CultureInfo.InvariantCulture));
        if (interpreted.Mxcsr != native.Mxcsr)
            Say(text, "mxcsr", native.Mxcsr.ToString("x", CultureInfo.InvariantCulture), interpreted.Mxcsr.ToString("x", CultureInfo.InvariantCulture));
        if (x87)
            Floating(text, in interpreted, in native);
    }

    private static void Floating(StringBuilder text, in RegisterFile interpreted, in RegisterFile native)
    {
        string control = $"fcw {native.Fcw:x} fsw {native.Fsw:x} ftw {native.Ftw:x}", ours = $"fcw {interpreted.Fcw:x} fsw {interpreted.Fsw:x} ftw {interpreted.Ftw:x}";
        if (control != ours)
            Say(text, "x87", control, ours);
        for (int i = 0; i < 8; i++)
        {
            Float80 a = native.X87[i], b = interpreted.X87[i];
            if (a.Significand != b.Significand || a.SignExponent != b.SignExponent)
                Say(text, $"R{i}", $"{a.SignExponent:x4}:{a.Significand:x16}", $"{b.SignExponent:x4}:{b.Significand:x16}");
        }
    }

    private static void Say(StringBuilder text, string what, string native, string interpreted) =>
        text.AppendLine(CultureInfo.InvariantCulture, $"{what}: processor {native}, engine {interpreted}");

    /// <summary>The arithmetic flags that an instruction changes, as bits of rflags.</summary>
    public static ulong Changed(in Instruction instruction) => Undefined(instruction.RflagsModified);

    private static ulong Undefined(RflagsBits bits) =>
        ((bits & RflagsBits.OF) != 0 ? LazyFlags.Overflow : 0) | ((bits & RflagsBits.SF) != 0 ? LazyFlags.Sign : 0)
        | ((bits & RflagsBits.ZF) != 0 ? LazyFlags.Zero : 0) | ((bits & RflagsBits.AF) != 0 ? LazyFlags.Adjust : 0)
        | ((bits & RflagsBits.CF) != 0 ? LazyFlags.Carry : 0) | ((bits & RflagsBits.PF) != 0 ? LazyFlags.Parity : 0);
}
