namespace Xen.Abi;

/// <summary>Exception vectors of the x86 architecture.</summary>
public enum TrapVector : byte
{
    /// <summary>#DE.</summary>
    DivideError = 0,

    /// <summary>#DB.</summary>
    Debug = 1,

    Nmi = 2,

    /// <summary>#BP, int3.</summary>
    Breakpoint = 3,

    /// <summary>#OF.</summary>
    Overflow = 4,

    /// <summary>#BR.</summary>
    BoundRange = 5,

    /// <summary>#UD.</summary>
    InvalidOpcode = 6,

    /// <summary>#NM.</summary>
    DeviceNotAvailable = 7,

    /// <summary>#DF.</summary>
    DoubleFault = 8,

    CoprocessorSegmentOverrun = 9,

    /// <summary>#TS.</summary>
    InvalidTss = 10,

    /// <summary>#NP.</summary>
    SegmentNotPresent = 11,

    /// <summary>#SS.</summary>
    StackFault = 12,

    /// <summary>#GP.</summary>
    GeneralProtection = 13,

    /// <summary>#PF.</summary>
    PageFault = 14,

    Spurious = 15,

    /// <summary>#MF.</summary>
    FloatingPoint = 16,

    /// <summary>#AC.</summary>
    AlignmentCheck = 17,

    /// <summary>#MC.</summary>
    MachineCheck = 18,

    /// <summary>#XM.</summary>
    SimdFloatingPoint = 19,

    /// <summary>#VE.</summary>
    Virtualization = 20,

    /// <summary>#CP.</summary>
    ControlProtection = 21,
}

/// <summary>Facts about exception vectors.</summary>
public static class TrapVectors
{
    /// <summary>Entries of an IDT.</summary>
    public const int Count = 256;

    /// <summary>Whether the processor pushes an error code for this exception.</summary>
    public static bool HasErrorCode(TrapVector vector) =>
        vector is TrapVector.DoubleFault or TrapVector.InvalidTss or TrapVector.SegmentNotPresent or TrapVector.StackFault
            or TrapVector.GeneralProtection or TrapVector.PageFault or TrapVector.AlignmentCheck or TrapVector.ControlProtection;
}

/// <summary>The error code of a page fault (#PF).</summary>
[Flags]
public enum PageFaultErrorCode : uint
{
    None = 0,

    /// <summary>The page is present: a protection violation.</summary>
    Present = 1 << 0,

    Write = 1 << 1,

    /// <summary>The access came from user mode.</summary>
    User = 1 << 2,

    /// <summary>A reserved bit is set in an entry.</summary>
    ReservedBit = 1 << 3,

    InstructionFetch = 1 << 4,

    ProtectionKey = 1 << 5,
}
