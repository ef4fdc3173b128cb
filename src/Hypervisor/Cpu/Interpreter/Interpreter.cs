using System.Runtime.CompilerServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// The reference engine: portable, deterministic, plain. It decodes guest code once into blocks of <see cref="MicroOp"/>s and calls
/// one handler per op. Read <see cref="IOperation"/> next, then Lowering/ (from instructions to ops) and Operations/ (what ops do).
/// </summary>
/// <remarks>
/// Precise faults: an op that can fault changes nothing before it has all its operands and every destination is known to be writable;
/// it then leaves by <c>Fault</c>, which sets rip to its instruction.
/// </remarks>
public sealed partial class Interpreter : ICpuEngine
{
    private readonly VcpuState _state;
    private readonly BlockCache _blocks = new();
    private readonly BlockDecoder _decoder;

    /// <summary>The arithmetic flags while guest code runs; rflags has the others.</summary>
    internal LazyFlags Flags;

    /// <summary>The block that is being executed.</summary>
    private BlockRef _current;

    /// <summary>Instructions left of the budget.</summary>
    private long _remaining;

    private CpuExit _exit;
    private bool _exiting;

    /// <summary>The last block ended before its end.</summary>
    private bool _faulted;

    /// <summary>The next block is to hold one instruction only: a store into its own block, or single step.</summary>
    private bool _single;

    /// <summary>A block that goes over this address is executed instruction by instruction; 0: none does.</summary>
    private ulong _stop;

    private ulong _retired;

    /// <param name="state">The vCPU.</param>
    /// <exception cref="InsufficientMemoryException">The host refuses memory for code that it has given before.</exception>
    public Interpreter(VcpuState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        _state = state;
        Host = CpuFeatures.OfHost == CpuFeatures.Portable ? null : new HostExecutor(state);
        _decoder = new BlockDecoder(Host);
    }

    /// <summary>Who executes what this engine has no code for; null: nobody can.</summary>
    internal HostExecutor? Host { get; }

    /// <inheritdoc/>
    public ulong? InstructionsRetired => _retired;

    /// <summary>The vCPU this engine runs.</summary>
    internal VcpuState State => _state;

    /// <summary>Where every write is noted before it happens, for an engine that compares; it makes writes slow.</summary>
    internal WriteLog? WriteLog { get; init; }

    /// <summary>Copies of the guest's frames that are read and written instead of them, for an engine that compares; flush the TLB when it changes.</summary>
    internal ShadowFrames? Isolation { get; set; }

    /// <summary>Kicks are left to the engine that uses this one.</summary>
    internal bool DefersKicks { get; init; }

    /// <inheritdoc/>
    public CpuExit Run(long budget)
    {
        ref RegisterFile r = ref _state.Registers;
        _remaining = budget;
        _exiting = false;
        Flags.FromBits(r.Rflags);
        _state.EnterGuest();
        UseTlb();
        do
        {
            bool trap = (r.Rflags & RFlag.Trap) != 0;
            _single |= trap;
            if (!TryEnter(ref r))
                break;
            _faulted = false;
            Handler.Loop(this, ref r, ref _current.First);
            if (trap && !_exiting && !_faulted)
                Leave(CpuExit.Exception(Vector.Debug));
        }
        while (!_exiting);
        _state.LeaveGuest();
        r.Rflags = (r.Rflags & ~LazyFlags.All) | Flags.ToBits();
        _retired += (ulong)(budget - _remaining);
        return _exit;
    }

    /// <summary>
    /// Executes the block at rip, for an engine that uses this one for what it does not do itself. The vCPU is in the guest before and after.
    /// </summary>
    /// <returns>Whether the run is over, for the reason in <paramref name="exit"/>.</returns>
    internal bool RunBlock(out CpuExit exit)
    {
        ref RegisterFile r = ref _state.Registers;
        _remaining = 1;
        _mayWriteInto = true;
        _exiting = false;
        Flags.FromBits(r.Rflags);
        UseTlb();
        bool trap = (r.Rflags & RFlag.Trap) != 0;
        _single |= trap;
        if (TryEnter(ref r))
        {
            _faulted = false;
            Handler.Loop(this, ref r, ref _current.First);
            if (_writtenCount != 0)
                NoteWritten();
            if (trap && !_exiting && !_faulted)
                Leave(CpuExit.Exception(Vector.Debug));
        }

        r.Rflags = (r.Rflags & ~LazyFlags.All) | Flags.ToBits();
        _retired += (ulong)(1 - _remaining);
        exit = _exit;
        return _exiting && exit.Reason != CpuExitReason.BudgetSpent;
    }

    /// <summary>As <see cref="RunBlock"/>, for one instruction if the block would go over an address.</summary>
    internal bool RunBlockTo(ulong stop, out CpuExit exit)
    {
        _stop = stop;
        bool over = RunBlock(out exit);
        _stop = 0;
        return over;
    }

    /// <summary>As <see cref="RunBlock"/>, for one instruction.</summary>
    internal bool RunOne(out CpuExit exit)
    {
        _single = true;
        return RunBlock(out exit);
    }

    /// <summary>Translates for a fetch, for another engine. False: it faults.</summary>
    internal bool TryFetch(ulong address, out Mfn frame, out CpuExit fault)
    {
        UseTlb();
        bool ok = TryFetchFrame(address, out frame);
        fault = _exit;
        return ok;
    }

    /// <summary>As <see cref="TryFetch"/>, and says that code of the frame is about to be decoded.</summary>
    internal bool TryFetchForDecoding(ulong address, out Mfn frame, out CpuExit fault)
    {
        UseTlb();
        bool ok = TryMarkCode(address, out frame, out _, out _);
        fault = _exit;
        return ok;
    }

    /// <summary>Ends the run after the current op; registers and rip must be right by then.</summary>
    internal ref MicroOp Leave(CpuExit exit)
    {
        _exit = exit;
        _exiting = true;
        return ref Handler.None;
    }

    /// <summary>Ends the block after the op, with rip behind its instruction; follow with <see cref="Leave"/>.</summary>
    internal void EndBlock(ref RegisterFile r, ref MicroOp op)
    {
        r.Rip = NextRip(ref op);
        _remaining -= op.Ordinal;
    }

    /// <summary>Ends the run with the fault that a memory access has just recorded; rip goes back to the op's instruction.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ref MicroOp Fault(ref RegisterFile r, ref MicroOp op)
    {
        r.Rip = _current.Value.Rip + op.RipOffset;
        _remaining -= op.Ordinal - 1;
        _faulted = true;
        _exiting = !_retry;
        _retry = false;
        return ref Handler.None;
    }

    /// <summary>Ends the run with an exception of the op's instruction.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ref MicroOp Fault(ref RegisterFile r, ref MicroOp op, byte vector, uint errorCode = 0)
    {
        _exit = CpuExit.Exception(vector, errorCode);
        return ref Fault(ref r, ref op);
    }

    /// <summary>Ends the block behind the op's instruction, and goes on there as if a run began.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ref MicroOp StopBehind(ref RegisterFile r, ref MicroOp op)
    {
        EndBlock(ref r, ref op);
        return ref Handler.None;
    }

    /// <summary>Interrupts an instruction that can be continued: rip stays at it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ref MicroOp Interrupt(ref RegisterFile r, ref MicroOp op)
    {
        r.Rip = _current.Value.Rip + op.RipOffset;
        _remaining -= op.Ordinal - 1;
        return ref Handler.None;
    }

    /// <summary>Whether a long instruction may go on. Each time counts as an instruction of the budget.</summary>
    internal bool MayGoOn() => --_remaining > 0 && !_state.HasRequests;

    /// <summary>Address of the instruction behind the op's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong NextRip(ref MicroOp op) => _current.Value.Rip + op.RipOffset + op.Length;

    /// <summary>rflags as the guest would read it now.</summary>
    internal ulong ReadRflags(ref RegisterFile r) => (r.Rflags & ~LazyFlags.All) | Flags.ToBits();

    /// <summary>Changes the bits of rflags that <paramref name="writable"/> names, the arithmetic ones always.</summary>
    internal void WriteRflags(ref RegisterFile r, ulong value, ulong writable)
    {
        r.Rflags = (r.Rflags & ~writable) | (value & writable);
        Flags.FromBits(value);
    }

    /// <summary>Loads a segment register (ES is 0, GS 5). Returns 0, or the vector of the fault, whose error code is the selector.</summary>
    internal byte LoadSegment(ref RegisterFile r, int segment, ushort selector)
    {
        byte vector;
        if (segment == 2)
        {
            vector = Selectors.CheckStack(_state, selector);
        }
        else
        {
            vector = Selectors.CheckData(_state, selector, out ulong segmentBase);
            if (vector == 0 && segment == 4)
                r.FsBase = segmentBase;
            else if (vector == 0 && segment == 5)
                r.GsBase = segmentBase;
        }

        if (vector == 0)
            Operand.At<ushort>(ref r, (ushort)(RegisterOffsets.Es + (segment * 2))) = selector;
        return vector;
    }
}

/// <summary>Exception vectors that engines raise.</summary>
internal static class Vector
{
    public const byte Divide = 0, Debug = 1, Overflow = 4, Bound = 5, InvalidOpcode = 6, DeviceNotAvailable = 7,
        SegmentNotPresent = 11, StackSegment = 12, GeneralProtection = 13, Page = 14, X87 = 16, Alignment = 17, Simd = 19;
}

/// <summary>Bits of rflags that engines look at, besides the arithmetic ones.</summary>
internal static class RFlag
{
    public const ulong Always = 2, Trap = 1 << 8, Interrupt = 1 << 9, Direction = 1 << 10, Nested = 1 << 14, AlignmentCheck = 1 << 18, Id = 1 << 21;

    /// <summary>What POPF and IRET change in ring 3.</summary>
    public const ulong WritableInRing3 = LazyFlags.All | Trap | Direction | Nested | AlignmentCheck | Id;
}
