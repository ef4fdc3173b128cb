using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// What a PV guest is told about itself: rSI points to it at the start of day. All of it is filled at boot; on resume
/// only the fields up to and including <see cref="Console"/>. <b>Source</b>: xen.h, struct start_info.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct StartInfo
{
    /// <summary>"xen-version-platform", NUL-terminated: "xen-3.0-x86_64".</summary>
    public ByteArray32 Magic;

    /// <summary>Pages allocated to the domain. <b>Units</b>: pages.</summary>
    public ulong NrPages;

    /// <summary>Machine address of the shared info page.</summary>
    public ulong SharedInfo;

    public StartInfoFlags Flags;

    /// <summary>Machine frame of the xenstore ring page.</summary>
    public Mfn StoreMfn;

    /// <summary>The guest's port to xenstore.</summary>
    public EvtchnPort StoreEvtchn;

    public StartInfoConsole Console;

    /// <summary>Virtual address of the page directory (the L4 table).</summary>
    public ulong PtBase;

    /// <summary>Bootstrap page-table frames. <b>Units</b>: frames.</summary>
    public ulong NrPtFrames;

    /// <summary>Virtual address of the list of page frames (the p2m).</summary>
    public ulong MfnList;

    /// <summary>Virtual address of the initrd, or its PFN with <see cref="StartInfoFlags.ModStartPfn"/>; 0 if there is none.</summary>
    public ulong ModStart;

    /// <summary><b>Units</b>: bytes.</summary>
    public ulong ModLen;

    /// <summary>The kernel command line, NUL-terminated.</summary>
    public ByteArray1024 CmdLine;

    /// <summary>First PFN of the initial p2m and its tables, when the kernel asked for it elsewhere (XEN_ELFNOTE_INIT_P2M).</summary>
    public Pfn FirstP2mPfn;

    /// <summary><b>Units</b>: frames.</summary>
    public ulong NrP2mFrames;

    /// <summary>Length of <see cref="CmdLine"/> with its NUL. <b>Source</b>: xen.h, MAX_GUEST_CMDLINE.</summary>
    public const int MaxGuestCmdline = 1024;
}

/// <summary>Where the console is: one view for a domU, one for dom0. <b>Source</b>: xen.h, start_info.console.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct StartInfoConsole
{
    /// <summary>Machine frame of the console ring page (domU.mfn).</summary>
    [FieldOffset(0)]
    public Mfn DomUMfn;

    /// <summary>The guest's port to its console (domU.evtchn).</summary>
    [FieldOffset(8)]
    public EvtchnPort DomUEvtchn;

    /// <summary>Offset of the console_info structure from start_info; 0 if there is none (dom0.info_off).</summary>
    [FieldOffset(0)]
    public uint Dom0InfoOff;

    /// <summary>Size of the console_info structure (dom0.info_size).</summary>
    [FieldOffset(4)]
    public uint Dom0InfoSize;
}

/// <summary>Flags in start_info. <b>Source</b>: xen.h, SIF_*.</summary>
[Flags]
public enum StartInfoFlags : uint
{
    None = 0,

    /// <summary>The domain is privileged.</summary>
    Privileged = 1 << 0,

    /// <summary>The domain is the initial control domain.</summary>
    InitDomain = 1 << 1,

    /// <summary>mod_start is a multiboot module.</summary>
    MultibootMod = 1 << 2,

    /// <summary>mod_start is a PFN.</summary>
    ModStartPfn = 1 << 3,

    /// <summary>The tools understand a virtually mapped p2m.</summary>
    VirtP2m4Tools = 1 << 4,

    /// <summary>The byte reserved for xen-pm options.</summary>
    PmMask = 0xff << 8,
}
