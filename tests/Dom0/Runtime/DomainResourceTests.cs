using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>Processors and memory of a running domain, and that what was set stays over a restart.</summary>
public sealed class DomainResourceTests : IDisposable
{
    private readonly TestMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Share_IsWhatWasSet_AndStays()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web") with { CpuWeight = 100 });
        Assert.Equal(new DomainShare(100, 0), domain.Share);

        domain.SetShare(512, null);
        domain.SetShare(null, 50);
        Assert.Equal(new DomainShare(512, 50), domain.Share);
        Assert.Equal((512, 50), Core.DomainControl.GetShare(_machine.Find(domain)));

        domain.Reset();
        Assert.Equal((512, 50), Core.DomainControl.GetShare(_machine.Find(domain)));
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(65536, null)]
    [InlineData(null, -1)]
    [InlineData(null, 201)]
    public void Share_OutOfRange_IsRefused_AndChangesNothing(int? weight, int? cap)
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web") with { MaxVcpus = 2 });
        Assert.Contains("and not", TestMachine.Refusal(() => domain.SetShare(weight, cap)), StringComparison.Ordinal);
        Assert.Equal(new DomainShare(256, 0), domain.Share);
        domain.SetShare(65535, 200);
    }

    [Fact]
    public void Vcpus_SayWhereTheyAre()
    {
        IRunningDomain domain = _machine.Toolstack.CreateDomain(_machine.Config("web", Spin) with { MaxVcpus = 2 });
        Assert.Equal("--p", domain.Vcpus[0].Letters);
        domain.Unpause();
        TestMachine.WaitFor(() => domain.Vcpus[0] is { Letters: "r--" } v && v.CpuTime > TimeSpan.Zero, "running");
        VcpuStatus down = domain.Vcpus[1];
        Assert.Equal((1, false, null, "--p"), (down.Number, down.IsOnline, down.Cpu, down.Letters));
        Assert.Null(domain.Vcpus[0].Affinity);
    }

    [Fact]
    public void PinVcpu_MovesIt_AndStays()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web", Spin) with { MaxVcpus = 3 });
        int last = _machine.Toolstack.Info.PhysicalCpus - 1;

        domain.PinVcpu(0, new HashSet<int> { last, 63 });

        TestMachine.WaitFor(() => domain.Vcpus[0] is { IsRunning: true } v && v.Cpu == last, "running there");
        CheckPinned(domain, last);
        domain.Reset();
        CheckPinned(domain, last);

        domain.PinVcpu(null, null);
        Assert.All(domain.Vcpus, static vcpu => Assert.Null(vcpu.Affinity));
    }

    [Fact]
    public void PinVcpu_ToWhatThereIsNot_IsRefused()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web"));
        Assert.Contains("has none of those CPUs", TestMachine.Refusal(() => domain.PinVcpu(0, new HashSet<int> { 63 })), StringComparison.Ordinal);
        Assert.Contains("has no vCPU 1", TestMachine.Refusal(() => domain.PinVcpu(1, null)), StringComparison.Ordinal);
        Assert.Null(domain.Vcpus[0].Affinity);
    }

    [Fact]
    public void VcpuCount_IsNodes_AndStays()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web") with { Vcpus = 2, MaxVcpus = 3 });
        Assert.Equal("online online offline -", Availability(domain));

        domain.SetVcpuCount(1);
        Assert.Equal("online offline offline -", Availability(domain));
        domain.SetVcpuCount(3);
        domain.Reset();
        Assert.Equal("online online online -", Availability(domain));
        Assert.Contains("can have 1 to 3 vCPUs", TestMachine.Refusal(() => domain.SetVcpuCount(4)), StringComparison.Ordinal);
        Assert.Contains("can have 1 to 3 vCPUs", TestMachine.Refusal(() => domain.SetVcpuCount(0)), StringComparison.Ordinal);
    }

    [Fact]
    public void MemoryTarget_IsANode_AndWhatTheNextLifeBeginsWith()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web") with { MemoryMiB = 80, MaxMemoryMiB = 128 });

        domain.SetMemoryTarget(100);

        Assert.Equal("102400", _machine.Read(domain, "memory/target"));
        Assert.Equal(80, domain.Status.MemoryMiB);
        domain.Reset();
        Assert.Equal(100, domain.Status.MemoryMiB);
        Assert.Equal("131072", _machine.Read(domain, "memory/static-max"));
    }

    [Fact]
    public void Memory_OutOfBounds_IsRefused()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web") with { MemoryMiB = 80, MaxMemoryMiB = 128 });
        Assert.Contains("may have 128 MiB at most", TestMachine.Refusal(() => domain.SetMemoryTarget(129)), StringComparison.Ordinal);
        Assert.Contains("64 MiB are the least", TestMachine.Refusal(() => domain.SetMemoryTarget(63)), StringComparison.Ordinal);
        Assert.Contains("is to have 80 MiB", TestMachine.Refusal(() => domain.SetMaxMemory(79)), StringComparison.Ordinal);
        Assert.Contains("may have 65536 MiB at most", TestMachine.Refusal(() => domain.SetMaxMemory(65537)), StringComparison.Ordinal);

        domain.SetMaxMemory(200);
        Assert.Equal(200ul << 8, _machine.Find(domain).MaxPages);
        domain.SetMemoryTarget(200);
        Assert.Equal("204800", _machine.Read(domain, "memory/static-max"));
    }

    private static void Spin(GuestKit.Assembly.GuestAssembler guest)
    {
        Iced.Intel.Label again = guest.Code.CreateLabel();
        guest.Code.Label(ref again);
        guest.Code.jmp(again);
    }

    private static void CheckPinned(IRunningDomain domain, int cpu)
    {
        // A machine of one CPU has no other choice.
        Assert.Equal(cpu == 0 ? null : [cpu], domain.Vcpus[0].Affinity);
        Assert.Null(domain.Vcpus[1].Affinity);
        Assert.Null(domain.Vcpus[2].Affinity);
    }

    private string Availability(IRunningDomain domain) =>
        string.Join(' ', Enumerable.Range(0, 4).Select(cpu => _machine.Read(domain, $"cpu/{cpu}/availability") ?? "-"));
}
