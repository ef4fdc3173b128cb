using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// Runs everything twice, by the <see cref="Translator"/> and by the <see cref="Interpreter"/>, and throws at the first difference.
/// The translator goes first, and writes copies of the guest's frames only; then the interpreter executes, on the guest's memory, until it has come to the
/// same place with the same state. The guest goes on from there. A block is compared by itself the first times that it is executed, flags and all; after that
/// it takes part in runs of blocks, linked as they always are, which are compared at their ends. Slow, and for one vCPU.
/// </summary>
/// <remarks>What others write meanwhile (the hypervisor's clock, backends) may look like a difference: a block that differs is undone and tried again.</remarks>
public sealed partial class LockstepEngine : ICpuEngine, IDisposable
{
    /// <summary>The first try is fast; those that follow go instruction by instruction and keep a trace.</summary>
    private const int Tries = 4;

    /// <summary>Pieces of REP instructions that one block may have.</summary>
    private const int MaxPieces = 1 << 22;

    private readonly VcpuState _state;
    private readonly Translator _translator;
    private readonly Interpreter _interpreter;
    private readonly ShadowFrames _shadows;
    private readonly WriteLog _writes;

    /// <param name="state">The vCPU.</param>
    /// <param name="codeSize">Code memory. <b>Units</b>: bytes; as <see cref="Cpu.Translator"/> takes it.</param>
    public LockstepEngine(VcpuState state, int codeSize = Cpu.Translator.DefaultCodeSize)
    {
        ArgumentNullException.ThrowIfNull(state);
        _state = state;
        _shadows = new ShadowFrames(state.Memory);
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
    }

    private bool CheckBlock(out CpuExit exit)
    {
        RegisterFile start = _state.Registers;
        for (int attempt = 1; ; attempt++)
        {
            EngineTrace? trace = attempt == 1 ? null : new EngineTrace(start);
            if (trace is not null)
                _state.FlushTlb(); // few entries to look through for aliases
            _translator.MindsAliases = trace is not null;
            Translator.CheckedEnd end = RunTranslator(careful: attempt == 3, chained: false, out RegisterFile translated);
            if (end == Translator.CheckedEnd.HostFault)
            {
                exit = new CpuExit(CpuExitReason.HostFault);
                return true;
            }

            if (trace is not null)
                trace.DeadFlags = DeadFlags(end, start.Rip, translated.Rip);
            _state.Registers = start;
            bool same = RunInterpreter(end, in translated, trace, out exit, out bool over);
            if (same)
            {
                _translator.Trust();
                if (over)
                    return true;
                return end == Translator.CheckedEnd.Interpret && _interpreter.RunBlock(out exit);
            }

            if (attempt == Tries)
                throw new EngineDifferenceException(trace!.Report(in translated, _state));
            _writes.Undo();
            _state.Registers = start;
        }
    }

    /// <summary>Flags that a block of the translator need not have kept.</summary>
    private ulong DeadFlags(Translator.CheckedEnd end, ulong from, ulong to) =>
        end == Translator.CheckedEnd.Next ? _translator.DeadFlagsAt(to, from) : _translator.DeadFlagsOfExit;

    private Translator.CheckedEnd RunTranslator(bool careful, bool chained, out RegisterFile result)
    {
        _shadows.Clear();
        Translator.CheckedEnd end = _translator.RunChecked(careful, chained);
        result = _state.Registers;
        _state.KernelTlb.DropTracked(_shadows.Start, _shadows.End);
        _state.UserTlb.DropTracked(_shadows.Start, _shadows.End);
        _writes.Clear();
        return end;
    }

    /// <summary>Goes on until the state is the translator's.</summary>
    private bool RunInterpreter(Translator.CheckedEnd end, in RegisterFile translated, EngineTrace? trace, out CpuExit exit, out bool over)
    {
        exit = default;
        over = false;
        ulong last = 0;
        int steps = end == Translator.CheckedEnd.Interpret ? 0 : -1, pieces = 0;
        while (steps <= Superblock.MaxInstructions && pieces < MaxPieces)
        {
            // What a SYSCALL leaves with is not comparable before it. In a loop the place may come more than once.
            if (end != Translator.CheckedEnd.SystemCall && steps >= 0 && _state.Registers.Rip == translated.Rip)
            {
                if (IsSame(in translated, trace))
                    return true;
                if (trace is null)
                    return false; // it would take a trace to know
            }

            ulong rip = _state.Registers.Rip;
            bool again = rip == last; // the next piece of a REP
            last = rip;
            if (again)
                pieces++;
            else
                steps++;
            if (trace is null)
            {
                over = _interpreter.RunBlockTo(translated.Rip, out exit);
            }
            else
            {
                trace.Add(_state, again);
                over = _interpreter.RunOne(out exit);
            }

            if (over)
            {
                return end == Translator.CheckedEnd.SystemCall && exit.Reason is CpuExitReason.Hypercall or CpuExitReason.SystemCall
                    && IsSame(in translated, trace);
            }
        }

        return false;
    }

    private bool IsSame(in RegisterFile translated, EngineTrace? trace)
    {
        if (!EngineTrace.IsSame(in translated, in _state.Registers, trace?.IgnoredFlags ?? 0))
            return false;
        bool same = _shadows.Agree(_writes, out string? difference);
        trace?.NoteMemory(difference);
        return same;
    }
}

/// <summary>Two engines do not agree about a block.</summary>
/// <param name="message">Both states, and the guest's code.</param>
public sealed class EngineDifferenceException(string message) : Exception(message);
