using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// One request of mmu_update. <b>Source</b>: xen.h, struct mmu_update.
/// <code>
///  ptr  63                                                    2 1   0
///      +-------------------------------------------------------+-----+
///      | machine address of the entry, 8-byte aligned          | cmd |
///      +-------------------------------------------------------+-----+
/// </code>
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct MmuUpdate
{
    /// <summary>Machine address of the page-table entry (or of the frame, for MACHPHYS), with the command in its low bits.</summary>
    public ulong Ptr;

    /// <summary>New contents of the entry; for MACHPHYS the new PFN.</summary>
    public ulong Val;

    /// <summary>The low bits of <see cref="Ptr"/> that hold the command.</summary>
    public const ulong CommandMask = 3;

    /// <summary>What is asked for; every value is a defined one.</summary>
    public readonly MmuUpdateCommand Command => (MmuUpdateCommand)(Ptr & CommandMask);

    /// <summary>The machine address without the command.</summary>
    public readonly ulong Address => Ptr & ~CommandMask;
}

/// <summary>The command in the low bits of <see cref="MmuUpdate.Ptr"/>. <b>Source</b>: xen.h, MMU_*.</summary>
public enum MmuUpdateCommand
{
    /// <summary>Checked <c>*ptr = val</c> (MMU_NORMAL_PT_UPDATE).</summary>
    NormalPtUpdate = 0,

    /// <summary>Sets the machine-to-physical entry of a frame (MMU_MACHPHYS_UPDATE).</summary>
    MachphysUpdate = 1,

    /// <summary>Atomically <c>*ptr = val | (*ptr &amp; (A | D))</c> (MMU_PT_UPDATE_PRESERVE_AD).</summary>
    PtUpdatePreserveAd = 2,

    /// <summary>As the normal update; val is never translated (MMU_PT_UPDATE_NO_TRANSLATE).</summary>
    PtUpdateNoTranslate = 3,
}

/// <summary>One operation of mmuext_op. What the arguments mean depends on the command. <b>Source</b>: xen.h, struct mmuext_op.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MmuextOp
{
    public MmuextCommand Cmd;

    /// <summary>The union arg1: a frame or a linear address.</summary>
    public ulong Arg1;

    /// <summary>The union arg2: a count, the address of a vCPU bitmap, or a frame.</summary>
    public ulong Arg2;

    /// <summary>arg1.mfn: PIN and UNPIN, NEW_BASEPTR, NEW_USER_BASEPTR, CLEAR_PAGE, COPY_PAGE, MARK_SUPER, UNMARK_SUPER.</summary>
    public readonly Gfn Mfn => new(Arg1);

    /// <summary>arg1.linear_addr: INVLPG_*, SET_LDT.</summary>
    public readonly ulong LinearAddr => Arg1;

    /// <summary>arg2.nr_ents: SET_LDT.</summary>
    public readonly uint NrEnts => (uint)Arg2;

    /// <summary>arg2.vcpumask, a guest virtual address: TLB_FLUSH_MULTI, INVLPG_MULTI.</summary>
    public readonly ulong Vcpumask => Arg2;

    /// <summary>arg2.src_mfn: COPY_PAGE.</summary>
    public readonly Gfn SrcMfn => new(Arg2);
}

/// <summary>Commands of mmuext_op. <b>Source</b>: xen.h, MMUEXT_*.</summary>
public enum MmuextCommand : uint
{
    PinL1Table = 0,
    PinL2Table = 1,
    PinL3Table = 2,
    PinL4Table = 3,
    UnpinTable = 4,
    NewBaseptr = 5,
    TlbFlushLocal = 6,
    InvlpgLocal = 7,
    TlbFlushMulti = 8,
    InvlpgMulti = 9,
    TlbFlushAll = 10,
    InvlpgAll = 11,
    FlushCache = 12,
    SetLdt = 13,
    NewUserBaseptr = 15,
    ClearPage = 16,
    CopyPage = 17,
    FlushCacheGlobal = 18,
    MarkSuper = 19,
    UnmarkSuper = 20,
}

/// <summary>
/// What update_va_mapping flushes. With neither <see cref="All"/> nor a bitmap address in the higher bits only the
/// calling vCPU is flushed (UVMF_LOCAL). <b>Source</b>: xen.h, UVMF_*.
/// <code>
///   63                                   3   2   1 0
///  +--------------------------------------+-----+-----+
///  | address of a vCPU bitmap, or 0       | all | type|
///  +--------------------------------------+-----+-----+
/// </code>
/// </summary>
[Flags]
public enum UpdateVaMappingFlags : ulong
{
    /// <summary>No flush (UVMF_NONE, UVMF_MULTI, UVMF_LOCAL).</summary>
    None = 0,

    /// <summary>The whole TLB (UVMF_TLB_FLUSH).</summary>
    TlbFlush = 1,

    /// <summary>One entry (UVMF_INVLPG).</summary>
    Invlpg = 2,

    /// <summary>UVMF_FLUSHTYPE_MASK.</summary>
    FlushTypeMask = 3,

    /// <summary>On the calling vCPU, or on those of the bitmap whose address is in the higher bits (UVMF_MULTI).</summary>
    Local = None,

    /// <summary>On all vCPUs (UVMF_ALL).</summary>
    All = 1 << 2,
}
