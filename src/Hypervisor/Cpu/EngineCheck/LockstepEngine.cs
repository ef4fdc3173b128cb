using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// Runs everything twice, by the <see cref="Translator"/> and by the <see cref="Interpreter"/>, and throws at the first difference.
/// The translator goes first, and writes copies of the guest's frames only; then the interpreter executes, on the guest's memory, until it has come to the
/// same place with the same state. The guest goes on from there. A block is compared by itself the first times that it is executed, flags and all; after that
/// it takes part in runs of blocks, linked as they always are, which are compared at their ends. Slow, and for one vCPU.
/// </summary>
/// <remarks>
/// What the interpreter has done is never taken back: others (the xenstore, backends, the hypervisor's clock) have seen it. They also write themselves meanwhile,
/// which may look like a difference; so both engines go once more then, each on copies of what was there before, which nobody else has: what differs there is one.
/// </remarks>
public sealed partial class LockstepEngine : ICpuEngine, IDisposable
{
    /// <summary>Instructions of a block, which may have a loop in it, and pieces of REP instructions, after which it is taken to be on another way.</summary>
    private const int MaxSteps = 1 << 20, MaxPieces = 1 << 22;

    private readonly VcpuState _state;
    private readonly Translator _translator;
    private readonly Interpreter _interpreter;
    private readonly ShadowFrames _shadows;
    private readonly WriteLog _writes;

    /// <summary>For <see cref="AgreeAlone"/>: memory as it was before the interpreter, and what that makes of it.</summary>
    private readonly ShadowFrames _before, _interpreted;

    /// <param name="state">The vCPU.</param>
    /// <param name="codeSize">Code memory. <b>Units</b>: bytes; as <see cref="Cpu.Translator"/> takes it.</param>
    public LockstepEngine(VcpuState state, int codeSize = Cpu.Translator.DefaultCodeSize)
    {
        ArgumentNullException.ThrowIfNull(state);
        _state = state;
        _shadows = new ShadowFrames(state.Memory);
        _before = new ShadowFrames(state.Memory);
        _interpreted = new ShadowFrames(state.Memory);
        _writes = new WriteLog(state.Memory);
        _translator = new Translator(state, codeSize) { ReadsTimeStamps = false, Shadows = _shadows };
        _interpreter = new Interpreter(state) { WriteLog = _writes, DefersKicks = true };
        state.KernelTlb.Track();
        state.UserTlb.Track();
        state.FlushTlb();
    }

    /// <summary>The engine that is checked, for tests.</summary>
    internal Translator Translator => _translator;

    /// <inheritdoc/>
    public ulong? InstructionsRetired => _interpreter.InstructionsRetired;

    /// <inheritdoc/>
    /// <exception cref="EngineDifferenceException">The engines do not agree.</exception>
    public CpuExit Run(long budget)
    {
        _state.EnterGuest();
        _translator.BeginChecked(budget);
        try
        {
            while (true)
            {
                if (_translator.PrepareChecked(out CpuExit exit) || CheckRun(out exit))
                    return exit;
                if ((budget -= Superblock.MaxInstructions) <= 0)
                    return new CpuExit(CpuExitReason.BudgetSpent);
            }
        }
        finally
        {
            _state.LeaveGuest();
        }
    }

    public void Dispose()
    {
        _translator.Dispose();
        _shadows.Dispose();
        _before.Dispose();
        _interpreted.Dispose();
    }

    private bool CheckBlock(out CpuExit exit)
    {
        RegisterFile start = _state.Registers;
        _translator.MindsAliases = false;
        _shadows.Clear();
        Outcome translated = RunTranslator(chained: false);
        if (translated.End == Translator.CheckedEnd.HostFault)
        {
            exit = new CpuExit(CpuExitReason.HostFault);
            return true;
        }

        var trace = new EngineTrace(start);
        _state.Registers = start;
        _writes.Clear();
        bool same = RunInterpreter(in translated, trace, out exit, out bool over);
        if (same || AgreeAlone(in start, chained: false))
            _translator.Trust();
        if (over)
            return true;
        return same && translated.End == Translator.CheckedEnd.Interpret && _interpreter.RunBlock(out exit);
    }

    private Outcome RunTranslator(bool chained)
    {
        ulong from = _state.Registers.Rip;
        Translator.CheckedEnd end = _translator.RunChecked(chained);
        DropTracked(_shadows);
        return new Outcome(end, from, in _state.Registers, _translator.DeadFlagsOfExit);
    }

    private void DropTracked(ShadowFrames frames)
    {
        _state.KernelTlb.DropTracked(frames.Start, frames.End);
        _state.UserTlb.DropTracked(frames.Start, frames.End);
    }

    /// <summary>Goes on until the state is the translator's.</summary>
    private bool RunInterpreter(in Outcome translated, EngineTrace trace, out CpuExit exit, out bool over)
    {
        exit = default;
        over = false;
        ulong last = 0;
        int steps = translated.End == Translator.CheckedEnd.Interpret ? 0 : -1, pieces = 0;
        while (steps <= MaxSteps && pieces < MaxPieces && !_interpreted.IsNearlyFull)
        {
            // What a SYSCALL leaves with is not comparable before it. In a loop the place may come more than once.
            if (translated.End != Translator.CheckedEnd.SystemCall && steps >= 0 && IsSame(in translated, trace))
                return true;
            ulong rip = _state.Registers.Rip;
            bool again = rip == last; // the next piece of a REP
            last = rip;
            if (again)
                pieces++;
            else
                steps++;
            trace.Add(_state, again);
            over = _interpreter.RunOne(out exit);
            if (over)
            {
                return translated.End == Translator.CheckedEnd.SystemCall && exit.Reason is CpuExitReason.Hypercall or CpuExitReason.SystemCall
                    && IsSame(in translated, trace);
            }
        }

        return false;
    }

    /// <summary>Whether the state is the translator's, but for flags whose values do not matter.</summary>
    private bool IsSame(in Outcome translated, EngineTrace trace)
    {
        if (_state.Registers.Rip != translated.Registers.Rip)
            return false;
        trace.NoteState(in _state.Registers);
        if (!EngineTrace.IsSame(in translated.Registers, in _state.Registers, LazyFlags.All))
            return false;
        ulong flags = (translated.Registers.Rflags ^ _state.Registers.Rflags) & ~trace.UndefinedFlags;
        if (flags != 0 && (flags & ~DeadFlags(in translated)) != 0)
            return false;
        bool same = HasSameMemory(out string? difference);
        trace.NoteMemory(difference);
        return same;
    }

    private bool HasSameMemory(out string? difference) =>
        _interpreter.Isolation is null ? _shadows.Agree(_writes, out difference) : _shadows.Agree(_interpreted, out difference);

    /// <summary>Flags that a block of the translator need not have kept.</summary>
    private ulong DeadFlags(in Outcome translated) =>
        translated.End == Translator.CheckedEnd.Next ? _translator.DeadFlagsAt(translated.Registers.Rip, translated.From) : translated.DeadFlags;

    /// <summary>What the translator came to.</summary>
    private readonly struct Outcome(Translator.CheckedEnd end, ulong from, in RegisterFile registers, ulong deadFlags)
    {
        /// <summary>How its last block ended.</summary>
        public readonly Translator.CheckedEnd End = end;

        /// <summary>Where it began.</summary>
        public readonly ulong From = from;

        /// <summary>The registers at the end.</summary>
        public readonly RegisterFile Registers = registers;

        /// <summary>Flags that it did not keep, if the block ended for the interpreter.</summary>
        public readonly ulong DeadFlags = deadFlags;
    }
}

/// <summary>Two engines do not agree about a block.</summary>
/// <param name="message">Both states, and the guest's code.</param>
public sealed class EngineDifferenceException(string message) : Exception(message);
