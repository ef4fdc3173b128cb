namespace Xen.Cpu.Tests;

/// <summary>Engines with little memory.</summary>
internal static class TestEngines
{
    /// <summary>A translator that has hardly any code at a time.</summary>
    public static ICpuEngine ForgetfulTranslator(VcpuState state) => new Translator(state, Translator.LeastCodeSize) { Cache = { BlocksPerPart = 3 } };
}
