using Xen.Abi;

namespace Xen.Cpu;

/// <summary>What a block was translated for, besides its address: code for one kind is never entered in another.</summary>
[Flags]
internal enum BlockVariant : byte
{
    Kernel = 0,

    /// <summary>User mode: its own TLB.</summary>
    User = 1,

    /// <summary>CR0.TS is set: SSE instructions fault.</summary>
    TaskSwitched = 2,

    /// <summary>The AVX state is enabled: without it its instructions are undefined.</summary>
    Extended = 4,

    /// <summary>What the vCPU's state decides. The rest is chosen by the engine.</summary>
    StateMask = User | TaskSwitched | Extended,

    /// <summary>Every access has its own check.</summary>
    Careful = 8,
}

/// <summary>
/// A translated block. It has five entries:
/// <code>
/// Indirect   is the target really this block's address? then as Far                (from the jump table)
/// Far        is the page still mapped to the same frame? does a request wait?      (from another page)
/// Backward   does a request wait?                                                  (from behind on the same page, so that no loop goes without)
/// Body                                                                             (from before on the same page)
/// Saved                                                                            (from the middle of a block for the same address)
/// </code>
/// Far, Indirect and Saved find the guest's flags where <see cref="FlagSaving"/> puts them; the other two find them in the host's.
/// </summary>
internal struct TranslatedBlock
{
    public ulong Rip;
    public Mfn Frame;
    public BlockVariant Variant;

    /// <summary>The lines of the frame that the translation depends on.</summary>
    public ulong Lines;

    /// <summary>Where to go when there is no block any more, with flags saved, and with flags in the host's.</summary>
    public int Gone;
    public int GoneKeepingFlags;

    /// <summary>The frame that its only instruction continues in, or invalid.</summary>
    public Mfn Tail;

    /// <summary>Its code was written: nobody enters it any more.</summary>
    public bool IsDead;

    public int Indirect;
    public int Far;
    public int Backward;
    public int Body;
    public int Saved;

    /// <summary>The next block in its bucket, or -1.</summary>
    public int NextInBucket;

    /// <summary>It is in no list of its frame.</summary>
    public const int Unlisted = -2;

    /// <summary>The next block of its frame and the one before, or -1; or <see cref="Unlisted"/>.</summary>
    public int NextInFrame;
    public int PreviousInFrame;

    /// <summary>The next block of its tail's frame, or -1.</summary>
    public int NextInTail;

    /// <summary>How often <see cref="LockstepEngine"/> has found it to be right by itself.</summary>
    public byte Checks;

    /// <summary>The first exit that was made to go to it, or -1.</summary>
    public int FirstIncoming;

    public readonly bool CrossesPage => Tail != Mfn.Invalid;
}
