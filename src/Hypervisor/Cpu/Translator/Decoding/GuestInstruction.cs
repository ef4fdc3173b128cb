using Iced.Intel;

namespace Xen.Cpu;

/// <summary>How an instruction is translated.</summary>
internal enum InstructionKind : byte
{
    /// <summary>The engine leaves, and the interpreter executes it.</summary>
    Interpret,

    /// <summary>Nothing is to be done.</summary>
    Nothing,

    /// <summary>The same instruction, with other registers and another memory operand.</summary>
    Plain,

    /// <summary>LEA: a memory operand that is not accessed.</summary>
    Address,

    /// <summary>MOV from a segment register to a register of 32 or 64 bits.</summary>
    ReadSegment,

    /// <summary>A bit test whose register moves the address.</summary>
    BitTest,

    /// <summary>DIV and IDIV of 32 and 64 bits, whose faults are looked for before.</summary>
    Divide,
    Push,
    Pop,
    Leave,
    Call,
    CallIndirect,
    Return,
    Jump,
    JumpIndirect,
    ConditionalJump,

    /// <summary>RDTSC.</summary>
    ReadTimeStamp,

    /// <summary>PUSHFQ.</summary>
    PushFlags,

    /// <summary>REP MOVS and REP STOS.</summary>
    RepeatString,

    /// <summary>SYSCALL.</summary>
    SystemCall,
}

/// <summary>One instruction of a superblock: what the decoder knows about it, and what the passes over the block find out.</summary>
internal struct GuestInstruction
{
    public Instruction Code;
    public InstructionKind Kind;

    /// <summary>Arithmetic flags that it reads.</summary>
    public RflagsBits Reads;

    /// <summary>Arithmetic flags that are no longer what they were, whatever its operands.</summary>
    public RflagsBits Kills;

    /// <summary>Arithmetic flags that it changes or may change.</summary>
    public RflagsBits Writes;

    /// <summary>Arithmetic flags that the host's must hold before the instruction: this block, or one on its page, may read them.</summary>
    public RflagsBits Live;

    /// <summary>The flags as they are before the instruction reach the block's end and another page: they have to be saved by then.</summary>
    public bool LeavesFlags;

    /// <summary>For direct jumps and calls: the target is near, see <see cref="Superblock.IsNear"/>.</summary>
    public bool IsNear;

    /// <summary>General registers that it writes, one bit each; valid when <see cref="HasWrittenRegisters"/>.</summary>
    public ushort WrittenRegisters;
    public bool HasWrittenRegisters;

    /// <summary>Its memory operand.</summary>
    public MemoryUse Operand;

    /// <summary>What it does to the stack by itself.</summary>
    public MemoryUse Stack;
}

/// <summary>A memory access of an instruction.</summary>
internal struct MemoryUse
{
    /// <summary>Bytes; 0: there is none.</summary>
    public byte Size;

    /// <summary>What the address must be a multiple of, a power of two. Otherwise the interpreter executes the instruction.</summary>
    public byte Alignment;

    public bool Writes;

    /// <summary>A locked access: never part of a group.</summary>
    public bool IsAtomic;

    /// <summary>The guest register that the address is a constant away from, or -1.</summary>
    public sbyte Base;

    /// <summary>What is added to the base.</summary>
    public int Displacement;

    /// <summary>The access is covered by a group's check.</summary>
    public bool IsGrouped;

    /// <summary>The access begins a group: this is the range that its check covers, from <see cref="Base"/>.</summary>
    public AccessRange Group;

    public readonly bool Exists => Size != 0;
}

/// <summary>A range of bytes that accesses on one base cover together.</summary>
/// <param name="Low">First byte, from the base's value at the group's start.</param>
/// <param name="High">Behind the last byte; equal to <paramref name="Low"/>: no range.</param>
/// <param name="Writes">Whether some of it is written.</param>
/// <param name="IsAligned">Whether <paramref name="Low"/> must be a multiple of 16, because an access of it must.</param>
internal readonly record struct AccessRange(int Low, int High, bool Writes, bool IsAligned)
{
    public bool IsEmpty => Low == High;

    public int Length => High - Low;
}
