namespace Xen.Cpu;

/// <summary>The engines there are, by name.</summary>
public static class CpuEngines
{
    /// <summary>The names.</summary>
    public const string Translator = "translator", Interpreter = "interpreter", Lockstep = "lockstep";

    /// <summary>All names. The last is for finding bugs: both engines, compared block by block, for one vCPU.</summary>
    public static IReadOnlyList<string> Names { get; } = [Translator, Interpreter, Lockstep];

    /// <summary>The fastest that this host can run.</summary>
    public static string Default => TranslatorSupport.WhyNot is null ? Translator : Interpreter;

    /// <summary>Why the host cannot run an engine, as the rest of a sentence; null: it can.</summary>
    public static string? WhyNot(string name) => name == Interpreter ? null : TranslatorSupport.WhyNot;

    /// <summary>How to make engines of a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="codeSize">Memory for translated code of each engine. <b>Units</b>: bytes; as <see cref="Xen.Cpu.Translator"/> takes it. Others than the translator have none.</param>
    /// <exception cref="ArgumentException">There is no such engine.</exception>
    public static Func<VcpuState, ICpuEngine> FactoryOf(string name, int codeSize = Xen.Cpu.Translator.DefaultCodeSize) => name switch
    {
        Interpreter => static state => new Interpreter(state),
        Translator => state => new Translator(state, codeSize),
        Lockstep => state => new LockstepEngine(state, codeSize),
        _ => throw new ArgumentException($"there is no CPU engine '{name}'", nameof(name)),
    };
}
