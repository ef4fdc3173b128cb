using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Domains;

/// <summary>vcpu_op as a guest makes it.</summary>
public sealed class VcpuOpTests : IDisposable
{
    private static readonly ulong Arguments = TestGuest.AddressOf(8);

    private readonly TestGuest _guest = new();

    [Fact]
    public void IsUp_OfAVcpuBeyondTheLast_IsEnoent()
    {
        Assert.Equal(0, Op(VcpuOperation.IsUp, 1));
        Assert.Equal(-(long)XenErrno.ENOENT, Op(VcpuOperation.IsUp, 2));
        Assert.Equal(-(long)XenErrno.ENOENT, Op(VcpuOperation.IsUp, uint.MaxValue));
    }

    [Fact]
    public void Up_BeforeInitialise_IsEinval()
    {
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.Up, 1));
    }

    [Fact]
    public void Initialise_SetsTheRegisters_Once()
    {
        VcpuGuestContext context = Context();
        context.UserRegs.Rip = 0xFFFF_FFFF_8123_4567;
        context.UserRegs.R15 = 15;
        context.UserRegs.Rdi = 7;
        context.UserRegs.Rflags = ulong.MaxValue;
        context.UserRegs.Cs = 0xE030;
        context.GsBaseKernel = 0xFFFF_8880_0000_1000;
        context.GsBaseUser = 0x7000;
        context.KernelSp = 0x5000;
        context.EventCallbackEip = 0xFFFF_FFFF_8000_0010;
        _guest.Write(Arguments, context);

        Assert.Equal(0, Op(VcpuOperation.Initialise, 1, Arguments));

        VcpuState state = _guest.Domain.Vcpus[1].State;
        Assert.Equal(0xFFFF_FFFF_8123_4567, state.Registers.Rip);
        Assert.Equal(15ul, state.Registers.Gpr[15]);
        Assert.Equal(7ul, state.Registers.Gpr[Gpr.Rdi]);
        Assert.Equal(0xE033, state.Registers.Cs);
        Assert.Equal(0ul, state.Registers.Rflags & (3ul << 12));
        Assert.Equal(0x202ul, state.Registers.Rflags & 0x202);
        Assert.Equal(0xFFFF_8880_0000_1000, state.Registers.GsBase);
        Assert.Equal(0x7000ul, state.InactiveGsBase);
        Assert.Equal(GuestMode.Kernel, state.Mode);
        Assert.Equal(0x5000ul, _guest.Domain.Vcpus[1].Traps.KernelSp);
        Assert.Equal(_guest.Vcpu.State.KernelRoot, state.KernelRoot);

        Assert.Equal(-(long)XenErrno.EEXIST, Op(VcpuOperation.Initialise, 1, Arguments));
        Assert.Equal(0, Op(VcpuOperation.Up, 1));
        Assert.Equal(1, Op(VcpuOperation.IsUp, 1));
        Assert.Equal(0, Op(VcpuOperation.Down, 1));
        Assert.Equal(0, Op(VcpuOperation.IsUp, 1));
    }

    [Fact]
    public void Hostile_Initialise_WithARootThatIsNoTable_IsEinval_AndCanBeRepeated()
    {
        VcpuGuestContext context = Context();
        context.Ctrlreg[3] = _guest.Domain.FrameOf(new Pfn(20)).Address;
        context.GdtEnts = 0;
        _guest.Write(TestGuest.AddressOf(20), ulong.MaxValue);
        _guest.Write(Arguments, context);
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.Initialise, 1, Arguments));

        _guest.Write(Arguments, Context());
        Assert.Equal(0, Op(VcpuOperation.Initialise, 1, Arguments));
    }

    [Fact]
    public void Hostile_Initialise_WithAddressesThatAreNotCanonical_IsEinval()
    {
        VcpuGuestContext context = Context();
        context.UserRegs.Rip = 1ul << 50;
        _guest.Write(Arguments, context);
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.Initialise, 1, Arguments));

        context = Context();
        context.GsBaseKernel = 1ul << 60;
        _guest.Write(Arguments, context);
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.Initialise, 1, Arguments));
    }

    [Fact]
    public void Argument_ThatCannotBeRead_IsEfault()
    {
        foreach (VcpuOperation operation in (VcpuOperation[])
        [
            VcpuOperation.Initialise, VcpuOperation.GetRunstateInfo, VcpuOperation.RegisterRunstateMemoryArea, VcpuOperation.SetPeriodicTimer,
            VcpuOperation.SetSingleshotTimer, VcpuOperation.RegisterVcpuInfo, VcpuOperation.RegisterVcpuTimeMemoryArea,
        ])
        {
            Assert.Equal(-(long)XenErrno.EFAULT, Op(operation, 0, 0x1234_5678));
        }
    }

    [Fact]
    public void SetSingleshot_InThePast_IsEtimeOnlyWhenAskedFor()
    {
        _guest.Write(Arguments, new VcpuSetSingleshotTimer { TimeoutAbsNs = 1, Flags = SingleshotTimerFlags.Future });
        Assert.Equal(-(long)XenErrno.ETIME, Op(VcpuOperation.SetSingleshotTimer, 0, Arguments));
        _guest.Write(Arguments, new VcpuSetSingleshotTimer { TimeoutAbsNs = 1 });
        Assert.Equal(0, Op(VcpuOperation.SetSingleshotTimer, 0, Arguments));
    }

    [Fact]
    public void SetSingleshot_OfAnotherVcpu_IsEinval()
    {
        _guest.Write(Arguments, new VcpuSetSingleshotTimer { TimeoutAbsNs = 1 });
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.SetSingleshotTimer, 1, Arguments));
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.StopSingleshotTimer, 1));
    }

    [Theory]
    [InlineData(999_999, XenErrno.EINVAL)]
    [InlineData(1_000_000, XenErrno.OK)]
    [InlineData(ulong.MaxValue, XenErrno.EINVAL)]
    public void SetPeriodic_TakesAMillisecondOrMore(ulong period, XenErrno expected)
    {
        _guest.Write(Arguments, new VcpuSetPeriodicTimer { PeriodNs = period });
        Assert.Equal(-(long)expected, Op(VcpuOperation.SetPeriodicTimer, 0, Arguments));
    }

    [Fact]
    public void SingleshotTimer_RaisesTheTimerLine()
    {
        Assert.Equal(XenErrno.OK, _guest.Domain.Events.BindVirq((uint)VirtualIrq.Timer, 0, out EvtchnPort port));
        _guest.Write(Arguments, new VcpuSetSingleshotTimer { TimeoutAbsNs = _guest.Machine.Clock.Now + 2_000_000 });
        Assert.Equal(0, Op(VcpuOperation.SetSingleshotTimer, 0, Arguments));

        Assert.True(SpinWait.SpinUntil(() => _guest.Domain.Events.IsPending(port), TestMachine.Patience));
    }

    [Fact]
    public void SetTimerOp_InThePast_RaisesTheLineAtOnce_AndZeroCancels()
    {
        Assert.Equal(XenErrno.OK, _guest.Domain.Events.BindVirq((uint)VirtualIrq.Timer, 0, out EvtchnPort port));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetTimerOp, ulong.MaxValue));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetTimerOp, 0));
        Assert.False(_guest.Domain.Events.IsPending(port));

        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetTimerOp, 1));
        Assert.True(_guest.Domain.Events.IsPending(port));
    }

    [Fact]
    public void RegisterVcpuInfo_MovesClockAndPendingState_Once()
    {
        ulong place = TestGuest.AddressOf(12);
        var frame = new Gfn(_guest.Domain.FrameOf(new Pfn(12)).Value);
        _guest.Write(Arguments, new VcpuRegisterVcpuInfo { Mfn = frame, Offset = 64 });
        Assert.Equal(0, Op(VcpuOperation.RegisterVcpuInfo, 0, Arguments));

        VcpuTimeInfo time = _guest.Read<VcpuTimeInfo>(place + 64 + VcpuInfoLayout.Time);
        Assert.Equal(0u, time.Version & 1);
        Assert.Equal(0x8000_0000u, time.TscToSystemMul);
        Assert.Equal(1, time.TscShift);
        Assert.True(_guest.Vcpu.Info.UpcallPending);

        _guest.Write(Arguments, new VcpuRegisterVcpuInfo { Mfn = frame, Offset = 128 });
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.RegisterVcpuInfo, 0, Arguments));
    }

    [Theory]
    [InlineData(12, 4096 - 56)]
    [InlineData(12, 4)]
    [InlineData(0, 0)]
    [InlineData(-1, 0)]
    public void Hostile_RegisterVcpuInfo_OutsideOfTheGuestsOwnPages_IsEinval(int page, uint offset)
    {
        ulong frame = page < 0 ? ulong.MaxValue >> 12 : _guest.Domain.FrameOf(new Pfn((ulong)page)).Value;
        _guest.Write(Arguments, new VcpuRegisterVcpuInfo { Mfn = new Gfn(frame), Offset = offset });
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.RegisterVcpuInfo, 0, Arguments));
    }

    [Fact]
    public void RegisteredRunstateArea_IsWrittenAtOnce()
    {
        ulong area = TestGuest.AddressOf(13) + 8;
        _guest.Domain.SetAssist(VmAssistType.RunstateUpdateFlag, true);
        _guest.Write(Arguments, new VcpuRegisterMemoryArea { Addr = area });
        Assert.Equal(0, Op(VcpuOperation.RegisterRunstateMemoryArea, 0, Arguments));

        VcpuRunstateInfo info = _guest.Read<VcpuRunstateInfo>(area);
        Assert.Equal(0ul, info.StateEntryTime & VcpuRunstateInfo.Update);
        Assert.True(info.Time[(int)Runstate.Offline] > 0);
    }

    [Fact]
    public void RegisteredTimeArea_HasTheClock()
    {
        ulong area = TestGuest.AddressOf(13);
        _guest.Write(Arguments, new VcpuRegisterMemoryArea { Addr = area });
        Assert.Equal(0, Op(VcpuOperation.RegisterVcpuTimeMemoryArea, 0, Arguments));

        VcpuTimeInfo time = _guest.Read<VcpuTimeInfo>(area);
        Assert.Equal(0u, time.Version & 1);
        Assert.Equal(time.TscTimestamp, time.SystemTime);
        Assert.InRange(time.SystemTime, 1ul, _guest.Machine.Clock.Now);
        Assert.Equal(PvclockFlags.TscStable, time.Flags);
    }

    [Fact]
    public void UnknownOperation_IsEnosys()
    {
        Assert.Equal(-(long)XenErrno.ENOSYS, Op((VcpuOperation)99, 0));
        Assert.Equal(-(long)XenErrno.EINVAL, Op(VcpuOperation.GetPhysid, 0, Arguments));
    }

    public void Dispose() => _guest.Dispose();

    private long Op(VcpuOperation operation, uint vcpu, ulong argument = 0) =>
        _guest.Hypercall(HypercallNumber.VcpuOp, (ulong)operation, vcpu, argument);

    private VcpuGuestContext Context()
    {
        var context = new VcpuGuestContext { Flags = VcpuGuestContextFlags.InKernel };
        context.Ctrlreg[3] = _guest.Vcpu.State.KernelRoot.Address;
        return context;
    }
}
