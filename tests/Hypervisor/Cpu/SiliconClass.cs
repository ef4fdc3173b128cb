using Iced.Intel;

namespace Xen.Cpu.Tests;

/// <summary>A family of instructions for the silicon tests: which codes, and what has to be said about them.</summary>
/// <param name="Name">For reports and the choice of a seed.</param>
/// <param name="Includes">Whether a code belongs to it. Only codes of 64-bit mode with legacy or VEX encoding that a program may execute are asked for.</param>
/// <param name="Weight">Share of the instances.</param>
internal sealed record SiliconClass(string Name, Func<Code, bool> Includes, int Weight = 1)
{
    /// <summary>Changes the generated state, e.g. for implicit memory operands or operands that must not fault.</summary>
    public SiliconPrepare? Prepare { get; init; }

    /// <summary>Whether a conditional jump follows the instruction, so that both may become one op.</summary>
    public bool FollowedByJump { get; init; }

    /// <summary>Whether x87 and MMX registers, the x87 control, status and tag words are compared, too (xmm registers and mxcsr always are).</summary>
    public bool ComparesX87 { get; init; }

    /// <summary>Makes a comparison pass where processors differ or are not exact: gets the interpreter's registers and the processor's, may make them equal.</summary>
    public SiliconForgive? Forgive { get; init; }

    /// <summary>All classes. Add yours here.</summary>
    public static IReadOnlyList<SiliconClass> All { get; } = [.. SiliconIntegerClasses.All, .. SiliconVectorClasses.All, .. SiliconX87Classes.All, .. SiliconHostClasses.All];

    /// <summary>All codes of the class.</summary>
    public Code[] Codes() => [.. Enum.GetValues<Code>().Where(code => IsCandidate(code) && Includes(code))];

    /// <summary>Whether all CPUID features that a code needs are among those given.</summary>
    public static bool Needs(Code code, params ReadOnlySpan<CpuidFeature> features)
    {
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            if (!features.Contains(feature))
                return false;
        }

        return true;
    }

    private static bool IsCandidate(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        return info.IsInstruction && info.Mode64 && info.Encoding is EncodingKind.Legacy or EncodingKind.VEX && !info.IsPrivileged && !info.IsInputOutput;
    }
}

/// <summary>Prepares the state for an instruction, whose memory operand is aimed already. False: not this instance.</summary>
/// <param name="made">The instance.</param>
/// <param name="random">Where values come from.</param>
/// <param name="poke">Writes 8 bytes of memory on both sides.</param>
internal delegate bool SiliconPrepare(SiliconInstance made, SiliconRandom random, Action<ulong, ulong> poke);

/// <summary>See <see cref="SiliconClass.Forgive"/>.</summary>
internal delegate void SiliconForgive(SiliconInstance made, ref RegisterFile interpreted, ref RegisterFile native);
