namespace Xen.Core;

public sealed partial class Vcpu
{
    private int _nmiPending;

    /// <summary>Trap table, callbacks, kernel stack, privileged registers.</summary>
    public VcpuTraps Traps { get; } = new();

    /// <summary>A non-maskable interrupt waits to be delivered.</summary>
    internal bool IsNmiPending => Volatile.Read(ref _nmiPending) != 0;

    /// <summary>The guest is in its handler of a non-maskable interrupt: until its next iret it gets no other. Only on the thread that runs it.</summary>
    internal bool IsNmiMasked { get; set; }

    /// <summary>Sends it a non-maskable interrupt (XEN_DOMCTL_sendtrigger, VCPUOP_send_nmi); one that waits already is enough. Any thread.</summary>
    public void SendNmi()
    {
        if (Interlocked.Exchange(ref _nmiPending, 1) == 0)
            Wake();
    }

    /// <summary>Takes the waiting one, if the guest can have it now. On the thread that runs the vCPU.</summary>
    internal bool TryTakeNmi() => IsNmiPending && !IsNmiMasked && Interlocked.Exchange(ref _nmiPending, 0) != 0;
}
