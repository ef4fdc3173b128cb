using Xen.Abi;
using Xen.Core;
using Xen.Cpu;
using Xen.Rings;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>What a machine in this process offers to backends: granted pages and event channels.</summary>
public sealed class MachinePortsTests : IDisposable
{
    private static readonly GrantRef Console = new(ReservedGrants.Console);

    private readonly Machine _machine = new(new MachineConfig(1024, 1, static _ => new NoEngine()));
    private readonly DomainControl _control;
    private readonly Domain _domain;

    public MachinePortsTests()
    {
        _control = new DomainControl(_machine);
        Assert.Equal(XenErrno.OK, _control.Create(new DomainSettings("test", 1, 8), out Domain? domain));
        _domain = domain!;
        Assert.Equal(XenErrno.OK, _domain.AllocateMemory(8));
        Assert.Equal(XenErrno.OK, _domain.Grants.Seed(Console, DomId.Dom0, _domain.FrameOf(new Pfn(3))));
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void GrantPort_MapsAndCopies()
    {
        var port = new MachineGrantPort(_machine);
        Assert.Equal(GrantStatus.Okay, port.Map(_domain.Id, Console, readOnly: false, out GrantMapping mapping));
        Assert.True(mapping.IsMapped);
        Assert.Equal(Page.Size, port.Bytes(mapping).Length);
        port.Bytes(mapping)[7] = 42;
        port.MarkWritten(mapping);
        Assert.Equal(42, _machine.Memory.Frame(_domain.FrameOf(new Pfn(3)))[7]);
        Span<byte> read = stackalloc byte[2];
        Assert.Equal(GrantStatus.Okay, port.CopyFrom(_domain.Id, Console, 6, read));
        Assert.Equal(42, read[1]);
        Assert.Equal(GrantStatus.Okay, port.CopyTo(_domain.Id, Console, 0, read));
        Assert.Equal(42, port.Bytes(mapping)[1]);
        Assert.Equal(1, _domain.Grants.HostMappings);
        port.Unmap(mapping);
        port.Unmap(default);
        Assert.Equal(default, _domain.Grants.Audit());
    }

    [Fact]
    public void GrantPort_MappingOutlivesItsGranter()
    {
        var port = new MachineGrantPort(_machine);
        Assert.Equal(GrantStatus.Okay, port.Map(_domain.Id, Console, readOnly: false, out GrantMapping mapping));
        _control.Destroy(_domain);
        port.Bytes(mapping)[7] = 42;
        Assert.Equal(GrantStatus.BadDomain, port.CopyFrom(_domain.Id, Console, 0, new byte[1]));
        Assert.Equal(GrantStatus.BadDomain, port.CopyTo(_domain.Id, Console, 0, new byte[1]));
        Assert.Equal(GrantStatus.BadDomain, port.Map(_domain.Id, Console, readOnly: true, out _));
        ulong free = _machine.Allocator.FreeFrames;
        port.Unmap(mapping);
        Assert.Equal(free + 1, _machine.Allocator.FreeFrames);
    }

    [Fact]
    public void EventPorts_BindToWhatWaitsForDomain0()
    {
        var ports = new MachineEventPorts(_machine);
        Assert.Equal(XenErrno.OK, DomainControl.AllocateUnbound(_domain, out EvtchnPort waiting));
        Assert.Equal(XenErrno.ESRCH, ports.BindInterdomain(new DomId(99), waiting, out IEventPort? port));
        Assert.Null(port);
        Assert.Equal(XenErrno.EINVAL, ports.BindInterdomain(_domain.Id, new EvtchnPort(500), out port));
        Assert.Null(port);
        Assert.Equal(XenErrno.OK, ports.BindInterdomain(_domain.Id, waiting, out port));
        int calls = 0;
        port!.SetHandler(() => calls++);
        Assert.Equal(1, calls); // For what came before there was a handler.
        Assert.Equal(XenErrno.OK, _domain.Events.Send(waiting));
        Assert.Equal(2, calls);
        port.Notify();
        Assert.True(_domain.Events.IsPending(waiting));
        Assert.Equal(XenErrno.EINVAL, ports.BindInterdomain(_domain.Id, waiting, out _));
        port.Dispose();
        Assert.Equal(XenErrno.OK, ports.BindInterdomain(_domain.Id, waiting, out port));
        port!.Dispose();
    }

    internal sealed class NoEngine : ICpuEngine
    {
        public ulong? InstructionsRetired => 0;

        public CpuExit Run(long budget) => new(CpuExitReason.BudgetSpent);
    }
}
