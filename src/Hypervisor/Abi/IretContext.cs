using System.Runtime.InteropServices;

namespace Xen.Abi;

/// <summary>What HYPERVISOR_iret finds at rsp. <b>Source</b>: arch-x86/xen-x86_64.h, struct iret_context.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IretContext
{
    public ulong Rax;
    public ulong R11;
    public ulong Rcx;

    /// <summary><see cref="VcpuGuestContextFlags.InSyscall"/>: rcx and r11 need not be restored (SYSRET semantics).</summary>
    public ulong Flags;

    public ulong Rip;
    public ulong Cs;
    public ulong Rflags;
    public ulong Rsp;
    public ulong Ss;
}
