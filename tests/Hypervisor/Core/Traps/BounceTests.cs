using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Traps;

/// <summary>The frames that a guest kernel finds on its stack, word by word.</summary>
public sealed class BounceTests : IDisposable
{
    private const ulong Handler = 0xFFFF_FFFF_8100_1000, UserRip = 0x40_1234, UserRsp = 0x7FFF_0000_1238, KernelRip = 0xFFFF_FFFF_8123_4567;
    private const ulong UserFlags = 0x20_0246 | (ulong)RFlags.Trap | (ulong)RFlags.AlignmentCheck | (ulong)RFlags.NestedTask;
    private const ulong KernelCsSeen = 0xE030, UserCs = 0x33, UserSs = 0x2B, KernelSs = 0xE02B;
    private const byte GateMasks = TrapInfo.MaskEventsFlag, GateForEverybody = 3;

    private readonly TestGuest _guest = new();

    private ulong KernelStack { get; } = TestGuest.AddressOf(12);

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void ExceptionInUserMode_PushesTheFrameOnTheKernelStack()
    {
        EnterUserMode();
        SetGate(TrapVector.GeneralProtection, 0);
        Handle(CpuExit.Exception((byte)TrapVector.GeneralProtection, 0x32));

        ulong savedFlags = UserFlags | (ulong)RFlags.Interrupt;
        ulong rsp = KernelStack - 64;
        Assert.Equal([0xCCul, 0x11ul, 0x32, UserRip, UserCs, savedFlags, UserRsp, UserSs], _guest.ReadWords(rsp, 8));
        AssertInKernel(rsp, Handler);
        Assert.False(_guest.Vcpu.Info.UpcallMask);
    }

    [Fact]
    public void ExceptionWithoutErrorCode_PushesSevenWords_AlignedToSixteen()
    {
        EnterUserMode();
        _guest.Vcpu.Traps.KernelSp = KernelStack - 8;
        SetGate(TrapVector.DivideError, 0);
        Handle(CpuExit.Exception((byte)TrapVector.DivideError));

        ulong rsp = KernelStack - 16 - 56;
        Assert.Equal([0xCCul, 0x11ul, UserRip, UserCs], _guest.ReadWords(rsp, 4));
        AssertInKernel(rsp, Handler);
    }

    [Fact]
    public void ExceptionInKernelMode_StaysOnItsStack_AndSeesItsOwnSelectorWithoutPrivilegeLevel()
    {
        ulong rsp = EnterKernelMode();
        SetGate(TrapVector.InvalidOpcode, GateMasks);
        Handle(CpuExit.Exception((byte)TrapVector.InvalidOpcode));

        ulong frame = (rsp & ~15ul) - 56;
        Assert.Equal([0xCCul, 0x11ul, KernelRip, KernelCsSeen, 0x246ul, rsp, KernelSs], _guest.ReadWords(frame, 7));
        AssertInKernel(frame, Handler);
        Assert.True(_guest.Vcpu.Info.UpcallMask);
    }

    [Fact]
    public void MaskedEvents_AreRememberedInTheFrame_AndShownAsClearInterruptFlag()
    {
        EnterKernelMode();
        _guest.Vcpu.Info.UpcallMask = true;
        SetGate(TrapVector.InvalidOpcode, 0);
        Handle(CpuExit.Exception((byte)TrapVector.InvalidOpcode));

        ulong[] frame = _guest.ReadWords(_guest.Registers.Gpr[Gpr.Rsp], 7);
        Assert.Equal(KernelCsSeen | (1ul << 32), frame[3]);
        Assert.Equal(0x046ul, frame[4]);
        Assert.True(_guest.Vcpu.Info.UpcallMask);
    }

    [Theory]
    [InlineData(GuestMode.Kernel, 6u, 2u)]
    [InlineData(GuestMode.Kernel, 0x14u, 0x10u)]
    [InlineData(GuestMode.User, 6u, 6u)]
    [InlineData(GuestMode.User, 7u, 7u)]
    public void PageFault_TellsAddressAndTheModeThatTheGuestThinksItIsIn(GuestMode mode, uint errorCode, uint seen)
    {
        if (mode == GuestMode.User)
            EnterUserMode();
        else
            EnterKernelMode();
        SetGate(TrapVector.PageFault, GateMasks);
        Handle(CpuExit.Exception((byte)TrapVector.PageFault, errorCode, 0xDEAD_B000));

        Assert.Equal(seen, _guest.ReadWords(_guest.Registers.Gpr[Gpr.Rsp], 8)[2]);
        Assert.Equal(0xDEAD_B000ul, _guest.Vcpu.Info.Cr2);
    }

    [Fact]
    public void EventUpcall_EntersTheCallbackWithEventsMasked()
    {
        EnterUserMode();
        _guest.Vcpu.Traps.EventCallback = new GuestCallback(Handler, false);
        _ = _guest.Vcpu.Info.TestAndSetUpcallPending();
        ExitDispatcher.BeforeEntry(_guest.Vcpu);

        ulong rsp = KernelStack - 64;
        Assert.Equal([0xCCul, 0x11ul, UserRip, UserCs], _guest.ReadWords(rsp + 8, 4));
        AssertInKernel(rsp + 8, Handler);
        Assert.True(_guest.Vcpu.Info.UpcallMask);
        Assert.False(_guest.Vcpu.HasPendingUpcall);
    }

    [Fact]
    public void EventUpcall_WhileMasked_WaitsForIret()
    {
        ulong rsp = EnterKernelMode();
        _guest.Vcpu.Traps.EventCallback = new GuestCallback(Handler, false);
        _ = _guest.Vcpu.Info.TestAndSetUpcallPending();
        _guest.Vcpu.Info.UpcallMask = true;
        ExitDispatcher.BeforeEntry(_guest.Vcpu);
        Assert.Equal(KernelRip, _guest.Registers.Rip);
        Assert.Equal(rsp, _guest.Registers.Gpr[Gpr.Rsp]);
    }

    [Fact]
    public void SystemCall_EntersTheCallback_WithTheReturnAddressInRcxAndTheFlagsInR11()
    {
        EnterUserMode();
        _guest.Vcpu.Traps.SyscallCallback = new GuestCallback(Handler, true);
        Handle(new CpuExit(CpuExitReason.SystemCall));

        ulong rsp = KernelStack - 64 + 8;
        Assert.Equal(
            [UserRip, UserFlags, UserRip, 0xE033ul, UserFlags | (ulong)RFlags.Interrupt, UserRsp, 0xE02Bul], _guest.ReadWords(rsp, 7));
        AssertInKernel(rsp, Handler);
        Assert.True(_guest.Vcpu.Info.UpcallMask);
    }

    [Fact]
    public void SystemCall_WithoutCallback_IsAnInvalidOpcodeAtTheInstruction()
    {
        EnterUserMode();
        SetGate(TrapVector.InvalidOpcode, 0);
        Handle(new CpuExit(CpuExitReason.SystemCall));
        Assert.Equal(UserRip - 2, _guest.ReadWords(_guest.Registers.Gpr[Gpr.Rsp], 7)[2]);
    }

    [Fact]
    public void ModeSwitch_ExchangesTheBasesOfGs()
    {
        EnterUserMode();
        SetGate(TrapVector.DivideError, 0);
        Handle(CpuExit.Exception((byte)TrapVector.DivideError));
        Assert.Equal((0x2000ul, 0x1000ul), (_guest.Registers.GsBase, _guest.Vcpu.State.InactiveGsBase));
    }

    [Theory]
    [InlineData(GuestMode.User, GateForEverybody, true)]
    [InlineData(GuestMode.User, 1, false)]
    [InlineData(GuestMode.User, 0, false)]
    [InlineData(GuestMode.Kernel, GateForEverybody, true)]
    [InlineData(GuestMode.Kernel, 1, true)]
    [InlineData(GuestMode.Kernel, 0, false)]
    public void SoftwareInterrupt_NeedsTheGatesPrivilege(GuestMode mode, byte level, bool allowed)
    {
        ulong rip = UserRip;
        if (mode == GuestMode.User)
            EnterUserMode();
        else
            (rip, _) = (KernelRip, EnterKernelMode());
        _guest.Vcpu.Traps.SetGate(new TrapInfo { Vector = 0x80, Flags = level, Cs = 0x10, Address = Handler });
        SetGate(TrapVector.GeneralProtection, 0, Handler + 0x100);
        Handle(new CpuExit(CpuExitReason.SoftwareInterrupt, 0x80, 2));

        ulong[] frame = _guest.ReadWords(_guest.Registers.Gpr[Gpr.Rsp], 8);
        if (allowed)
            Assert.Equal((Handler, rip), (_guest.Registers.Rip, frame[2]));
        else
            Assert.Equal((Handler + 0x100, 0x402ul, rip - 2), (_guest.Registers.Rip, frame[2], frame[3]));
    }

    [Fact]
    public void SoftwareInterrupt_WithoutGate_IsAGeneralProtectionFaultWithItsSelector()
    {
        EnterUserMode();
        SetGate(TrapVector.GeneralProtection, 0);
        Handle(new CpuExit(CpuExitReason.SoftwareInterrupt, 0x20, 2));
        Assert.Equal(0x102ul, _guest.ReadWords(_guest.Registers.Gpr[Gpr.Rsp], 8)[2]);
    }

    [Fact]
    public void Breakpoint_IsEverybodysWhateverTheGateSays()
    {
        EnterUserMode();
        SetGate(TrapVector.Breakpoint, 0);
        Handle(new CpuExit(CpuExitReason.SoftwareInterrupt, 3, 1));
        Assert.Equal(Handler, _guest.Registers.Rip);
        Assert.Equal(UserRip, _guest.ReadWords(_guest.Registers.Gpr[Gpr.Rsp], 7)[2]);
    }

    [Fact]
    public void DeviceNotAvailable_ClearsTaskSwitched()
    {
        EnterUserMode();
        SetGate(TrapVector.DeviceNotAvailable, 0);
        _guest.Vcpu.State.TaskSwitched = true;
        Handle(CpuExit.Exception((byte)TrapVector.DeviceNotAvailable));
        Assert.False(_guest.Vcpu.State.TaskSwitched);
        Assert.Equal(Handler, _guest.Registers.Rip);
    }

    [Fact]
    public void Iret_ReturnsToWhereAnExceptionCameFrom()
    {
        EnterUserMode();
        SetGate(TrapVector.DivideError, GateMasks);
        RegisterFile before = _guest.Registers;
        Handle(CpuExit.Exception((byte)TrapVector.DivideError));

        // What a kernel does before iret: it turns the frame into an iret_context by putting flags and rax below.
        ulong[] frame = _guest.ReadWords(_guest.Registers.Gpr[Gpr.Rsp], 7);
        Iret([before.Gpr[Gpr.Rax], frame[1], frame[0], 0, .. frame[2..]]);

        Assert.Equal(GuestMode.User, _guest.Vcpu.State.Mode);
        for (int register = 0; register < 16; register++)
            Assert.Equal(before.Gpr[register], _guest.Registers.Gpr[register]);
        Assert.Equal((before.Rip, before.Cs, before.Ss, before.Rflags), (_guest.Registers.Rip, _guest.Registers.Cs, _guest.Registers.Ss, _guest.Registers.Rflags));
        Assert.Equal((before.GsBase, before.FsBase), (_guest.Registers.GsBase, _guest.Registers.FsBase));
        Assert.False(_guest.Vcpu.Info.UpcallMask);
    }

    [Fact]
    public void Iret_ToTheKernel_ForcesPrivilegeLevelThree_AndMasksByTheInterruptFlag()
    {
        EnterKernelMode();
        Iret([1, 2, 3, 0, KernelRip, KernelCsSeen | (1ul << 32), 0x3046, 0x1000, 0xE028]);
        Assert.Equal(GuestMode.Kernel, _guest.Vcpu.State.Mode);
        Assert.Equal((FlatSelectors.KernelCs, FlatSelectors.KernelSs), (_guest.Registers.Cs, _guest.Registers.Ss));
        Assert.Equal(0x246ul, _guest.Registers.Rflags);
        Assert.Equal((1ul, 2ul, 3ul), (_guest.Registers.Gpr[Gpr.Rax], _guest.Registers.Gpr[Gpr.R11], _guest.Registers.Gpr[Gpr.Rcx]));
        Assert.True(_guest.Vcpu.Info.UpcallMask);
    }

    [Fact]
    public void Iret_InSyscall_ReturnsAsSysretDoes()
    {
        EnterKernelMode();
        Iret([1, 2, 3, (ulong)VcpuGuestContextFlags.InSyscall, UserRip, 3, 0x246, UserRsp, 0]);
        Assert.Equal((UserRip, 0x246ul), (_guest.Registers.Gpr[Gpr.Rcx], _guest.Registers.Gpr[Gpr.R11]));
        Assert.Equal((FlatSelectors.UserCs64, FlatSelectors.UserSs64), (_guest.Registers.Cs, _guest.Registers.Ss));
        Assert.Equal((GuestMode.User, UserRip, UserRsp), (_guest.Vcpu.State.Mode, _guest.Registers.Rip, _guest.Registers.Gpr[Gpr.Rsp]));
    }

    [Theory]
    [InlineData(0x8000_0000_0000ul, 0x33ul)]
    [InlineData(UserRip, 0x23ul)]
    [InlineData(UserRip, 3ul)]
    [InlineData(UserRip, 0xFFFFul)]
    public void Iret_ToWhereNobodyCanReturn_CallsTheFailsafeCallback(ulong rip, ulong cs)
    {
        EnterKernelMode();
        _guest.Vcpu.Traps.KernelSp = KernelStack;
        _guest.Vcpu.Traps.FailsafeCallback = new GuestCallback(Handler, true);
        (_guest.Registers.Ds, _guest.Registers.Es, _guest.Registers.Fs, _guest.Registers.Gs) = (1, 2, 3, 4);
        Iret([1, 2, 3, 0, rip, cs, 0x246, UserRsp, UserSs]);
        ulong rsp = KernelStack - 88 - 8;
        Assert.Equal([3ul, 2, 1, 2, 3, 4, rip, cs, 0x246, UserRsp, UserSs], _guest.ReadWords(rsp + 8, 11));
        AssertInKernel(rsp + 8, Handler);
        Assert.True(_guest.Vcpu.Info.UpcallMask);
    }

    [Fact]
    public void KernelStackThatCannotBeWritten_IsATripleFault()
    {
        EnterUserMode();
        _guest.Vcpu.Traps.KernelSp = 0x1000;
        SetGate(TrapVector.DivideError, 0);
        Handle(CpuExit.Exception((byte)TrapVector.DivideError));
        AssertCrashed("triple fault");
    }

    [Fact]
    public void ExceptionWithoutHandler_CrashesTheDomain()
    {
        EnterUserMode();
        Handle(CpuExit.Exception((byte)TrapVector.GeneralProtection));
        AssertCrashed("unhandled exception");
    }

    [Fact]
    public void Iret_WithoutFrame_CrashesTheDomain()
    {
        EnterKernelMode();
        _guest.Registers.Gpr[Gpr.Rsp] = 0x8000_0000_0000_0000;
        _guest.Registers.Gpr[Gpr.Rax] = (ulong)HypercallNumber.Iret;
        Handle(new CpuExit(CpuExitReason.Hypercall));
        AssertCrashed("iret");
    }

    [Fact]
    public void Iret_ToNowhere_WithoutFailsafeCallback_CrashesTheDomain()
    {
        EnterKernelMode();
        Iret([1, 2, 3, 0, 0x8000_0000_0000, UserCs, 0x246, UserRsp, UserSs]);
        AssertCrashed("failsafe");
    }

    private void AssertCrashed(string reason)
    {
        Assert.True(_guest.Domain.IsShutDown);
        Assert.Equal(ShutdownReason.Crash, _guest.Domain.ShutdownReason);
        Assert.Contains(reason, _guest.Domain.CrashReport, StringComparison.Ordinal);
    }

    private void Handle(CpuExit exit) => ExitDispatcher.Handle(_guest.Vcpu, exit);

    private void Iret(ReadOnlySpan<ulong> context)
    {
        ulong rsp = TestGuest.AddressOf(14);
        _guest.WriteWords(rsp, context);
        _guest.Registers.Gpr[Gpr.Rsp] = rsp;
        _guest.Registers.Gpr[Gpr.Rax] = (ulong)HypercallNumber.Iret;
        Handle(new CpuExit(CpuExitReason.Hypercall));
    }

    private void SetGate(TrapVector vector, byte flags, ulong handler = Handler) =>
        _guest.Vcpu.Traps.SetGate(new TrapInfo { Vector = (byte)vector, Flags = flags, Cs = 0x10, Address = handler });

    private void EnterUserMode()
    {
        SetRegisters();
        _guest.Vcpu.State.InactiveGsBase = 0x1000;
        _guest.Registers.GsBase = 0x2000;
        _guest.Vcpu.State.SwitchMode(GuestMode.User);
        _guest.Registers.Rip = UserRip;
        _guest.Registers.Gpr[Gpr.Rsp] = UserRsp;
        _guest.Registers.Cs = (ushort)UserCs;
        _guest.Registers.Ss = (ushort)UserSs;
        _guest.Registers.Rflags = UserFlags;
        _guest.Vcpu.Traps.KernelSp = KernelStack;
    }

    private ulong EnterKernelMode()
    {
        SetRegisters();
        ulong rsp = TestGuest.AddressOf(13) + 0x808;
        _guest.Registers.Rip = KernelRip;
        _guest.Registers.Gpr[Gpr.Rsp] = rsp;
        _guest.Registers.Rflags = 0x246;
        return rsp;
    }

    private void SetRegisters()
    {
        for (int register = 0; register < 16; register++)
            _guest.Registers.Gpr[register] = 0x100ul + (uint)register;
        _guest.Registers.Gpr[Gpr.Rcx] = 0xCC;
        _guest.Registers.Gpr[Gpr.R11] = 0x11;
    }

    private void AssertInKernel(ulong rsp, ulong rip)
    {
        const RFlags Cleared = RFlags.Trap | RFlags.NestedTask | RFlags.AlignmentCheck | RFlags.Resume | RFlags.Virtual8086;
        Assert.Equal(GuestMode.Kernel, _guest.Vcpu.State.Mode);
        Assert.Equal((rsp, rip), (_guest.Registers.Gpr[Gpr.Rsp], _guest.Registers.Rip));
        Assert.Equal((FlatSelectors.KernelCs, FlatSelectors.KernelSs), (_guest.Registers.Cs, _guest.Registers.Ss));
        Assert.Equal(RFlags.None, (RFlags)_guest.Registers.Rflags & Cleared);
    }
}
