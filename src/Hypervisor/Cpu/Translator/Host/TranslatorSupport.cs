using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Xen.Cpu;

/// <summary>Whether this host can run the <see cref="Translator"/>.</summary>
internal static class TranslatorSupport
{
    private const int TrialSize = 1 << 16;

    private static readonly Lazy<string?> Reason = new(Examine);

    /// <summary>What is missing, as the rest of a sentence; null: nothing.</summary>
    public static string? WhyNot => Reason.Value;

    private static string? Examine()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return $"the host is {RuntimeInformation.OSDescription} on {RuntimeInformation.ProcessArchitecture}, not Linux on x86-64";
        if (!HasInstructions())
            return "the host's processor lacks BMI2, POPCNT or SSE4.2";
        try
        {
            using var memory = new CodeMemory(TrialSize);
            return HostThread.CanUseContext ? null : "the host does not let programs set their gs base";
        }
        catch (InsufficientMemoryException fault)
        {
            return $"the host has no executable memory for it ({fault.Message})";
        }
    }

    // By the processor itself: IsSupported of an instruction set also asks whether the runtime's compiler was told to use it.
    private static bool HasInstructions()
    {
        const int Sse42 = 1 << 20, Popcnt = 1 << 23, Bmi2 = 1 << 8;
        (int highest, _, _, _) = X86Base.CpuId(0, 0);
        if (highest < 7)
            return false;
        (_, _, int first, _) = X86Base.CpuId(1, 0);
        (_, int extended, _, _) = X86Base.CpuId(7, 0);
        return (first & (Sse42 | Popcnt)) == (Sse42 | Popcnt) && (extended & Bmi2) != 0;
    }
}
