using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// Runs every block twice, by the <see cref="Translator"/> and by the <see cref="Interpreter"/>, and throws at the first difference.
/// The translator goes first; what it has written is put aside and taken back, then the interpreter executes instruction by instruction until it
/// has come to the same place with the same state. The guest goes on from there. Slow, and for one vCPU.
/// </summary>
/// <remarks>What others write meanwhile (the hypervisor's clock, backends) may look like a difference: a block that differs is tried again.</remarks>
public sealed class LockstepEngine : ICpuEngine, IDisposable
{
    private const int Tries = 4;

    private readonly VcpuState _state;
    private readonly Translator _translator;
    private readonly Interpreter _interpreter;
    private readonly Dictionary<Mfn, byte[]> _before = [];
    private readonly Dictionary<Mfn, byte[]> _after = [];

    /// <param name="state">The vCPU.</param>
    /// <param name="codeSize">Code memory. <b>Units</b>: bytes; as <see cref="Cpu.Translator"/> takes it.</param>
    public LockstepEngine(VcpuState state, int codeSize = Cpu.Translator.DefaultCodeSize)
    {
        ArgumentNullException.ThrowIfNull(state);
        _state = state;
        _translator = new Translator(state, codeSize) { ReadsTimeStamps = false };
        _interpreter = new Interpreter(state);
        _translator.FrameWritten = Remember;
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
        try
        {
            while (true)
            {
                if (_translator.PrepareChecked(out CpuExit exit) || Check(out exit))
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

    public void Dispose() => _translator.Dispose();

    private bool Check(out CpuExit exit)
    {
        RegisterFile start = _state.Registers;
        for (int attempt = 1; ; attempt++)
        {
            EngineTrace trace = new(start);
            Translator.CheckedEnd end = RunTranslator(careful: attempt % 2 == 0, trace, out RegisterFile translated);
            if (end == Translator.CheckedEnd.HostFault)
            {
                exit = new CpuExit(CpuExitReason.HostFault);
                return true;
            }

            _state.Registers = start;
            bool same = RunInterpreter(end, in translated, trace, out exit, out bool over);
            if (same)
            {
                if (over)
                    return true;
                return end == Translator.CheckedEnd.Interpret && _interpreter.RunBlock(out exit);
            }

            if (over && exit.Reason == CpuExitReason.Request)
            {
                // Somebody wants the vCPU to come out: the block has not happened.
                Restore();
                _state.Registers = start;
                return true;
            }

            if (attempt == Tries)
                throw new EngineDifferenceException(trace.Report(in translated, _state));
            Restore();
            _state.Registers = start;
        }
    }

    private Translator.CheckedEnd RunTranslator(bool careful, EngineTrace trace, out RegisterFile result)
    {
        ulong from = _state.Registers.Rip;
        _before.Clear();
        _after.Clear();
        _state.FlushTlb();
        Translator.CheckedEnd end = _translator.RunChecked(careful);
        result = _state.Registers;
        trace.DeadFlags = end == Translator.CheckedEnd.Next ? _translator.DeadFlagsAt(result.Rip, from) : _translator.DeadFlagsOfExit;
        foreach (Mfn frame in _before.Keys)
            _after[frame] = _state.Memory.Frame(frame).ToArray();
        Restore();
        return end;
    }

    /// <summary>Steps until the state is the translator's.</summary>
    private bool RunInterpreter(Translator.CheckedEnd end, in RegisterFile translated, EngineTrace trace, out CpuExit exit, out bool over)
    {
        exit = default;
        over = false;
        for (int i = 0; i <= Superblock.MaxInstructions; i++)
        {
            if (end != Translator.CheckedEnd.SystemCall && (i > 0 || end == Translator.CheckedEnd.Interpret) && trace.IsSame(in translated, in _state.Registers) && SameMemory(trace))
                return true;
            trace.Add(_state);
            over = _interpreter.RunOne(out exit);
            if (over)
                return end == Translator.CheckedEnd.SystemCall && exit.Reason is CpuExitReason.Hypercall or CpuExitReason.SystemCall && trace.IsSame(in translated, in _state.Registers) && SameMemory(trace);
        }

        return false;
    }

    private void Remember(Mfn frame)
    {
        if (!_before.ContainsKey(frame))
            _before.Add(frame, _state.Memory.Frame(frame).ToArray());
    }

    private void Restore()
    {
        foreach ((Mfn frame, byte[] bytes) in _before)
            bytes.CopyTo(_state.Memory.Frame(frame));
    }

    private bool SameMemory(EngineTrace trace)
    {
        foreach ((Mfn frame, byte[] bytes) in _after)
        {
            int same = _state.Memory.Frame(frame).CommonPrefixLength(bytes);
            if (same != bytes.Length)
            {
                trace.NoteMemory(frame, same, bytes);
                return false;
            }
        }

        return true;
    }
}

/// <summary>Two engines do not agree about a block.</summary>
/// <param name="message">Both states, and the guest's code.</param>
public sealed class EngineDifferenceException(string message) : Exception(message);
