namespace Xen.Cpu;

/// <summary>Both engines once more, alone with memory as it was: whatever differs then is a difference.</summary>
public sealed partial class LockstepEngine
{
    /// <summary>Executes what begins at these registers again, on copies of what was there before the interpreter. All of the guest stays as it is now.</summary>
    /// <returns>False: that cannot be told, because they touch more frames than there may be copies of.</returns>
    /// <exception cref="EngineDifferenceException">The engines do not agree.</exception>
    private bool AgreeAlone(in RegisterFile start, bool chained)
    {
        if (!_before.TryRewind(_writes))
            return false;
        RegisterFile now = _state.Registers;
        _state.FlushTlb();
        _shadows.Clear(_before);
        _interpreted.Clear(_before);
        _state.Registers = start;
        Outcome translated = RunTranslator(chained);
        _state.Registers = start;
        var trace = new EngineTrace(in start);
        _writes.Clear();
        _interpreter.Isolation = _interpreted;
        bool same = chained ? Follow(in translated, out _, out _) : RunInterpreter(in translated, trace, out _, out _);
        _interpreter.Isolation = null;
        DropTracked(_interpreted);
        bool decided = same || !(_interpreted.IsNearlyFull || _before.IsNearlyFull);
        if (chained && !same && decided)
        {
            trace.NoteState(in _state.Registers);
            _ = _shadows.Agree(_interpreted, out string? difference);
            trace.NoteMemory(difference);
        }

        _state.Registers = now;
        _interpreted.Clear();
        _before.Clear();
        if (!same && decided)
            throw new EngineDifferenceException((chained ? "(in a run of blocks, each of which is right by itself) " : "") + trace.Report(in translated.Registers));
        return same;
    }
}
