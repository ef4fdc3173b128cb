using Xen.Abi;

namespace Xen.Core.Tests.Domains;

/// <summary>sched_op as a guest makes it; the vCPU is on no processor.</summary>
public sealed class SchedOpTests : IDisposable
{
    private static readonly ulong Arguments = TestGuest.AddressOf(8);

    private readonly TestGuest _guest = new();

    [Fact]
    public void Block_UnmasksUpcalls_AndBlocks()
    {
        _guest.Vcpu.Info.UpcallMask = true;
        Assert.Equal(0, Op(SchedOperation.Block));

        Assert.False(_guest.Vcpu.Info.UpcallMask);
        Assert.True(_guest.Vcpu.IsBlocked);
        _guest.Vcpu.Wake();
        Assert.False(_guest.Vcpu.IsBlocked);
    }

    [Fact]
    public void Poll_OfAPendingPort_DoesNotWait()
    {
        Assert.Equal(XenErrno.OK, _guest.Domain.Events.BindIpi(0, out EvtchnPort port));
        Assert.Equal(XenErrno.OK, _guest.Domain.Events.Send(port));
        _guest.Vcpu.Info.UpcallMask = true;
        Poll([port.Value], 0, 0);
        Assert.False(_guest.Vcpu.IsBlocked);
    }

    [Fact]
    public void Poll_IsEndedByItsPort_AndByNoOther()
    {
        Assert.Equal(XenErrno.OK, _guest.Domain.Events.BindIpi(1, out EvtchnPort polled));
        Assert.Equal(XenErrno.OK, _guest.Domain.Events.BindIpi(1, out EvtchnPort other));
        Poll([polled.Value], 0, 0);
        Assert.True(_guest.Vcpu.IsBlocked);

        Assert.Equal(XenErrno.OK, _guest.Domain.Events.Send(other));
        Assert.True(_guest.Vcpu.IsBlocked);
        Assert.Equal(XenErrno.OK, _guest.Domain.Events.Send(polled));
        Assert.False(_guest.Vcpu.IsBlocked);
    }

    [Fact]
    public void Hostile_Poll_IsRefused()
    {
        Poll([1], 129, XenErrno.EINVAL);
        Poll([4096], 0, XenErrno.EINVAL);
        _guest.Write(Arguments, new SchedPoll { Ports = 0x666, NrPorts = 3 });
        Assert.Equal(-(long)XenErrno.EFAULT, Op(SchedOperation.Poll, Arguments));
        Assert.False(_guest.Vcpu.IsBlocked);
    }

    [Theory]
    [InlineData(ShutdownReason.Poweroff)]
    [InlineData(ShutdownReason.Reboot)]
    [InlineData(ShutdownReason.Suspend)]
    public void Shutdown_KeepsTheFirstReason(ShutdownReason reason)
    {
        _guest.Write(Arguments, new SchedShutdown { Reason = reason });
        Assert.Equal(0, Op(SchedOperation.Shutdown, Arguments));
        Assert.True(_guest.Domain.IsShutDown);
        Assert.Equal(reason, _guest.Domain.ShutdownReason);

        _guest.Domain.Shutdown(ShutdownReason.Crash);
        Assert.Equal(reason, _guest.Domain.ShutdownReason);
    }

    [Fact]
    public void ShutdownCode_OverridesTheReasonOfTheShutdownThatFollows()
    {
        _guest.Write(Arguments, new SchedShutdown { Reason = ShutdownReason.Watchdog });
        Assert.Equal(0, Op(SchedOperation.ShutdownCode, Arguments));
        Assert.False(_guest.Domain.IsShutDown);
        _guest.Domain.Shutdown(ShutdownReason.Poweroff);
        Assert.Equal(ShutdownReason.Watchdog, _guest.Domain.ShutdownReason);
    }

    [Fact]
    public void Crash_ByTheGuest_LeavesAReport()
    {
        _guest.Registers.Rip = 0x1234_5678;
        _guest.Write(Arguments, new SchedShutdown { Reason = ShutdownReason.Crash });
        Assert.Equal(0, Op(SchedOperation.Shutdown, Arguments));

        Assert.Equal(ShutdownReason.Crash, _guest.Domain.ShutdownReason);
        Assert.Contains("0000000012345678", _guest.Domain.CrashReport, StringComparison.Ordinal);
        Assert.Contains(_guest.Machine.Log.Read(), line => line.Contains("crashed", StringComparison.Ordinal));
    }

    [Fact]
    public void Hostile_ShutdownReason_IsEinval()
    {
        _guest.Write(Arguments, new SchedShutdown { Reason = (ShutdownReason)6 });
        Assert.Equal(-(long)XenErrno.EINVAL, Op(SchedOperation.Shutdown, Arguments));
        Assert.False(_guest.Domain.IsShutDown);
    }

    [Fact]
    public void RemoteShutdown_IsForThePrivileged()
    {
        _guest.Write(Arguments, new SchedRemoteShutdown { DomainId = _guest.Domain.Id, Reason = ShutdownReason.Crash });
        Assert.Equal(-(long)XenErrno.EPERM, Op(SchedOperation.RemoteShutdown, Arguments));
        _guest.Write(Arguments, new SchedRemoteShutdown { DomainId = new DomId(77), Reason = ShutdownReason.Crash });
        Assert.Equal(-(long)XenErrno.ESRCH, Op(SchedOperation.RemoteShutdown, Arguments));
    }

    [Fact]
    public void Watchdogs_AreTwo_AndCanBePokedAndEnded()
    {
        Assert.Equal(1, Watchdog(0, 1000));
        Assert.Equal(2, Watchdog(0, 1000));
        Assert.Equal(-(long)XenErrno.ENOSPC, Watchdog(0, 1000));
        Assert.Equal(0, Watchdog(1, 2000));
        Assert.Equal(0, Watchdog(1, 0));
        Assert.Equal(-(long)XenErrno.EINVAL, Watchdog(1, 2000));
        Assert.Equal(-(long)XenErrno.EINVAL, Watchdog(3, 1));
        Assert.Equal(-(long)XenErrno.EINVAL, Watchdog(0, 0));
        Assert.Equal(1, Watchdog(0, 1000));
    }

    [Fact]
    public void Watchdog_ThatIsNotPoked_ShutsTheDomainDown()
    {
        using var reported = new ManualResetEventSlim();
        _guest.Machine.DomainShutdown += _ => reported.Set();
        Assert.Equal(1, Watchdog(0, 1));
        TestMachine.WaitFor(reported);
        Assert.Equal(ShutdownReason.Watchdog, _guest.Domain.ShutdownReason);
    }

    [Fact]
    public void CompatInterface_TakesTheReasonItself()
    {
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SchedOpCompat, (ulong)SchedOperation.Yield));
        Assert.Equal(-(long)XenErrno.ENOSYS, _guest.Hypercall(HypercallNumber.SchedOpCompat, (ulong)SchedOperation.Poll));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SchedOpCompat, (ulong)SchedOperation.Shutdown, (ulong)ShutdownReason.Reboot));
        Assert.Equal(ShutdownReason.Reboot, _guest.Domain.ShutdownReason);
    }

    public void Dispose() => _guest.Dispose();

    private long Op(SchedOperation operation, ulong argument = 0) => _guest.Hypercall(HypercallNumber.SchedOp, (ulong)operation, argument);

    private long Watchdog(uint id, uint timeout)
    {
        _guest.Write(Arguments, new SchedWatchdog { Id = id, Timeout = timeout });
        return Op(SchedOperation.Watchdog, Arguments);
    }

    private void Poll(ReadOnlySpan<uint> ports, uint count, XenErrno expected)
    {
        ulong list = Arguments + 64;
        for (int i = 0; i < ports.Length; i++)
            _guest.Write(list + ((ulong)i * 4), ports[i]);
        _guest.Write(Arguments, new SchedPoll { Ports = list, NrPorts = count == 0 ? (uint)ports.Length : count });
        Assert.Equal(-(long)expected, Op(SchedOperation.Poll, Arguments));
    }
}
