using Iced.Intel;

namespace Xen.Cpu;

/// <summary>
/// Executes instructions that the interpreter has no code for on the host's own processor, one at a time: with the guest's registers and flags, and a
/// copy of the memory operand, which the interpreter has read or will write by its own means. So what faults, faults there.
/// </summary>
/// <remarks>Bounded: when the code memory is full, all thunks are dropped, and with them the interpreter's blocks. For one thread at a time.</remarks>
#pragma warning disable CA1001 // interpreters are not disposed of: the code memory's handle sees to itself
internal sealed unsafe class HostExecutor
#pragma warning restore CA1001
{
    /// <summary>Code memory. What is not used costs nothing.</summary>
    private const int Size = 1 << 20;

    private const int MaxThunkSize = 1024;

    private readonly CodeMemory _memory = new(Size);
    private readonly ThunkEmitter _emitter;
    private readonly List<HostThunk> _thunks = [];
    private readonly Dictionary<Instruction, int> _numbers = [];
    private readonly VcpuContext* _context;

    /// <param name="state">The vCPU whose registers are used.</param>
    /// <exception cref="InsufficientMemoryException">The host refuses memory for code.</exception>
    public HostExecutor(VcpuState state)
    {
        // SAFETY: the context lives as long as the state, which the interpreter that owns this object keeps.
        _context = state.Context;
        _emitter = new ThunkEmitter(_memory);
    }

    /// <summary>Whether there is room for one more block of the interpreter's; if not, clear first.</summary>
    public bool HasRoom => _emitter.Position + (BlockDecoder.MaxInstructions * MaxThunkSize) <= Size;

    /// <summary>Drops all thunks. None of them may be called afterwards.</summary>
    public void Clear()
    {
        _thunks.Clear();
        _numbers.Clear();
        _emitter.Reset();
    }

    public HostThunk this[ulong number] => _thunks[(int)number];

    /// <summary>The number of the thunk for an instruction.</summary>
    /// <param name="instruction">One that <see cref="InstructionSets.KindOf"/> names.</param>
    /// <param name="kind">What it says.</param>
    public int Add(in Instruction instruction, SiliconKind kind)
    {
        // Instructions are equal when their operands are, wherever they stand; what their memory operand is does not matter here.
        Instruction key = ThunkEmitter.Normalize(in instruction);
        if (_numbers.TryGetValue(key, out int number))
            return number;
        _thunks.Add(_emitter.Emit(in key, kind));
        _numbers.Add(key, _thunks.Count - 1);
        return _thunks.Count - 1;
    }

    /// <summary>What an instruction gets besides registers.</summary>
    public ref SiliconOperands Operands => ref _context->Silicon;

    /// <summary>The memory operand's copy.</summary>
    public ref T Memory<T>()
        where T : unmanaged => ref *(T*)((byte*)_context + ContextOffsets.SiliconMemory); // SAFETY: room for 32 bytes, more than any operand has.

    /// <summary>Executes an instruction. False: it would raise an exception of MXCSR that is not masked; only <see cref="Operands"/> have changed.</summary>
    public bool Run(in HostThunk thunk)
    {
        // SAFETY: the code is whole and of this object; it changes registers of the context and what a call may change, calls nothing, and cannot fault.
        return ((delegate* unmanaged[SuppressGCTransition]<VcpuContext*, int>)thunk.Address)(_context) == 0;
    }
}
