using Xen.Abi;

namespace Xen.Core;

/// <summary>The vCPU's timers: one that repeats, one shot, and the end of a poll.</summary>
public sealed partial class Vcpu
{
    /// <summary>The period that a vCPU starts with. <b>Units</b>: ns.</summary>
    internal const ulong DefaultPeriod = 10_000_000;

    /// <summary>Deadlines further away than this are a guest's mistake and come much earlier. <b>Units</b>: ns.</summary>
    private const ulong Implausible = 1ul << 50;

    private const ulong ImplausibleReplacement = 100_000_000;

    private ulong _lastPeriodicTick;
    private bool _periodElapsed;
    private ulong _period = DefaultPeriod;

    /// <summary>Ends a poll.</summary>
    internal MachineTimer PollTimer { get; }

    private MachineTimer SingleshotTimer { get; }

    private MachineTimer PeriodicTimer { get; }

    /// <summary>Sets the one-shot timer (set_timer_op, VCPUOP_set_singleshot_timer). <b>Units</b>: ns of the machine's clock.</summary>
    internal void SetSingleshot(ulong deadline)
    {
        ulong now = Domain.Machine.Clock.Now;
        if (deadline > now && deadline - now >= Implausible)
            deadline = now + ImplausibleReplacement;
        if (deadline > now)
        {
            SingleshotTimer.Set(deadline);
            return;
        }

        SingleshotTimer.Cancel();
        OnSingleshot();
    }

    internal void StopSingleshot() => SingleshotTimer.Cancel();

    /// <summary>Changes the period of the repeating timer; 0 stops it. Any thread. <b>Units</b>: ns.</summary>
    internal void SetPeriod(ulong period)
    {
        Volatile.Write(ref _period, period);
        OnPeriodic();
    }

    /// <summary>Starts the repeating timer when the vCPU gets a processor: it only ticks while the vCPU runs. A tick that came meanwhile is given now.</summary>
    private void ResumePeriodic(ulong now)
    {
        Volatile.Write(ref _periodElapsed, false);
        Interlocked.MemoryBarrier();
        ulong period = Volatile.Read(ref _period);
        if (period == 0)
        {
            PeriodicTimer.Cancel();
            return;
        }

        if (now - _lastPeriodicTick >= period)
        {
            _lastPeriodicTick = now;
            Domain.SendVirq(Id, VirtualIrq.Timer);
        }

        PeriodicTimer.Set(_lastPeriodicTick + period);
    }

    private void SuspendPeriodic() => PeriodicTimer.Cancel();

    /// <summary>The vCPU's thread does the rest: it looks at the period again.</summary>
    private void OnPeriodic()
    {
        Volatile.Write(ref _periodElapsed, true);
        State.Kick();
    }

    private void OnSingleshot() => Domain.SendVirq(Id, VirtualIrq.Timer);

    internal void CancelTimers()
    {
        PollTimer.Cancel();
        SingleshotTimer.Cancel();
        PeriodicTimer.Cancel();
    }
}
