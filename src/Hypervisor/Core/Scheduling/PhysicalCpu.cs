using System.Globalization;

namespace Xen.Core;

/// <summary>A processor of the machine: a host thread that takes the next vCPU from the scheduler, runs it for a slice and puts it back.</summary>
internal sealed class PhysicalCpu : IDisposable
{
    private const ulong NanosecondsPerMillisecond = 1_000_000;

    private readonly Scheduler _scheduler;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;

    public PhysicalCpu(Scheduler scheduler, int number)
    {
        _scheduler = scheduler;
        Number = number;
        _thread = new Thread(Loop) { Name = "cpu" + number.ToString(CultureInfo.InvariantCulture), IsBackground = true };
    }

    public int Number { get; }

    /// <summary>What runs here. Guarded by the scheduler's lock.</summary>
    public Vcpu? Current { get; set; }

    /// <summary>Whether the caller is on this processor's thread.</summary>
    public bool IsCurrentThread => Thread.CurrentThread == _thread;

    public void Start() => _thread.Start();

    /// <summary>Ends the wait of an idle processor.</summary>
    public void Signal() => _wake.Set();

    /// <summary>Waits until the thread has ended, after the scheduler was told to stop.</summary>
    public void Join() => _thread.Join();

    public void Dispose() => _wake.Dispose();

    private void Loop()
    {
        Vcpu? current = null;
        while (_scheduler.Switch(this, current, out SchedulingDecision decision))
        {
            current = decision.Next;
            if (current is not null)
            {
                // A guest that yields waits for somebody, and that may be a backend's thread, which wants the host's processor.
                if (decision.Yielded)
                    Thread.Yield();
                current.Run(this, decision);
            }
            else if (decision.Until == ulong.MaxValue)
                _wake.WaitOne();
            else
                _wake.WaitOne((int)Math.Min((decision.Until - decision.Now + NanosecondsPerMillisecond - 1) / NanosecondsPerMillisecond, 1000));
        }
    }
}

/// <summary>What a physical CPU is to do.</summary>
/// <param name="Next">The vCPU to run; null to be idle.</param>
/// <param name="Switched">It did not run here just before.</param>
/// <param name="Now">The time of the decision. <b>Units</b>: ns.</param>
/// <param name="Until">When to ask again. <b>Units</b>: ns.</param>
/// <param name="Yielded">It has yielded, and nobody else wants the processor.</param>
internal readonly record struct SchedulingDecision(Vcpu? Next, bool Switched, ulong Now, ulong Until, bool Yielded = false);
