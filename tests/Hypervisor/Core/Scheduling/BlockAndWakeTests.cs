using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Scheduling;

/// <summary>Blocking, waking, pausing and ending on real threads, with guests that are scripts.</summary>
public sealed class BlockAndWakeTests
{
    [Fact]
    public void Wake_IsNeverLost_WhileTheGuestBlocksAgainAndAgain()
    {
        const int Rounds = 20_000;
        using var done = new ManualResetEventSlim();
        using var answered = new SemaphoreSlim(0);
        int handled = 0;
        Vcpu? sleeper = null;
        using Machine machine = TestMachine.Create(2, (state, _) =>
        {
            VcpuInfoPage info = sleeper!.Info;
            if (info.UpcallPending)
            {
                Volatile.Write(ref state.Memory.Ref<byte>(info.MachineAddress + VcpuInfoLayout.UpcallPending), 0);
                if (++handled == Rounds)
                    done.Set();
                answered.Release();
            }

            return TestMachine.Hypercall(state, HypercallNumber.SchedOp, (ulong)SchedOperation.Block);
        });
        Domain domain = TestMachine.CreateDomain(machine, 1);
        sleeper = domain.Vcpus[0];
        domain.Unpause();

        for (int i = 0; i < Rounds; i++)
        {
            if (!sleeper.Info.TestAndSetUpcallPending())
                sleeper.Wake();
            Assert.True(answered.Wait(TestMachine.Patience), $"wake-up {i} was lost");
        }

        TestMachine.WaitFor(done);
    }

    [Fact]
    public void Block_WithAnEventPending_DoesNotBlock()
    {
        using var ran = new CountdownEvent(100);
        Vcpu? vcpu = null;
        using Machine machine = TestMachine.Create(1, (state, _) =>
        {
            if (!ran.IsSet)
                ran.Signal();
            return TestMachine.Hypercall(state, HypercallNumber.SchedOp, (ulong)SchedOperation.Block);
        });
        Domain domain = TestMachine.CreateDomain(machine, 1);
        vcpu = domain.Vcpus[0];
        vcpu.Info.TestAndSetUpcallPending();
        domain.Unpause();

        TestMachine.WaitFor(ran);
    }

    [Fact]
    public void Pause_StopsTheGuest_AndNests()
    {
        long runs = 0;
        using var started = new ManualResetEventSlim();
        using Machine machine = TestMachine.Create(2, (_, _) =>
        {
            Interlocked.Increment(ref runs);
            started.Set();
            return TestMachine.Spent;
        });
        Domain domain = TestMachine.CreateDomain(machine, 2);
        domain.Unpause();
        TestMachine.WaitFor(started);

        domain.Pause();
        domain.Pause();
        long atPause = Interlocked.Read(ref runs);
        Assert.True(domain.Unpause());
        Assert.Equal(atPause, Interlocked.Read(ref runs));
        started.Reset();
        Assert.True(domain.Unpause());

        TestMachine.WaitFor(started);
        Assert.False(domain.Unpause());
    }

    [Fact]
    public void DestroyWhileRunning_StopsEveryVcpu_AndLeavesTheNeighbour()
    {
        using var neighbourRan = new ManualResetEventSlim();
        using var bothStarted = new CountdownEvent(2);
        bool[] started = new bool[2];
        Domain? victim = null;
        using Machine machine = TestMachine.Create(2, (state, _) =>
        {
            if (state.Environment != victim)
            {
                neighbourRan.Set();
            }
            else
            {
                int index = victim!.Vcpus[0].State == state ? 0 : 1;
                if (!started[index])
                {
                    started[index] = true;
                    bothStarted.Signal();
                }
            }

            return TestMachine.Spent;
        });
        victim = TestMachine.CreateDomain(machine, 2, "victim");
        Domain neighbour = TestMachine.CreateDomain(machine, 1, "neighbour");
        ulong free = machine.Allocator.FreeFrames;
        victim.Unpause();
        neighbour.Unpause();
        TestMachine.WaitFor(bothStarted);

        new DomainControl(machine).Destroy(victim);

        Assert.Null(machine.FindDomain(victim.Id));
        Assert.True(machine.Allocator.FreeFrames > free);
        neighbourRan.Reset();
        TestMachine.WaitFor(neighbourRan);
    }

    [Fact]
    public void Shutdown_ByTheGuest_IsReportedOnce_AfterTheLastVcpuHasStopped()
    {
        using var reported = new ManualResetEventSlim();
        int running = 0, reports = 0, runningAtReport = -1;
        Domain? domain = null;
        using Machine machine = TestMachine.Create(2, (state, _) =>
        {
            Interlocked.Increment(ref running);
            try
            {
                return state == domain!.Vcpus[0].State
                    ? TestMachine.Hypercall(state, HypercallNumber.SchedOpCompat, (ulong)SchedOperation.Shutdown, (ulong)ShutdownReason.Reboot)
                    : TestMachine.Spent;
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }
        });
        machine.DomainShutdown += dead =>
        {
            runningAtReport = Volatile.Read(ref running);
            Interlocked.Increment(ref reports);
            reported.Set();
        };
        domain = TestMachine.CreateDomain(machine, 2);
        domain.Unpause();

        TestMachine.WaitFor(reported);
        Assert.Equal(ShutdownReason.Reboot, domain.ShutdownReason);
        Assert.Equal(0, runningAtReport);
        domain.Shutdown(ShutdownReason.Crash);
        Assert.Equal(1, Volatile.Read(ref reports));
        Assert.Equal(ShutdownReason.Reboot, domain.ShutdownReason);
    }

    [Fact]
    public void EngineFault_CrashesItsDomainOnly()
    {
        using var crashed = new ManualResetEventSlim();
        using Machine machine = TestMachine.Create(1, (_, _) => throw new InvalidOperationException("scripted"));
        machine.DomainShutdown += _ => crashed.Set();
        Domain domain = TestMachine.CreateDomain(machine, 1);
        domain.Unpause();

        TestMachine.WaitFor(crashed);
        Assert.Equal(ShutdownReason.Crash, domain.ShutdownReason);
        Assert.Contains(machine.Log.Read(), line => line.Contains("scripted", StringComparison.Ordinal));
        Assert.NotEqual("", domain.CrashReport);
    }

    [Fact]
    public void Pinned_RunsOnItsProcessorOnly()
    {
        using var ran = new CountdownEvent(200);
        var threads = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>();
        using Machine machine = TestMachine.Create(2, (_, _) =>
        {
            threads[Thread.CurrentThread.Name!] = true;
            if (!ran.IsSet)
                ran.Signal();
            return TestMachine.Interrupted;
        });
        Domain domain = TestMachine.CreateDomain(machine, 1);
        Assert.Equal(XenErrno.OK, DomainControl.SetAffinity(domain.Vcpus[0], CpuSet.Of(1)));
        Assert.Equal(XenErrno.EINVAL, DomainControl.SetAffinity(domain.Vcpus[0], CpuSet.Of(5)));
        domain.Unpause();

        TestMachine.WaitFor(ran);
        Assert.Equal(["cpu1"], threads.Keys);
    }

    [Fact]
    public void Poll_EndsAtItsDeadline()
    {
        using var woken = new ManualResetEventSlim();
        bool polled = false;
        Machine? host = null;
        using Machine machine = TestMachine.Create(1, (state, _) =>
        {
            if (polled)
                woken.Set();
            polled = true;
            host!.Domains[0].Vcpus[0].Poll([], host.Clock.Now + 1_000_000);
            return TestMachine.Interrupted;
        });
        host = machine;
        Domain domain = TestMachine.CreateDomain(machine, 1);
        domain.Unpause();

        TestMachine.WaitFor(woken);
    }

    [Fact]
    public void Runstates_AddUpToTheTimeThatHasPassed()
    {
        using var blocked = new CountdownEvent(50);
        Vcpu? vcpu = null;
        using Machine machine = TestMachine.Create(1, (state, _) =>
        {
            if (!blocked.IsSet)
                blocked.Signal();
            return TestMachine.Hypercall(state, HypercallNumber.SchedOp, (ulong)SchedOperation.Yield);
        });
        ulong before = machine.Clock.Now;
        Domain domain = TestMachine.CreateDomain(machine, 1);
        ulong after = machine.Clock.Now;
        vcpu = domain.Vcpus[0];
        domain.Unpause();
        TestMachine.WaitFor(blocked);

        ulong from = machine.Clock.Now;
        VcpuRunstateInfo info = new DomainControl(machine).GetRunstate(vcpu);
        ulong to = machine.Clock.Now;
        ulong sum = info.Time[0] + info.Time[1] + info.Time[2] + info.Time[3];
        Assert.InRange(sum, from - after, to - before);
        Assert.True(info.Time[(int)Runstate.Running] > 0);
        Assert.True(info.Time[(int)Runstate.Offline] > 0);
    }
}
