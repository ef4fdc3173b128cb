using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>What executes guests on this host unless their configuration says otherwise.</summary>
public static class HostEngine
{
    /// <summary>The engine's name.</summary>
    public static string Name => CpuEngines.Default;

    /// <summary>The engine's name; where a faster one does not run here, also why, in parentheses.</summary>
    public static string Describe() => CpuEngines.WhyNot(CpuEngines.Translator) is { } reason
        ? $"{CpuEngines.Default} ({CpuEngines.Translator}: {reason})" : CpuEngines.Default;
}
