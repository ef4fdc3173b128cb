namespace Xen.Abi;

/// <summary>Bits of CR0, as the x86 architecture defines them.</summary>
[Flags]
public enum Cr0Flags : ulong
{
    None = 0,

    /// <summary>PE.</summary>
    ProtectedMode = 1 << 0,

    /// <summary>MP.</summary>
    MonitorCoprocessor = 1 << 1,

    /// <summary>EM.</summary>
    Emulation = 1 << 2,

    /// <summary>TS: the next FPU instruction raises #NM.</summary>
    TaskSwitched = 1 << 3,

    /// <summary>ET.</summary>
    ExtensionType = 1 << 4,

    /// <summary>NE.</summary>
    NumericError = 1 << 5,

    /// <summary>WP: the kernel obeys read-only pages.</summary>
    WriteProtect = 1 << 16,

    /// <summary>AM.</summary>
    AlignmentMask = 1 << 18,

    /// <summary>NW.</summary>
    NotWriteThrough = 1 << 29,

    /// <summary>CD.</summary>
    CacheDisable = 1 << 30,

    /// <summary>PG.</summary>
    Paging = 1UL << 31,
}

/// <summary>Bits of CR4, as the x86 architecture defines them.</summary>
[Flags]
public enum Cr4Flags : ulong
{
    None = 0,

    /// <summary>VME.</summary>
    Virtual8086 = 1 << 0,

    /// <summary>PVI.</summary>
    VirtualInterrupts = 1 << 1,

    /// <summary>TSD: rdtsc needs ring 0.</summary>
    TimeStampDisable = 1 << 2,

    /// <summary>DE.</summary>
    DebuggingExtensions = 1 << 3,

    /// <summary>PSE.</summary>
    PageSizeExtensions = 1 << 4,

    /// <summary>PAE.</summary>
    PhysicalAddressExtension = 1 << 5,

    /// <summary>MCE.</summary>
    MachineCheck = 1 << 6,

    /// <summary>PGE.</summary>
    GlobalPages = 1 << 7,

    /// <summary>PCE.</summary>
    PerformanceCounters = 1 << 8,

    /// <summary>OSFXSR.</summary>
    Fxsave = 1 << 9,

    /// <summary>OSXMMEXCPT.</summary>
    SimdExceptions = 1 << 10,

    /// <summary>UMIP.</summary>
    UserModeInstructionPrevention = 1 << 11,

    /// <summary>FSGSBASE.</summary>
    FsGsBase = 1 << 16,

    /// <summary>PCIDE.</summary>
    ProcessContextIds = 1 << 17,

    /// <summary>OSXSAVE.</summary>
    Xsave = 1 << 18,

    /// <summary>SMEP.</summary>
    SupervisorExecutionPrevention = 1 << 20,

    /// <summary>SMAP.</summary>
    SupervisorAccessPrevention = 1 << 21,

    /// <summary>PKE.</summary>
    ProtectionKeys = 1 << 22,
}

/// <summary>Bits of the EFER register.</summary>
[Flags]
public enum EferFlags : ulong
{
    None = 0,

    /// <summary>SCE: SYSCALL works.</summary>
    SystemCall = 1 << 0,

    /// <summary>LME.</summary>
    LongModeEnable = 1 << 8,

    /// <summary>LMA.</summary>
    LongModeActive = 1 << 10,

    /// <summary>NXE: page-table entries may have NX.</summary>
    NoExecuteEnable = 1 << 11,
}

/// <summary>Numbers of model-specific registers that PV kernels touch.</summary>
public enum Msr : uint
{
    TimeStampCounter = 0x10,
    ApicBase = 0x1b,

    /// <summary>Microcode revision.</summary>
    PatchLevel = 0x8b,
    SysenterCs = 0x174,
    SysenterEsp = 0x175,
    SysenterEip = 0x176,
    McgCap = 0x179,
    McgStatus = 0x17a,
    McgCtl = 0x17b,
    MiscEnable = 0x1a0,
    Pat = 0x277,

    /// <summary>First machine check register; four for each bank.</summary>
    Mc0Ctl = 0x400,
    Efer = 0xc0000080,
    Star = 0xc0000081,
    Lstar = 0xc0000082,
    Cstar = 0xc0000083,
    SyscallMask = 0xc0000084,
    FsBase = 0xc0000100,
    GsBase = 0xc0000101,
    KernelGsBase = 0xc0000102,
    TscAux = 0xc0000103,
}
