using Xen.Cpu;

namespace Xen.Core;

/// <summary>What one vCPU has done so far. Plain fields, written by the thread that runs the vCPU; read by anybody, slightly late.</summary>
public sealed class VcpuCounters
{
    /// <summary>Hypercall numbers counted one by one; larger ones count as <see cref="UnknownHypercalls"/>.</summary>
    public const int HypercallNumbers = 64;

    private readonly long[] _hypercalls = new long[HypercallNumbers];
    private readonly long[] _exits = new long[(int)CpuExitReason.HostFault + 1];
    private readonly long[] _faults = new long[256];
    private readonly long[] _emulated = new long[(int)EmulatedInstruction.Other + 1];

    /// <summary>Hypercalls by number, implemented or not.</summary>
    public ReadOnlySpan<long> Hypercalls => _hypercalls;

    /// <summary>Exits of the engine, by <see cref="CpuExitReason"/>.</summary>
    public ReadOnlySpan<long> Exits => _exits;

    /// <summary>Exceptions and software interrupts of the guest, by vector.</summary>
    public ReadOnlySpan<long> Faults => _faults;

    /// <summary>Privileged instructions done on the guest's behalf, by <see cref="EmulatedInstruction"/>.</summary>
    public ReadOnlySpan<long> Emulated => _emulated;

    /// <summary>Hypercalls answered with -ENOSYS.</summary>
    public long UnknownHypercalls { get; private set; }

    /// <summary>Writes to page-table entries, by hypercall or emulated.</summary>
    public long PageTableWrites { get; set; }

    /// <summary>Events sent by this vCPU.</summary>
    public long EventsSent { get; set; }

    /// <summary>Upcalls that this vCPU was given.</summary>
    public long Upcalls { get; set; }

    /// <summary>Times this vCPU was put on a processor.</summary>
    public long Schedules { get; set; }

    /// <summary>Counts a hypercall; any number is fine.</summary>
    public void CountHypercall(ulong number)
    {
        if (number < HypercallNumbers)
            _hypercalls[number]++;
    }

    /// <summary>Counts a hypercall that nobody implements.</summary>
    public void CountUnknownHypercall() => UnknownHypercalls++;

    public void CountExit(in CpuExit exit)
    {
        _exits[(int)exit.Reason]++;
        if (exit.Reason is CpuExitReason.Exception or CpuExitReason.SoftwareInterrupt)
            _faults[exit.Vector]++;
    }

    public void CountEmulated(EmulatedInstruction kind) => _emulated[(int)kind]++;

    /// <summary>Adds another vCPU's counters to these: a domain's sum.</summary>
    public void Add(VcpuCounters other)
    {
        AddEach(_hypercalls, other._hypercalls);
        AddEach(_exits, other._exits);
        AddEach(_faults, other._faults);
        AddEach(_emulated, other._emulated);
        UnknownHypercalls += other.UnknownHypercalls;
        PageTableWrites += other.PageTableWrites;
        EventsSent += other.EventsSent;
        Upcalls += other.Upcalls;
        Schedules += other.Schedules;
    }

    private static void AddEach(long[] sum, long[] values)
    {
        for (int i = 0; i < sum.Length; i++)
            sum[i] += values[i];
    }
}

/// <summary>Kinds of privileged instructions that the hypervisor does for a PV kernel.</summary>
public enum EmulatedInstruction
{
    Cpuid,
    ReadMsr,
    WriteMsr,
    ReadControlRegister,
    WriteControlRegister,
    ReadDebugRegister,
    WriteDebugRegister,
    PortIn,
    PortOut,
    Cli,
    Sti,
    Hlt,
    Clts,
    Invlpg,
    Wbinvd,
    Rdpmc,
    Xsetbv,
    PageTableWrite,
    Other,
}
