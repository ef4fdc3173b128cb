namespace Xen.Cpu;

/// <summary>Code that executes one instruction with the guest's registers, and what has to be done around it.</summary>
internal readonly record struct HostThunk
{
    /// <summary>Where the code is.</summary>
    public nint Address { get; init; }

    /// <summary>Bytes of its memory operand; 0: it has none.</summary>
    public int Size { get; init; }

    /// <summary>What the operand's address must be a multiple of, or else #GP(0).</summary>
    public int Alignment { get; init; }

    /// <summary>The memory operand is written; otherwise it is read.</summary>
    public bool Stores { get; init; }

    /// <summary>Flags are read or changed.</summary>
    public bool UsesFlags { get; init; }

    /// <summary>MXCSR is read or changed.</summary>
    public bool UsesMxcsr { get; init; }

    /// <summary>Registers of 256 bits are written.</summary>
    public bool WritesUpperHalves { get; init; }
}
