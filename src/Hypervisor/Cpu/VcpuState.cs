using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu;

/// <summary>
/// A vCPU's architectural state and its translations, whichever engine executes it. vCPUs are data: any host thread may run one, one at a time.
/// </summary>
/// <remarks>
/// Threads: registers and TLBs belong to the thread that runs the vCPU (or, while it does not run, to who holds its scheduler lock).
/// <see cref="Kick"/> and <see cref="RequestTlbFlush"/> may be called from anywhere.
/// <para>
/// The flush protocol. A flush of another vCPU's TLB must be complete before its caller goes on. The caller sets the request (full barrier), then
/// waits while the target is in the guest and has not taken the request. The target marks itself in the guest (full barrier) before it
/// looks at requests for the last time, so one of the two always sees the other. Between leaving and entering, the vCPU uses no cached translation.
/// </para>
/// </remarks>
public sealed partial class VcpuState
{
    private const int RequestKick = 1;
    private const int RequestFlush = 2;

    /// <summary>For engines: code was written that they may have translated.</summary>
    internal const int RequestCode = 4;

    /// <summary>For engines: time has passed.</summary>
    internal const int RequestTick = 8;

    private bool _inGuest;

    public MachineMemory Memory { get; }

    /// <summary>Which frames hold decoded code.</summary>
    public CodeMap Code { get; }

    public IGuestEnvironment Environment { get; }

    /// <summary>Kernel or user. Changed by <see cref="SwitchMode"/> only.</summary>
    public GuestMode Mode { get; private set; }

    /// <summary>Root page table (L4) of kernel mode. Writers flush afterwards.</summary>
    public Mfn KernelRoot { get; set; } = Mfn.Invalid;

    /// <summary>Root page table (L4) of user mode; invalid when the guest has none. Writers flush afterwards.</summary>
    public Mfn UserRoot { get; set; } = Mfn.Invalid;

    /// <summary>The base of GS that the other mode has: exchanged by <see cref="SwitchMode"/>.</summary>
    public ulong InactiveGsBase { get; set; }

    /// <summary>CR0.TS as the guest sees it: x87 and SSE instructions fault with #NM.</summary>
    public bool TaskSwitched { get; set; }

    /// <summary>The last <see cref="CpuExitReason.HostFault"/>, if there was one.</summary>
    public HostFault? HostFault { get; internal set; }

    public SoftTlb KernelTlb { get; }

    public SoftTlb UserTlb { get; }

    /// <summary>The TLB of the current mode.</summary>
    public SoftTlb Tlb => Mode == GuestMode.Kernel ? KernelTlb : UserTlb;

    /// <summary>The root page table of the current mode.</summary>
    public Mfn Root => Mode == GuestMode.Kernel ? KernelRoot : UserRoot;

    /// <summary>Whether <see cref="Kick"/> or a flush request waits.</summary>
    public bool HasRequests => Volatile.Read(ref Requests) != 0;

    /// <summary>Changes between kernel and user mode: the other root, the other TLB, the other GS base.</summary>
    public void SwitchMode(GuestMode mode)
    {
        if (mode == Mode)
            return;
        Mode = mode;
        (Registers.GsBase, InactiveGsBase) = (InactiveGsBase, Registers.GsBase);
    }

    /// <summary>Makes a running engine return with <see cref="CpuExitReason.Request"/> soon; remembered when the vCPU does not run.</summary>
    public void Kick() => Interlocked.Or(ref Requests, RequestKick);

    /// <summary>Takes a kick back, if there was one.</summary>
    public bool TakeKick() => (Interlocked.And(ref Requests, ~RequestKick) & RequestKick) != 0;

    /// <summary>Says that decoded code was written somewhere.</summary>
    internal void RequestCodeCheck() => Interlocked.Or(ref Requests, RequestCode);

    /// <summary>Asks a vCPU that is in its guest to look at the time. Returns whether it is.</summary>
    internal bool RequestTickIfRunning()
    {
        bool running = Volatile.Read(ref _inGuest);
        if (running)
            Interlocked.Or(ref Requests, RequestTick);
        return running;
    }

    /// <summary>Takes the requests that are for the engine.</summary>
    internal int TakeEngineRequests() => Interlocked.And(ref Requests, ~(RequestCode | RequestTick)) & (RequestCode | RequestTick);

    /// <summary>Drops all cached translations of this vCPU. Only on the thread that owns it.</summary>
    public void FlushTlb()
    {
        KernelTlb.Flush();
        UserTlb.Flush();
    }

    /// <summary>Drops the cached translation of one page in both modes. Only on the thread that owns the vCPU.</summary>
    public void FlushPage(ulong linearAddress)
    {
        KernelTlb.FlushPage(linearAddress);
        UserTlb.FlushPage(linearAddress);
    }

    /// <summary>Asks this vCPU, which another thread may be running, to flush. Follow with <see cref="WaitForFlush"/>.</summary>
    public void RequestTlbFlush() => Interlocked.Or(ref Requests, RequestFlush);

    /// <summary>Waits until a flush that was requested before has happened or cannot be missed any more. The caller must not be in its guest.</summary>
    public void WaitForFlush()
    {
        SpinWait spin = default;
        while (Volatile.Read(ref _inGuest) && (Volatile.Read(ref Requests) & RequestFlush) != 0)
            spin.SpinOnce(-1);
    }

    /// <summary>Marks the start of guest execution, or of any use of cached translations, and takes pending flush requests.</summary>
    public void EnterGuest()
    {
        Volatile.Write(ref _inGuest, true);
        Interlocked.MemoryBarrier();
        TakeFlush();
    }

    /// <summary>Whether the vCPU is between <see cref="EnterGuest"/> and <see cref="LeaveGuest"/>. Only on the thread that owns it.</summary>
    public bool IsInGuest => _inGuest;

    /// <summary>Marks the end of guest execution.</summary>
    public void LeaveGuest() => Volatile.Write(ref _inGuest, false);

    /// <summary>Takes a pending flush request while in the guest. Engines call it when <see cref="HasRequests"/>; returns whether a kick waits too.</summary>
    public bool TakeFlush()
    {
        int requests = Volatile.Read(ref Requests);
        if ((requests & RequestFlush) != 0)
        {
            FlushTlb();
            requests = Interlocked.And(ref Requests, ~RequestFlush);
        }

        return (requests & RequestKick) != 0;
    }
}
