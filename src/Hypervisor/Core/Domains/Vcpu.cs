using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core;

/// <summary>A virtual processor of a domain: its state, its engine, and what the scheduler, the clock and the event channels keep about it.</summary>
public sealed partial class Vcpu
{
    internal Vcpu(Domain domain, VcpuId id, Func<VcpuState, ICpuEngine> createEngine)
    {
        Domain = domain;
        Id = id;
        State = new VcpuState(domain.Machine.Memory, domain.Machine.Code, domain);
        Descriptors = new VcpuDescriptors(this);
        Info = new VcpuInfoPage(
            domain.Machine.Memory, domain.Machine.Code, domain.SharedInfoFrame.Address + ((uint)id.Value * VcpuInfoPage.Size));
        Engine = createEngine(State);
        Trace = new TraceRing(domain.Machine.Clock);
        Credit = new CreditEntry(domain.Credit, this);
        Runstate = new RunstateClock(domain.Machine.Clock.Now);
        PollTimer = new MachineTimer(domain.Machine.Timers, Wake);
        SingleshotTimer = new MachineTimer(domain.Machine.Timers, OnSingleshot);
        PeriodicTimer = new MachineTimer(domain.Machine.Timers, OnPeriodic);
    }

    public Domain Domain { get; }

    public VcpuId Id { get; }

    /// <summary>Registers, roots, TLBs.</summary>
    public VcpuState State { get; }

    /// <summary>What executes its instructions.</summary>
    public ICpuEngine Engine { get; }

    /// <summary>GDT and LDT.</summary>
    public VcpuDescriptors Descriptors { get; }

    /// <summary>What it has done so far.</summary>
    public VcpuCounters Counters { get; } = new();

    /// <summary>What it did last.</summary>
    public TraceRing Trace { get; }

    public override string ToString() => $"{Domain.Id}{Id}";
}
