namespace Xen.Abi;

/// <summary>Commands of vm_assist. <b>Source</b>: xen.h, VMASST_CMD_*.</summary>
public enum VmAssistCommand : uint
{
    Enable = 0,
    Disable = 1,
}

/// <summary>What vm_assist turns on and off; also the bit number in a vCPU's vm_assist map. <b>Source</b>: xen.h, VMASST_TYPE_*.</summary>
public enum VmAssistType : uint
{
    /// <summary>32-bit guests: full 4 GiB segment limits.</summary>
    FourGbSegments = 0,

    /// <summary>32-bit guests: trap when that is used.</summary>
    FourGbSegmentsNotify = 1,

    /// <summary>Writes to page tables are emulated.</summary>
    WritablePagetables = 2,

    /// <summary>PAE guests: page directories above 4 GiB.</summary>
    PaeExtendedCr3 = 3,

    /// <summary>The I/O privilege level is in rflags, as the architecture has it.</summary>
    ArchitecturalIopl = 4,

    /// <summary>XEN_RUNSTATE_UPDATE is set while a runstate area is written.</summary>
    RunstateUpdateFlag = 5,

    /// <summary>The machine-to-physical table is hidden from user mode.</summary>
    M2pStrict = 32,
}
