using Xen.Abi;

namespace Xen.Cpu;

/// <summary>Runs of blocks, each of which was right by itself.</summary>
public sealed partial class LockstepEngine
{
    /// <summary>Blocks of the interpreter in a run, and writes, after which it is taken to be on another way.</summary>
    private const int MaxRunBlocks = 1 << 25, MaxRunWrites = 1 << 21;

    /// <summary>Executes a run of blocks, or one.</summary>
    private bool CheckRun(out CpuExit exit)
    {
        if (!_translator.IsTrusted())
            return CheckBlock(out exit);
        _translator.MindsAliases = true;
        RegisterFile start = _state.Registers;
        _shadows.Clear();
        Outcome translated = RunTranslator(chained: true);
        if (translated.End == Translator.CheckedEnd.HostFault)
        {
            exit = new CpuExit(CpuExitReason.HostFault);
            return true;
        }

        _state.Registers = start;
        _writes.Clear();
        if (Follow(in translated, out exit, out bool over))
            return over || (translated.End == Translator.CheckedEnd.Interpret && _interpreter.RunBlock(out exit));
        _ = AgreeAlone(in start, chained: true);
        return over;
    }

    /// <summary>Goes on until the state is the translator's; flags are not looked at, but what was made of them.</summary>
    private bool Follow(in Outcome translated, out CpuExit exit, out bool over)
    {
        exit = default;
        over = false;
        for (int blocks = 0; blocks < MaxRunBlocks && _writes.Writes.Count < MaxRunWrites && !_interpreted.IsNearlyFull; blocks++)
        {
            if (translated.End != Translator.CheckedEnd.SystemCall && (blocks > 0 || translated.End == Translator.CheckedEnd.Interpret) && IsSame(in translated))
                return true;
            over = _interpreter.RunBlockTo(translated.Registers.Rip, out exit);
            if (over)
            {
                return translated.End == Translator.CheckedEnd.SystemCall && exit.Reason is CpuExitReason.Hypercall or CpuExitReason.SystemCall
                    && IsSame(in translated);
            }
        }

        return false;
    }

    private bool IsSame(in Outcome translated) =>
        _state.Registers.Rip == translated.Registers.Rip && EngineTrace.IsSame(in translated.Registers, in _state.Registers, LazyFlags.All)
        && HasSameMemory(out _);
}
