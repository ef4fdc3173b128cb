namespace Xen.Cpu;

/// <summary>
/// The fast engine: translates guest code to host code, for hosts with the same instruction set. Read next: <see cref="Superblock"/> (decoding),
/// <see cref="BlockEmitter"/> (emission), <see cref="CodeCache"/> (keeping). What is rare, hard or faults is executed by an <see cref="Interpreter"/>
/// on the same state, one instruction at a time.
/// </summary>
/// <remarks>
/// Each engine has code of its own, so that only the vCPU's thread ever changes it. Budgets are time here: emitted code does not count
/// instructions, <see cref="EngineTicker"/> asks for an exit.
/// </remarks>
public sealed partial class Translator : ICpuEngine, IDisposable
{
    /// <summary>Code memory that an engine has unless told otherwise. <b>Units</b>: bytes.</summary>
    public const int DefaultCodeSize = 64 << 20;

    /// <summary>The least code memory of an engine. <b>Units</b>: bytes.</summary>
    public const int LeastCodeSize = 256 << 10;

    /// <summary>What a budget of instructions is in time: an engine of 1000 MIPS.</summary>
    private const long InstructionsPerTick = 1_000_000;

    /// <summary>Writes to a frame's code after which it is interpreted for a while.</summary>
    private const int MaxCodeWrites = 8;

    private readonly VcpuState _state;
    private readonly Interpreter _interpreter;
    private readonly CodeCache _cache;
    private readonly Superblock _superblock;
    private CpuExit _exit;

    /// <summary>The run is over, for the reason in <see cref="_exit"/>.</summary>
    private bool _ended;

    /// <param name="state">The vCPU.</param>
    /// <param name="codeSize">Code memory. <b>Units</b>: bytes, a multiple of 64 KiB, at least <see cref="LeastCodeSize"/>.</param>
    /// <exception cref="InsufficientMemoryException">The host refuses memory for code.</exception>
    public Translator(VcpuState state, int codeSize = DefaultCodeSize)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentOutOfRangeException.ThrowIfLessThan(codeSize, LeastCodeSize);
        _state = state;
        _interpreter = new Interpreter(state);
        _cache = new CodeCache(codeSize);
        Statistics = new EngineStatistics(codeSize, _cache.RegionCount);
        _superblock = new Superblock(state.Memory, state.Code);
        PrepareContext();
        state.Code.Subscribe(state);
        _seenChanges = state.Code.ChangeCount;
        EngineTicker.Instance.Add(state);
    }

    /// <summary>Why it came out of its code.</summary>
    public EngineStatistics Statistics { get; }

    /// <summary>Its code, for tests.</summary>
    internal CodeCache Cache => _cache;

    /// <inheritdoc/>
    public ulong? InstructionsRetired => null;

    /// <inheritdoc/>
    public CpuExit Run(long budget)
    {
        _state.EnterGuest();
        EngineTicker.Instance.Wake();
        UseVariant();
        _ticksLeft = TicksOf(budget);
        while (!_ended)
        {
            if (_state.HasRequests && TakeRequests())
                break;
            if (MustInterpret)
                Interpret();
            else
                Execute();
        }

        _ended = false;
        _state.LeaveGuest();
        return _exit;
    }

    /// <summary>How often the ticker asks in a budget's time. The first time may be at once.</summary>
    private static long TicksOf(long budget) => 1 + Math.Max(1, budget / InstructionsPerTick);

    public void Dispose()
    {
        EngineTicker.Instance.Remove(_state);
        _state.Code.Unsubscribe(_state);
        _faults?.Dispose();
        if (_handle.IsAllocated)
            _handle.Free();
        _cache.Dispose();
    }

    /// <summary>Runs emitted code from rip on, until rip has to be looked at anew or the run has ended.</summary>
    private void Execute()
    {
        nint code = _cache.Memory.AddressOf(_cache.Trampolines.Dispatch);
        while (code != 0)
        {
            int id = RunNative(code);
            if (id >= Trampolines.FirstBlockExit)
            {
                code = Leave(id);
                continue;
            }

            if (id == Trampolines.FaultExit)
            {
                DescribeFault();
                End(new CpuExit(CpuExitReason.HostFault));
                return;
            }

            _state.Registers.Rip = Target;
            code = id == Trampolines.LookupExit && !_state.HasRequests ? LinkIndirect(Target) : 0;
        }
    }

    /// <summary>Does what emitted code has left for. Returns where it goes on, or 0.</summary>
    private nint Leave(int id)
    {
        ref readonly BlockExit exit = ref _cache.Exit(id);
        _state.Registers.Rip = exit.Rip;
        Statistics.Count(in exit);
        switch (exit.Kind)
        {
            case BlockExitKind.Direct:
                return _state.HasRequests ? 0 : LinkDirect(id, exit.Rip);
            case BlockExitKind.SystemCall:
                End(new CpuExit(_state.Mode == GuestMode.Kernel ? CpuExitReason.Hypercall : CpuExitReason.SystemCall));
                return 0;
            case BlockExitKind.Miss or BlockExitKind.GroupMiss when TryFill(Target, exit.Size, exit.Writes):
                return _cache.Memory.AddressOf(exit.Resume);
            case BlockExitKind.GroupMiss:
                return GoCarefully(id, exit.Rip);
            default:
                Interpret();
                return 0;
        }
    }

    private void End(CpuExit exit)
    {
        _exit = exit;
        _ended = true;
    }

    /// <summary>Executes what is at rip by the interpreter, if the run has not ended by a fault. Returns 0: nowhere to go on by itself.</summary>
    private nint InterpretInstead()
    {
        if (!_ended)
            Interpret();
        return 0;
    }

    /// <summary>Executes the block at rip by the interpreter.</summary>
    private void Interpret()
    {
        if (_interpreter.RunBlock(out CpuExit exit))
            End(exit);
    }

    /// <summary>Goes to the block that a direct jump leads to, and lets it go there by itself from now on.</summary>
    private nint LinkDirect(int jump, ulong rip)
    {
        long epoch = Statistics.Evictions;
        int block = Find(rip, BlockVariant.Kernel);
        if (block < 0)
            return InterpretInstead();
        if (Statistics.Evictions == epoch)
            _cache.Link(jump, block);
        return _cache.Memory.AddressOf(_cache.Block(block).Body);
    }

    private nint LinkIndirect(ulong rip)
    {
        Statistics.Lookups++;
        int block = Find(rip, BlockVariant.Kernel);
        if (block < 0)
            return InterpretInstead();
        ref TranslatedBlock found = ref _cache.Block(block);
        _cache.JumpTableOf(found.Variant).Set(rip, _cache.Memory.AddressOf(found.Indirect));
        return _cache.Memory.AddressOf(found.Body);
    }

    /// <summary>Goes on in a block that checks every access by itself.</summary>
    private nint GoCarefully(int jump, ulong rip)
    {
        long epoch = Statistics.Evictions;
        int block = Find(rip, BlockVariant.Careful);
        if (block < 0)
            return InterpretInstead();
        if (Statistics.Evictions == epoch)
            _cache.LinkCareful(jump, block);
        return _cache.Memory.AddressOf(_cache.Block(block).Body);
    }
}
