using Xen.Cpu;

namespace Xen.Core;

/// <summary>The vCPU on a physical CPU.</summary>
/// <remarks>Threads: the physical CPU's.</remarks>
public sealed partial class Vcpu
{
    /// <summary>How long the engine is to run between two looks at the clock. <b>Units</b>: ns.</summary>
    private const ulong BudgetTime = 1_000_000;

    /// <summary>Exits of a busy guest between two looks at the clock, which costs as much as a short hypercall.</summary>
    private const uint ExitsPerLook = 16;

    private const long MinBudget = 10_000;
    private const long MaxBudget = 20_000_000;

    /// <summary>About how many instructions the engine executes in <see cref="BudgetTime"/>.</summary>
    private long _budget = 200_000;

    /// <summary>Runs the guest until its slice is over or something stands against its running.</summary>
    internal void Run(PhysicalCpu cpu, in SchedulingDecision decision)
    {
        try
        {
            Enter(cpu, decision);
            RunSlice(decision);
        }
#pragma warning disable CA1031 // the last line of defence: whatever went wrong here, the neighbours go on
        catch (Exception fault)
#pragma warning restore CA1031
        {
            State.LeaveGuest();
            Machine machine = Domain.Machine;
            machine.Log.Write($"internal error while {this} ran: {fault.GetType().Name}");
            foreach (string line in fault.Message.Split('\n'))
                machine.Log.Write(line);
            foreach (string line in (fault.StackTrace ?? "").Split('\n').Take(12))
                machine.Log.Write(line.TrimEnd());
            Domain.Crash(fault is EngineDifferenceException ? "the CPU engines differ" : "internal error of the hypervisor", this);
        }

        SuspendPeriodic();
        if (MustLeave)
            Trace.Record(TraceKind.ScheduleOut, (ulong)cpu.Number, IsBlocked ? 1ul : 0);
    }

    private void Enter(PhysicalCpu cpu, in SchedulingDecision decision)
    {
        if (decision.Switched)
        {
            Trace.Record(TraceKind.ScheduleIn, (ulong)cpu.Number, (ulong)Credit.Priority);
            PublishRunstate();
        }

        PublishClock(decision.Now);
        ResumePeriodic(decision.Now);
    }

    private void RunSlice(in SchedulingDecision decision)
    {
        MachineClock clock = Domain.Machine.Clock;
        ulong now = decision.Now;
        uint exits = 0;
        while (!MustLeave && now < decision.Until)
        {
            // The kick is taken back before anything that it announces is looked at: what is announced later kicks again.
            if (State.HasRequests && State.TakeKick() && Volatile.Read(ref _periodElapsed))
                ResumePeriodic(now);
            if (MustLeave)
                return;
            ExitDispatcher.BeforeEntry(this);
            CpuExit exit = Engine.Run(_budget);
            Counters.CountExit(exit);
            ulong before = now;
            if (exit.Reason <= CpuExitReason.Request || ++exits % ExitsPerLook == 0)
                now = clock.Now;
            if (exit.Reason > CpuExitReason.Request)
                ExitDispatcher.Handle(this, exit);
            else if (exit.Reason == CpuExitReason.BudgetSpent)
                AdaptBudget(now - before);
        }
    }

    private void AdaptBudget(ulong used)
    {
        if (used < BudgetTime / 2)
            _budget = Math.Min(_budget * 2, MaxBudget);
        else if (used > BudgetTime * 2)
            _budget = Math.Max(_budget / 2, MinBudget);
    }
}
