using Xen.Abi;

namespace Xen.Cpu;

/// <summary>One block at a time, for <see cref="LockstepEngine"/>: no jump is ever patched, so that every block comes back.</summary>
public sealed partial class Translator
{
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
    internal void BeginChecked(long budget) => _ticksLeft = TicksOf(budget);

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

    /// <summary>Runs the block at rip. The vCPU is in the guest.</summary>
    internal CheckedEnd RunChecked(bool careful)
    {
        int block = MustInterpret ? Nowhere : Find(_state.Registers.Rip, careful ? BlockVariant.Careful : BlockVariant.Kernel);
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
                return CheckedEnd.Next;
            }

            ref readonly BlockExit exit = ref _cache.Exit(id);
            _state.Registers.Rip = exit.Rip;
            switch (exit.Kind)
            {
                case BlockExitKind.Direct:
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
