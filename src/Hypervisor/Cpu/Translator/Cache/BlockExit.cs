using Iced.Intel;

namespace Xen.Cpu;

/// <summary>Why emitted code leaves a block.</summary>
internal enum BlockExitKind : byte
{
    /// <summary>To a known guest address. The jump can be patched to go to that block.</summary>
    Direct,

    /// <summary>The interpreter is to execute the instruction.</summary>
    Interpret,

    /// <summary>SYSCALL; the address is behind it.</summary>
    SystemCall,

    /// <summary>The TLB does not let an access pass.</summary>
    Miss,

    /// <summary>The TLB does not let a group of accesses pass together.</summary>
    GroupMiss,
}

/// <summary>What the scratch registers hold when an access has missed.</summary>
internal enum MissForm : byte
{
    /// <summary>The first has the address.</summary>
    Address,

    /// <summary>The first has the address plus the bias of the TLB entry that the second has the offset of.</summary>
    Biased,

    /// <summary>As <see cref="Biased"/>, but the offset is a quarter of what it should be.</summary>
    BiasedByQuarters,
}

/// <summary>A place where emitted code leaves its block. Its number is in the context when it has done so.</summary>
internal struct BlockExit
{
    /// <summary>The guest address to go on at.</summary>
    public ulong Rip;

    /// <summary>The block's number.</summary>
    public int Block;

    /// <summary>For patching: the jump's displacement; for a group's miss, where a jump can be written.</summary>
    public int Site;

    /// <summary>For what missed, where the check begins that a filled TLB is to be put to again. For a direct jump, where it goes while it is not linked.</summary>
    public int Resume;

    /// <summary>The block that it was made to go to, or -1. The other jumps to that block are its neighbours in a list.</summary>
    public int Target;
    public int NextIncoming;
    public int PreviousIncoming;

    private ushort _code;

    /// <summary>Length of the missed access. <b>Units</b>: bytes.</summary>
    public ushort Size;

    private byte _live;

    public BlockExitKind Kind;

    /// <summary>Where the missed address is.</summary>
    public MissForm Form;

    /// <summary>Whether a missed access writes.</summary>
    public bool Writes;

    /// <summary>The guest's flags are saved: the exit goes to code that wants them so.</summary>
    public bool FlagsAreSaved;

    /// <summary>For misses and the interpreter's instructions: the arithmetic flags that hold what they should.</summary>
    public RflagsBits Live
    {
        readonly get => (RflagsBits)_live;
        set => _live = (byte)value;
    }

    /// <summary>The instruction, for statistics.</summary>
    public Code Code
    {
        readonly get => (Code)_code;
        set => _code = (ushort)value;
    }
}
