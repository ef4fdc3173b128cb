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
        if (!Bmi2.X64.IsSupported || !Popcnt.X64.IsSupported || !Sse42.X64.IsSupported)
            return "the host's processor lacks BMI2 or SSE4.2";
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
}
