using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// For <see cref="LockstepEngine"/>: one block at a time, or runs of blocks. A jump is patched only between blocks that have been found right by themselves; until
/// then every block comes back.
/// </summary>
public sealed partial class Translator
{
    /// <summary>How often a block must have been right by itself before it takes part in runs.</summary>
    private const byte EnoughChecks = 2;

    private int _checkedBlock = Nowhere;
    private long _checkedEpoch;

    /// <summary>How a checked block ended.</summary>
    internal enum CheckedEnd
    {
        /// <summary>rip is where to go on.</summary>
        Next,

        /// <summary>As <see cref="Next"/>, and the instruction there is the interpreter's.</summary>
        Interpret,

        /// <summary>Behind a SYSCALL.</summary>
        SystemCall,

        /// <summary>The block's code failed on the host.</summary>
        HostFault,
    }

    /// <summary>Flags that were not kept, when the last block ended for the interpreter.</summary>
    internal ulong DeadFlagsOfExit { get; private set; }

    /// <inheritdoc cref="InstructionClassifier.ReadsTimeStamps"/>
    internal bool ReadsTimeStamps
    {
        init => _superblock.ReadsTimeStamps = value;
    }

    /// <summary>Where it is to write instead of the guest's memory.</summary>
    internal ShadowFrames? Shadows { get; init; }

    /// <summary>Whether the frames that it writes may have other addresses, which the block reads.</summary>
    internal bool MindsAliases { get; set; }

    /// <summary>Begins a run of a budget.</summary>
    internal void BeginChecked(long budget)
    {
        EngineTicker.Instance.Wake();
        _ticksLeft = TicksOf(budget);
    }

    /// <summary>Takes requests and chooses the kind of code; for each block anew. True: the run is over.</summary>
    internal bool PrepareChecked(out CpuExit exit)
    {
        UseVariant();
        _ended = false;
        bool over = _state.HasRequests && TakeRequests();
        exit = _exit;
        return over;
    }

    /// <summary>Flags that the block which ran last need not have kept for code at this address.</summary>
    internal ulong DeadFlagsAt(ulong rip, ulong from) =>
        _interpreter.TryFetch(from, out Mfn frame, out _)
            ? ~FlagBits.Of(_superblock.LiveBetween(from, rip, frame)) & LazyFlags.All : 0;

    /// <summary>Whether the block at rip has been found right as often as is asked for.</summary>
    internal bool IsTrusted()
    {
        if (MustInterpret)
            return false;
        int block = Find(_state.Registers.Rip, BlockVariant.Kernel);
        _ended = false; // a fault is the interpreter's to find
        return block >= 0 && _cache.Block(block).Checks >= EnoughChecks;
    }

    /// <summary>The block that ran last was right.</summary>
    internal void Trust()
    {
        if (_checkedBlock >= 0 && Statistics.Evictions == _checkedEpoch && _cache.Block(_checkedBlock).Checks < EnoughChecks)
            _cache.Block(_checkedBlock).Checks++;
    }

    /// <summary>Runs the block at rip, or from it on as long as blocks are trusted. The vCPU is in the guest.</summary>
    internal CheckedEnd RunChecked(bool chained)
    {
        int block = MustInterpret ? Nowhere : Find(_state.Registers.Rip, BlockVariant.Kernel);
        UseJumpTable(chained ? _cache.JumpTableOf(_variant) : _cache.EmptyJumpTable);
        _checkedBlock = block;
        _checkedEpoch = Statistics.Evictions;
        DeadFlagsOfExit = 0;
        if (block < 0)
            return CheckedEnd.Interpret;
        nint code = _cache.Memory.AddressOf(_cache.Block(block).Body);
        while (true)
        {
            int id = RunNative(code);
            if (id == Trampolines.FaultExit)
            {
                DescribeFault();
                return CheckedEnd.HostFault;
            }

            if (id < Trampolines.FirstBlockExit)
            {
                _state.Registers.Rip = Target;
                if (chained && id == Trampolines.LookupExit && TryFollow(jump: null, out code))
                    continue;
                return CheckedEnd.Next;
            }

            ref readonly BlockExit exit = ref _cache.Exit(id);
            _state.Registers.Rip = exit.Rip;
            switch (exit.Kind)
            {
                case BlockExitKind.Direct:
                    if (chained && TryFollow(id, out code))
                        continue;
                    return CheckedEnd.Next;
                case BlockExitKind.SystemCall:
                    return CheckedEnd.SystemCall;
                case BlockExitKind.Miss or BlockExitKind.GroupMiss when TryFill(Target, exit.Size, exit.Writes):
                    code = _cache.Memory.AddressOf(exit.Resume);
                    continue;
                default:
                    DeadFlagsOfExit = ~FlagBits.Of(exit.Live) & LazyFlags.All;
                    return CheckedEnd.Interpret;
            }
        }
    }

    /// <summary>Goes on to the block at rip, if it is trusted, and lets the jump go there by itself from now on.</summary>
    private bool TryFollow(int? jump, out nint code)
    {
        code = 0;
        if (_state.HasRequests || MustInterpret)
            return false;
        ulong rip = _state.Registers.Rip;
        long epoch = Statistics.Evictions;
        int block = Find(rip, BlockVariant.Kernel);
        _ended = false;
        if (block < 0 || _cache.Block(block).Checks < EnoughChecks || Statistics.Evictions != epoch)
            return false;
        ref TranslatedBlock found = ref _cache.Block(block);
        if (jump is { } id)
            _cache.Link(id, block);
        else
            _cache.JumpTableOf(found.Variant).Set(rip, _cache.Memory.AddressOf(found.Indirect));
        code = _cache.Memory.AddressOf(found.Body);
        return true;
    }

    /// <summary>The copy of a frame, if there is one or is to be one. False: there is no room for it.</summary>
    private bool TryMapShadow(SoftTlb tlb, Mfn frame, bool write, ref nint host)
    {
        nint original = host;
        if (!Shadows!.TryMap(frame, write, ref host, out bool isNew))
            return false;
        if (isNew && MindsAliases)
            tlb.DropPage(original);
        return true;
    }
}
