using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>
/// General registers of a vCPU, in the order of Xen's own stack frame. <b>Source</b>: arch-x86/xen-x86_64.h, struct cpu_user_regs.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct CpuUserRegs
{
    public ulong R15;
    public ulong R14;
    public ulong R13;
    public ulong R12;
    public ulong Rbp;
    public ulong Rbx;
    public ulong R11;
    public ulong R10;
    public ulong R9;
    public ulong R8;
    public ulong Rax;
    public ulong Rcx;
    public ulong Rdx;
    public ulong Rsi;
    public ulong Rdi;

    /// <summary>Private to Xen.</summary>
    public uint ErrorCode;

    /// <summary>Private to Xen.</summary>
    public uint EntryVector;

    public ulong Rip;
    public ushort Cs;
    public ushort Pad0;

    /// <summary>The event mask before the entry; rflags.IF is its inverse.</summary>
    public byte SavedUpcallMask;

    public byte Pad1a;
    public ushort Pad1b;
    public ulong Rflags;
    public ulong Rsp;
    public ushort Ss;
    public ushort Pad2a;
    public uint Pad2b;
    public ushort Es;
    public ushort Pad3a;
    public uint Pad3b;
    public ushort Ds;
    public ushort Pad4a;
    public uint Pad4b;
    public ushort Fs;
    public ushort Pad5a;
    public uint Pad5b;
    public ushort Gs;
    public ushort Pad6a;
    public uint Pad6b;
}

/// <summary>
/// The whole state of a vCPU, as a guest passes it to VCPUOP_initialise and the toolstack to setvcpucontext.
/// <b>Source</b>: arch-x86/xen.h, struct vcpu_guest_context.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuGuestContext
{
    /// <summary>The FXSAVE image, valid with <see cref="VcpuGuestContextFlags.I387Valid"/>.</summary>
    public ByteArray512 FpuCtxt;

    public VcpuGuestContextFlags Flags;
    public CpuUserRegs UserRegs;

    /// <summary>The virtual IDT, indexed by vector.</summary>
    public TrapInfoArray256 TrapCtxt;

    /// <summary>Linear address of the LDT.</summary>
    public ulong LdtBase;

    /// <summary>Entries of the LDT.</summary>
    public ulong LdtEnts;

    /// <summary>Machine frames of the GDT.</summary>
    public UInt64Array16 GdtFrames;

    /// <summary>Entries of the GDT.</summary>
    public ulong GdtEnts;

    public ulong KernelSs;

    /// <summary>The stack for entries from user to kernel mode.</summary>
    public ulong KernelSp;

    /// <summary>CR0 to CR7; CR3 is the kernel's page-table root and [1] the user's.</summary>
    public UInt64Array8 Ctrlreg;

    public UInt64Array8 Debugreg;
    public ulong EventCallbackEip;
    public ulong FailsafeCallbackEip;
    public ulong SyscallCallbackEip;

    /// <summary>Bitmap of <see cref="VmAssistType"/>.</summary>
    public ulong VmAssist;

    public ulong FsBase;
    public ulong GsBaseKernel;
    public ulong GsBaseUser;
}

/// <summary><b>Source</b>: arch-x86/xen.h and xen-x86_64.h, VGCF_*.</summary>
[Flags]
public enum VcpuGuestContextFlags : ulong
{
    None = 0,

    /// <summary>fpu_ctxt is valid.</summary>
    I387Valid = 1 << 0,

    /// <summary>The vCPU starts in guest kernel mode.</summary>
    InKernel = 1 << 2,

    FailsafeDisablesEvents = 1 << 3,
    SyscallDisablesEvents = 1 << 4,

    /// <summary>The vCPU shall be up.</summary>
    Online = 1 << 5,

    /// <summary>In an iret frame: return as SYSRET does.</summary>
    InSyscall = 1 << 8,
}
