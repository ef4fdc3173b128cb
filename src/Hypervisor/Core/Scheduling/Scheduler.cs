using System.Diagnostics;
using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// Which vCPU runs where. Read this first: it holds the one lock of scheduling, the conditions under which a vCPU may run,
/// and the physical CPUs; <see cref="CreditScheduler"/> decides who is next.
/// </summary>
/// <remarks>
/// The lock is the last in the lock order but for the timers' and the log's; nothing is called back under it. A vCPU is in one of three places:
/// <code>
///   not runnable (blocked, down, paused, shut down)  -- Evaluate --&gt;  in a run queue  -- Switch --&gt;  on a physical CPU
///                          ^                                              ^                              |
///                          +----------------------------------------------+----------- Switch -----------+
/// </code>
/// No wake-up is lost: who blocks says so under the lock, then (full barrier) looks for events again; who sends an event sets its bits (full barrier),
/// then looks whether the vCPU is blocked.
/// </remarks>
internal sealed class Scheduler : IDisposable
{
    private readonly object _gate = new();
    private readonly MachineClock _clock;
    private readonly CreditScheduler _credit;
    private readonly PhysicalCpu[] _cpus;

    /// <summary>Threads that wait for a vCPU to leave its processor.</summary>
    private int _waiters;
    private bool _stopping;

    public Scheduler(MachineClock clock, int cpuCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(cpuCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(cpuCount, CpuSet.MaxCpus);
        _clock = clock;
        _credit = new CreditScheduler(cpuCount);
        _cpus = new PhysicalCpu[cpuCount];
        for (int i = 0; i < cpuCount; i++)
            _cpus[i] = new PhysicalCpu(this, i);
    }

    public int CpuCount => _cpus.Length;

    public void Start()
    {
        foreach (PhysicalCpu cpu in _cpus)
            cpu.Start();
    }

    /// <summary>Makes a new domain's vCPUs known.</summary>
    public void Add(Domain domain)
    {
        lock (_gate)
            _credit.Add(domain.Credit);
    }

    /// <summary>Forgets a dead domain, none of whose vCPUs can run again.</summary>
    public void Remove(Domain domain)
    {
        lock (_gate)
            _credit.Remove(domain.Credit);
    }

    /// <summary>Changes what decides whether a domain's vCPUs may run, and acts on it.</summary>
    /// <returns>Whether the domain is shut down and none of its vCPUs runs any more.</returns>
    public bool Change(Domain domain, Action<Domain> change)
    {
        lock (_gate)
        {
            change(domain);
            foreach (Vcpu vcpu in domain.Vcpus)
                Evaluate(vcpu, boost: false);
            return domain.IsShutDown && !IsAnyRunning(domain);
        }
    }

    /// <summary>Changes what decides whether a vCPU may run, and acts on it.</summary>
    public void Change(Vcpu vcpu, Action<Vcpu> change)
    {
        lock (_gate)
        {
            change(vcpu);
            Evaluate(vcpu, boost: false);
        }
    }

    /// <summary>Says that the vCPU has nothing to do. The caller then looks for events again, and calls <see cref="Unblock"/> if there are.</summary>
    public void Block(Vcpu vcpu)
    {
        lock (_gate)
        {
            vcpu.IsBlocked = true;
            Evaluate(vcpu, boost: false);
        }

        Interlocked.MemoryBarrier();
    }

    /// <summary>Ends <see cref="Block"/>.</summary>
    /// <param name="vcpu">Any vCPU.</param>
    /// <param name="boost">It is to run soon: an event waits.</param>
    public void Unblock(Vcpu vcpu, bool boost)
    {
        lock (_gate)
        {
            vcpu.PollPort = Vcpu.NotPolling;
            if (!vcpu.IsBlocked)
                return;
            vcpu.IsBlocked = false;
            Evaluate(vcpu, boost);
        }
    }

    /// <summary>Lets others of its priority go first.</summary>
    public void Yield(Vcpu vcpu)
    {
        lock (_gate)
        {
            vcpu.Credit.HasYielded = true;
            if (vcpu.Credit.IsRunning)
                Leave(vcpu);
        }
    }

    /// <summary>Changes where a vCPU may run.</summary>
    public void Move(Vcpu vcpu, CpuSet cpus)
    {
        lock (_gate)
        {
            vcpu.Credit.Affinity = cpus;
            if (vcpu.Credit.IsRunning && !cpus.Contains(vcpu.Credit.Cpu))
            {
                vcpu.IsPreempted = true;
                Leave(vcpu);
            }
            else if (vcpu.Credit.IsQueued)
            {
                _credit.Dequeue(vcpu.Credit);
                Evaluate(vcpu, boost: false);
            }
        }
    }

    /// <summary>Changes a domain's share.</summary>
    public void SetShare(Domain domain, int weight, int cap)
    {
        lock (_gate)
        {
            domain.Credit.Weight = weight;
            domain.Credit.Cap = cap;
            if (cap == 0)
                domain.Credit.Entries.ForEach(static entry => entry.IsParked = false);
        }
    }

    /// <summary>Waits until no vCPU of the domain is on a processor; the caller has made sure that none will come back. A vCPU whose thread calls is not waited for.</summary>
    public void WaitUntilStopped(Domain domain)
    {
        lock (_gate)
        {
            _waiters++;
            while (IsAnyRunning(domain, exceptMine: true))
                Monitor.Wait(_gate);
            _waiters--;
        }
    }

    /// <summary>A vCPU's run state up to now.</summary>
    public VcpuRunstateInfo ReadRunstate(Vcpu vcpu)
    {
        lock (_gate)
            return vcpu.Runstate.Read(_clock.Now);
    }

    /// <summary>How a vCPU stands, all of one moment.</summary>
    public VcpuInfo ReadInfo(Vcpu vcpu)
    {
        lock (_gate)
        {
            VcpuRunstateInfo runstate = vcpu.Runstate.Read(_clock.Now);
            return new VcpuInfo(vcpu.IsUp, vcpu.Credit.IsRunning, vcpu.IsBlocked, vcpu.Credit.Cpu, runstate.Time[(int)Runstate.Running], vcpu.Credit.Affinity);
        }
    }

    /// <summary>The next vCPU for a processor.</summary>
    /// <param name="cpu">The processor whose thread calls.</param>
    /// <param name="previous">What it has run just now.</param>
    /// <param name="decision">What to do.</param>
    /// <returns>False when the machine stops.</returns>
    public bool Switch(PhysicalCpu cpu, Vcpu? previous, out SchedulingDecision decision)
    {
        Domain? finished = null;
        bool goOn;
        lock (_gate)
        {
            ulong now = _clock.Now;
            _credit.Stop(cpu.Number, now);
            cpu.Current = null;
            bool yielded = previous is { Credit.HasYielded: true };
            if (previous is { IsRunnable: true } && !_stopping)
                Requeue(previous, cpu.Number);
            Vcpu? next = _stopping ? null : (Vcpu?)_credit.PickNext(cpu.Number, now)?.Owner;
            if (previous is not null && previous != next)
                finished = Stopped(previous, now);
            decision = new SchedulingDecision(next, next != previous, now, IdleUntil());
            if (next is not null)
            {
                cpu.Current = next;
                next.MustLeave = next.IsPreempted = false;
                if (next != previous)
                    Started(next, now);
                decision = decision with { Until = now + CreditScheduler.SliceOf(next.Credit), Yielded = yielded && next == previous };
            }

            goOn = !_stopping;
        }

        finished?.OnAllStopped();
        return goOn;
    }

    /// <summary>Stops all processors and waits for their threads.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            foreach (PhysicalCpu cpu in _cpus)
            {
                if (cpu.Current is { } vcpu)
                    Leave(vcpu);
                cpu.Signal();
            }
        }

        foreach (PhysicalCpu cpu in _cpus)
        {
            cpu.Join();
            cpu.Dispose();
        }
    }

    /// <summary>Puts the vCPU where its conditions say it belongs.</summary>
    private void Evaluate(Vcpu vcpu, bool boost)
    {
        Debug.Assert(Monitor.IsEntered(_gate));
        bool runnable = vcpu.IsRunnable;
        CreditEntry credit = vcpu.Credit;
        if (credit.IsRunning)
        {
            if (!runnable)
                Leave(vcpu);
            else
                vcpu.MustLeave = vcpu.IsPreempted || _stopping;
            return;
        }

        if (!runnable)
        {
            _credit.Dequeue(credit);
        }
        else if (!credit.IsQueued)
        {
            int cpu = _credit.Enqueue(credit, boost);
            if (cpu >= 0)
                Tickle(_cpus[cpu]);
        }

        vcpu.Runstate.Enter(StateOf(vcpu), _clock.Now);
    }

    /// <summary>Makes a processor think again: it is idle, or runs somebody who is less urgent.</summary>
    private static void Tickle(PhysicalCpu cpu)
    {
        if (cpu.Current is { } vcpu)
        {
            vcpu.IsPreempted = true;
            Leave(vcpu);
        }
        else
        {
            cpu.Signal();
        }
    }

    /// <summary>Queues who has used up its slice; somewhere else if it has been moved away.</summary>
    private void Requeue(Vcpu vcpu, int cpu)
    {
        int queue = _credit.Requeue(vcpu.Credit, cpu);
        if (queue != cpu)
            Tickle(_cpus[queue]);
    }

    private static void Leave(Vcpu vcpu)
    {
        vcpu.MustLeave = true;
        vcpu.State.Kick();
    }

    private static void Started(Vcpu vcpu, ulong now)
    {
        vcpu.Runstate.Enter(Runstate.Running, now);
        vcpu.Counters.Schedules++;
    }

    /// <summary>A vCPU has left its processor. Returns its domain if that has now come to a stop.</summary>
    private Domain? Stopped(Vcpu vcpu, ulong now)
    {
        vcpu.Runstate.Enter(StateOf(vcpu), now);
        if (_waiters != 0)
            Monitor.PulseAll(_gate);
        return vcpu.Domain.IsShutDown && !IsAnyRunning(vcpu.Domain) ? vcpu.Domain : null;
    }

    private static Runstate StateOf(Vcpu vcpu) =>
        vcpu.IsRunnable ? Runstate.Runnable : vcpu.IsBlocked && !vcpu.IsDown ? Runstate.Blocked : Runstate.Offline;

    private ulong IdleUntil() => _credit.HasParked ? _credit.NextAccounting : ulong.MaxValue;

    private bool IsAnyRunning(Domain domain, bool exceptMine = false)
    {
        foreach (Vcpu vcpu in domain.Vcpus)
        {
            if (vcpu.Credit.IsRunning && !(exceptMine && _cpus[vcpu.Credit.Cpu].IsCurrentThread))
                return true;
        }

        return false;
    }
}
