using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests;

/// <summary>An engine whose guest is C#: each run calls the script, which says how the run ended.</summary>
internal sealed class ScriptedEngine(VcpuState state, Func<VcpuState, long, CpuExit> script) : ICpuEngine
{
    private ulong _retired;

    public ulong? InstructionsRetired => _retired;

    public CpuExit Run(long budget)
    {
        state.EnterGuest();
        CpuExit exit = script(state, budget);
        state.LeaveGuest();
        _retired += (ulong)budget;
        return exit;
    }
}

/// <summary>A machine whose guests are scripts.</summary>
internal static class TestMachine
{
    public const ulong Frames = 4096;

    /// <summary>Spends its budget at once, as long as nobody wants it to stop.</summary>
    public static readonly CpuExit Spent = new(CpuExitReason.BudgetSpent);

    public static readonly CpuExit Interrupted = new(CpuExitReason.Request);

    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static Machine Create(int cpus, Func<VcpuState, long, CpuExit> script, TimeProvider? time = null) =>
        new(new MachineConfig(Frames, cpus, state => new ScriptedEngine(state, script)) { Time = time ?? TimeProvider.System });

    /// <summary>A domain of a few pages, whose vCPUs are up as soon as it is unpaused.</summary>
    public static Domain CreateDomain(Machine machine, int vcpus, string name = "test")
    {
        var control = new DomainControl(machine);
        Assert.Equal(XenErrno.OK, control.Create(new DomainSettings(name, vcpus, 16), out Domain? domain));
        foreach (Vcpu vcpu in domain!.Vcpus)
        {
            vcpu.SetPeriod(0);
            vcpu.IsInitialised = true;
            Assert.True(vcpu.BringUp());
        }

        return domain;
    }

    /// <summary>Sets registers for a hypercall, as the guest would.</summary>
    public static CpuExit Hypercall(VcpuState state, HypercallNumber number, ulong a1 = 0, ulong a2 = 0, ulong a3 = 0)
    {
        state.Registers.Gpr[0] = (ulong)number;
        state.Registers.Gpr[7] = a1;
        state.Registers.Gpr[6] = a2;
        state.Registers.Gpr[2] = a3;
        return new CpuExit(CpuExitReason.Hypercall);
    }

    public static void WaitFor(ManualResetEventSlim happened) => Assert.True(happened.Wait(Patience), "it did not happen in time");

    public static void WaitFor(CountdownEvent happened) => Assert.True(happened.Wait(Patience), "it did not happen in time");
}
