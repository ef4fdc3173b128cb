using Iced.Intel;
using Xen.Abi;
using Xen.GuestKit.Assembly;
using Xen.Toolstack;
using ShutdownReason = Xen.Toolstack.ShutdownReason;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>What is asked of a running domain's guest, and what its domain is called.</summary>
public sealed class DomainRequestTests : IDisposable
{
    private readonly TestMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Theory]
    [InlineData(ShutdownRequest.Poweroff, "poweroff")]
    [InlineData(ShutdownRequest.Reboot, "reboot")]
    [InlineData(ShutdownRequest.Halt, "halt")]
    public void RequestShutdown_IsANodeThatTheGuestOwns(ShutdownRequest request, string text)
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web"));

        domain.RequestShutdown(request);

        Assert.Equal(text, _machine.Read(domain, "control/shutdown"));
        Assert.Equal(XenErrno.OK, _machine.Store.GetPermissions($"/local/domain/{domain.Id}/control/shutdown", out var permissions));
        Assert.Equal(domain.Id, permissions[0].Domain.Value);
    }

    [Fact]
    public void RequestShutdown_ToSuspend_IsRefused()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web"));
        Assert.Contains("cannot be suspended", TestMachine.Refusal(() => domain.RequestShutdown(ShutdownRequest.Suspend)), StringComparison.Ordinal);
        Assert.Equal("", _machine.Read(domain, "control/shutdown"));
    }

    [Fact]
    public void SysRq_IsANode()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web"));
        domain.SendSysRq('s');
        Assert.Equal("s", _machine.Read(domain, "control/sysrq"));
        Assert.Contains("a SysRq key is one letter", TestMachine.Refusal(() => domain.SendSysRq('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nmi_EntersTheGuestsHandler()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web", PowerOffAtNmi));
        TestMachine.WaitFor(() => domain.Status.StateText == "idle", "blocking");

        domain.Trigger(DomainTrigger.Nmi);

        Assert.Equal(new DomainOutcome(ShutdownReason.Poweroff, false, ""), await domain.Completion.WaitAsync(TestMachine.Patience));
    }

    [Fact]
    public void Nmi_OfAGuestWithoutAHandler_IsLostAndSaid()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web"));
        domain.Trigger(DomainTrigger.Nmi);
        TestMachine.WaitFor(() => _machine.Toolstack.ReadLog().Contains("an NMI is lost", StringComparison.Ordinal), "the line in the log");
        Assert.Equal(1, domain.Status.OnlineVcpus);
    }

    [Fact]
    public void Trigger_OfWhatThereIsNot_IsRefused()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web"));
        Assert.Contains("has no init line", TestMachine.Refusal(() => domain.Trigger(DomainTrigger.Init)), StringComparison.Ordinal);
        Assert.Contains("no vCPU 1 that is up", TestMachine.Refusal(() => domain.Trigger(DomainTrigger.Nmi, 1)), StringComparison.Ordinal);
    }

    [Fact]
    public void Reset_BeginsAnotherLife_WhateverTheActionsSay()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web") with { OnReboot = ShutdownAction.Destroy });
        int id = domain.Id;
        DateTimeOffset start = domain.StartTime;

        domain.Reset();
        domain.Reset();

        Assert.Equal(id + 2, domain.Id);
        Assert.True(domain.StartTime > start);
        Assert.False(domain.Completion.IsCompleted);
        TestMachine.WaitFor(() => domain.Status.StateText == "idle", "running again");
        Assert.Null(_machine.ReadAt($"/local/domain/{id}/name"));
    }

    [Fact]
    public void Reset_OfADomainThatWasPreserved_StartsItAgain()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web", static guest => guest.PowerOff()) with { OnPoweroff = ShutdownAction.Preserve });
        TestMachine.WaitFor(() => domain.Status.StateText == "shutdown", "shutting down");
        Assert.Contains("has shut down already", TestMachine.Refusal(() => domain.RequestShutdown(ShutdownRequest.Poweroff)), StringComparison.Ordinal);
        int id = domain.Id;

        domain.Reset();

        Assert.NotEqual(id, domain.Id);
        TestMachine.WaitFor(() => domain.Status.StateText == "shutdown", "shutting down again");
    }

    [Fact]
    public void RenameRestart_KeepsWhatHasShutDown_AsADomainOfItsOwn()
    {
        DomainConfig config = _machine.Config("web", static guest => guest.PowerOff()) with { OnPoweroff = ShutdownAction.RenameRestart };
        IRunningDomain domain = _machine.Toolstack.CreateDomain(config);
        int id = domain.Id;
        IRunningDomain? kept = null;
        domain.Kept += other => kept = other;
        domain.Unpause();
        TestMachine.WaitFor(() => kept is not null, "keeping");

        // The new life ends at once, as it is less than ten seconds old.
        TestMachine.WaitFor(() => domain.Completion.IsCompleted, "ending again");
        Assert.Equal("web-1", kept!.Config.Name);
        Assert.Equal((id, "shutdown", 64), (kept.Id, kept.Status.StateText, kept.Status.MemoryMiB));
        Assert.NotEqual(config.Uuid, kept.Config.Uuid);
        Assert.Equal("web-1", _machine.ReadAt($"/local/domain/{id}/name"));
        Assert.Equal("web-1", _machine.ReadAt($"/vm/{kept.Config.Uuid}/name"));
        Assert.Same(kept, Assert.Single(_machine.Toolstack.Domains));
        Assert.Contains("cannot live again", TestMachine.Refusal(kept.Reset), StringComparison.Ordinal);
        kept.Destroy();
        Assert.Null(_machine.ReadAt($"/vm/{kept.Config.Uuid}"));
        Assert.Empty(_machine.Toolstack.Domains);
        Assert.Equal(256, _machine.Toolstack.Info.FreeMemoryMiB);
    }

    [Theory]
    [InlineData(ShutdownAction.Restart)]
    [InlineData(ShutdownAction.RenameRestart)]
    [InlineData(ShutdownAction.Preserve)]
    public async Task LastLife_EndsTheDomain_WhateverItsActionsSay(ShutdownAction action)
    {
        IRunningDomain domain = _machine.Toolstack.CreateDomain(_machine.Config("web", static guest => guest.PowerOff()) with { OnPoweroff = action });
        domain.EndWithThisLife();
        domain.Unpause();
        Assert.Equal(new DomainOutcome(ShutdownReason.Poweroff, false, ""), await domain.Completion.WaitAsync(TestMachine.Patience));
        Assert.Empty(_machine.Toolstack.Domains);
    }

    [Fact]
    public void RenameRestart_WithoutMemoryForBoth_IsARestart()
    {
        DomainConfig config = _machine.Config("web", static guest => guest.PowerOff()) with { OnPoweroff = ShutdownAction.RenameRestart, MemoryMiB = 160, MaxMemoryMiB = 160 };
        IRunningDomain domain = _machine.Start(config);
        TestMachine.WaitFor(() => domain.Completion.IsCompleted, "ending again");
        Assert.Empty(_machine.Toolstack.Domains);
        Assert.Contains("what has shut down is not kept", _machine.Toolstack.ReadLog(), StringComparison.Ordinal);
    }

    [Fact]
    public void Reset_ThatCannotBuild_EndsTheDomain_AndSaysWhy()
    {
        DomainConfig config = _machine.Config("web");
        IRunningDomain domain = _machine.Start(config);
        File.Delete(config.Kernel);

        Assert.Contains("cannot be started again", TestMachine.Refusal(domain.Reset), StringComparison.Ordinal);

        Assert.True(domain.Completion.IsCompleted);
        Assert.Empty(_machine.Toolstack.Domains);
        Assert.Equal(256, _machine.Toolstack.Info.FreeMemoryMiB);
    }

    [Fact]
    public void Rename_ChangesTheNameEverywhere()
    {
        DomainConfig config = _machine.Config("web") with { Consoles = [new ConsoleConfig { IsLogged = true }] };
        IRunningDomain domain = _machine.Start(config);
        string log = Path.Combine(_machine.Folder, "log");
        Assert.True(File.Exists(Path.Combine(log, "guest-web.log")));

        domain.Rename("shop");

        Assert.Equal("shop", domain.Config.Name);
        Assert.Equal("shop", _machine.Read(domain, "name"));
        Assert.Equal("shop", _machine.ReadAt($"/vm/{config.Uuid}/name"));
        Assert.Equal("shop", _machine.Find(domain).Name);
        Assert.Equal(["guest-shop.log"], Directory.EnumerateFiles(log).Select(Path.GetFileName));
        IRunningDomain next = _machine.Start(_machine.Config("web"));
        Assert.Contains("exists already", TestMachine.Refusal(() => domain.Rename("web")), StringComparison.Ordinal);
        Assert.Contains("cannot be named '17'", TestMachine.Refusal(() => domain.Rename("17")), StringComparison.Ordinal);

        next.Destroy();
        domain.Reset();
        Assert.Equal("shop", _machine.Read(domain, "name"));
    }

    [Fact]
    public void Requests_ToADomainThatHasEnded_SayThatItHas()
    {
        IRunningDomain domain = _machine.Start(_machine.Config("web"));
        domain.Destroy();
        Assert.All<Action>(
            [
                () => domain.RequestShutdown(ShutdownRequest.Poweroff), () => domain.SendSysRq('s'), () => domain.Trigger(DomainTrigger.Nmi), domain.Reset,
                () => domain.Rename("shop"), () => domain.SetShare(1, 1), () => domain.PinVcpu(null, null), () => domain.SetVcpuCount(1),
                () => domain.SetMemoryTarget(64), () => domain.SetMaxMemory(64),
            ],
            request => Assert.Equal("domain 'web' has ended.", TestMachine.Refusal(request)));
        Assert.Empty(domain.Vcpus);
        Assert.Equal("dying", domain.Status.StateText);
        Assert.Equal("", domain.DescribeCounters());
    }

    /// <summary>A guest that waits, and powers off when an NMI comes.</summary>
    private static void PowerOffAtNmi(GuestAssembler guest)
    {
        Assembler code = guest.Code;
        Label handler = code.CreateLabel(), start = code.CreateLabel();
        code.jmp(start);
        code.Label(ref handler);
        guest.PowerOff();
        code.Label(ref start);
        ulong table = guest.Words((ulong)TrapVector.Nmi | ((ulong)FlatSelectors.KernelCs << 16), 0, 0, 0);
        guest.Pointer(table + 8, handler);
        guest.Hypercall(HypercallNumber.SetTrapTable, table);
        TestMachine.Idle(guest);
    }
}
