using Xen.Abi;

namespace Xen.Cpu;

/// <summary>Runs of blocks, each of which was right by itself.</summary>
public sealed partial class LockstepEngine
{
    /// <summary>How often a run that differs is tried again: others may have written what it reads.</summary>
    private const int RunTries = 3;

    /// <summary>How often a run from one place may differ, after which all of its blocks are looked at by themselves again, before that is a difference.</summary>
    private const int MaxRefusals = 4;

    /// <summary>Blocks of the interpreter in a run, and writes, after which it is taken to be on another way.</summary>
    private const int MaxRunBlocks = 1 << 25, MaxRunWrites = 1 << 21;

    private readonly Dictionary<ulong, int> _refusals = [];

    /// <summary>Executes a run of blocks, or one.</summary>
    private bool CheckRun(out CpuExit exit)
    {
        if (!_translator.IsTrusted())
            return CheckBlock(out exit);
        _translator.MindsAliases = true;
        RegisterFile start = _state.Registers;
        for (int attempt = 1; ; attempt++)
        {
            Translator.CheckedEnd end = RunTranslator(careful: false, chained: true, out RegisterFile translated);
            if (end == Translator.CheckedEnd.HostFault)
            {
                exit = new CpuExit(CpuExitReason.HostFault);
                return true;
            }

            _state.Registers = start;
            if (Follow(end, in translated, out exit, out bool over))
                return over || (end == Translator.CheckedEnd.Interpret && _interpreter.RunBlock(out exit));
            if (attempt == RunTries)
                Refuse(in start, in translated);
            _writes.Undo();
            _state.Registers = start;
            if (attempt == RunTries)
                return CheckBlock(out exit);
        }
    }

    /// <summary>Takes the trust from all blocks.</summary>
    private void Refuse(in RegisterFile start, in RegisterFile translated)
    {
        _translator.DropCode();
        int count = _refusals.GetValueOrDefault(start.Rip) + 1;
        _refusals[start.Rip] = count;
        if (count > MaxRefusals)
            throw new EngineDifferenceException("(in a run of blocks, each of which is right by itself) " + new EngineTrace(start).Report(in translated, _state));
    }

    /// <summary>Goes on until the state is the translator's; flags are not looked at, but what was made of them.</summary>
    private bool Follow(Translator.CheckedEnd end, in RegisterFile translated, out CpuExit exit, out bool over)
    {
        exit = default;
        over = false;
        for (int blocks = 0; blocks < MaxRunBlocks && _writes.Writes.Count < MaxRunWrites; blocks++)
        {
            if (end != Translator.CheckedEnd.SystemCall && (blocks > 0 || end == Translator.CheckedEnd.Interpret) && IsSame(in translated))
                return true;
            over = _interpreter.RunBlockTo(translated.Rip, out exit);
            if (over)
                return end == Translator.CheckedEnd.SystemCall && exit.Reason is CpuExitReason.Hypercall or CpuExitReason.SystemCall && IsSame(in translated);
        }

        return false;
    }

    private bool IsSame(in RegisterFile translated) =>
        _state.Registers.Rip == translated.Rip && EngineTrace.IsSame(in translated, in _state.Registers, LazyFlags.All) && _shadows.Agree(_writes, out _);
}
