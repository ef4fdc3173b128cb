using System.Text;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Hypercalls;

/// <summary>Each hypercall of traps, versions, assists, devices and the multicall, with good and bad arguments.</summary>
public sealed class HypercallTests : IDisposable
{
    private const ulong Handler = 0xFFFF_FFFF_8100_1000, NotCanonical = 0x8000_0000_0000_0000, Unmapped = 0x1234_0000;

    private readonly TestGuest _guest = new();

    private static ulong Buffer => TestGuest.AddressOf(20);

    private VcpuTraps Traps => _guest.Vcpu.Traps;

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Dispatch_SetsRaxAndWhatSyscallClobbers_AndNothingElse()
    {
        for (int register = 0; register < 16; register++)
            _guest.Registers.Gpr[register] = 0x100ul + (uint)register;
        RegisterFile before = _guest.Registers;
        before.Rip = 0x5000;
        _guest.Registers.Rip = 0x5000;
        _guest.Registers.Gpr[Gpr.Rax] = (ulong)HypercallNumber.XenVersion;
        _guest.Registers.Gpr[Gpr.Rdi] = 0;
        HypercallTable.Dispatch(_guest.Vcpu);

        Assert.Equal(0x0004_0011ul, _guest.Registers.Gpr[Gpr.Rax]);
        Assert.Equal((0x5000ul, _guest.Registers.Rflags), (_guest.Registers.Gpr[Gpr.Rcx], _guest.Registers.Gpr[Gpr.R11]));
        Assert.Equal(0x5000ul, _guest.Registers.Rip);
        for (int register = Gpr.Rdx; register < 16; register++)
        {
            if (register is not (Gpr.R11 or Gpr.Rdi))
                Assert.Equal(before.Gpr[register], _guest.Registers.Gpr[register]);
        }
    }

    [Theory]
    [InlineData(11ul)]
    [InlineData(55ul)]
    [InlineData(56ul)]
    [InlineData(ulong.MaxValue)]
    [InlineData(0x1_0000_0011ul)]
    public void UnknownNumbers_AreNotImplemented_AndCounted(ulong number)
    {
        _guest.Registers.Gpr[Gpr.Rax] = number;
        HypercallTable.Dispatch(_guest.Vcpu);
        Assert.Equal(-(long)XenErrno.ENOSYS, (long)_guest.Registers.Gpr[Gpr.Rax]);
        Assert.NotEqual(0, _guest.Vcpu.Counters.UnknownHypercalls);
    }

    [Theory]
    [InlineData(HypercallNumber.Sysctl, XenErrno.EPERM)]
    [InlineData(HypercallNumber.Domctl, XenErrno.EPERM)]
    [InlineData(HypercallNumber.PlatformOp, XenErrno.EPERM)]
    [InlineData(HypercallNumber.KexecOp, XenErrno.EPERM)]
    [InlineData(HypercallNumber.ConsoleIo, XenErrno.EPERM)]
    [InlineData(HypercallNumber.XenpmuOp, XenErrno.EOPNOTSUPP)]
    [InlineData(HypercallNumber.HvmOp, XenErrno.ENOSYS)]
    [InlineData(HypercallNumber.XsmOp, XenErrno.ENOSYS)]
    public void PrivilegesOfOthers_AreRefused(HypercallNumber number, XenErrno expected) =>
        Assert.Equal(-(long)expected, _guest.Hypercall(number, Buffer));

    [Fact]
    public void SetTrapTable_TakesEntriesUntilAddressZero()
    {
        _guest.Write(Buffer, new TrapInfo { Vector = 14, Flags = 4, Cs = 0x10, Address = Handler });
        _guest.Write(Buffer + 16, new TrapInfo { Vector = 0x80, Flags = 3, Cs = 0x10, Address = Handler + 8 });
        _guest.Write(Buffer + 32, default(TrapInfo));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetTrapTable, Buffer));
        Assert.Equal((Handler, true, 0), (Traps.Gates[14].Address, Traps.Gates[14].MasksEvents, Traps.Gates[14].Dpl));
        Assert.Equal((Handler + 8, false, 3), (Traps.Gates[0x80].Address, Traps.Gates[0x80].MasksEvents, Traps.Gates[0x80].Dpl));
        Assert.Equal(0x13, Traps.Gates[14].Cs);
        Assert.Equal(0ul, Traps.Gates[13].Address);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetTrapTable, 0));
        Assert.Equal(0ul, Traps.Gates[14].Address);
    }

    [Fact]
    public void SetTrapTable_WithBadArguments_SaysSo()
    {
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.SetTrapTable, Unmapped));
        _guest.Write(Buffer, new TrapInfo { Vector = 14, Address = NotCanonical });
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.SetTrapTable, Buffer));
    }

    [Fact]
    public void Hostile_TrapTableWithoutEnd_IsTakenInPieces()
    {
        for (int i = 0; i < 512; i++)
            _guest.Write(Buffer + ((ulong)i * 16), new TrapInfo { Vector = (byte)i, Address = Handler });
        _guest.Registers.Rip = 0x5002;
        Assert.Equal((long)HypercallNumber.SetTrapTable, _guest.Hypercall(HypercallNumber.SetTrapTable, Buffer));
        Assert.Equal((0x5000ul, Buffer + 4096), (_guest.Registers.Rip, _guest.Registers.Gpr[Gpr.Rdi]));
    }

    [Fact]
    public void Callbacks_AreRegisteredWithTheirFlags()
    {
        Register(CallbackType.Event, Handler, CallbackFlags.None, 0);
        Register(CallbackType.Failsafe, Handler + 1, CallbackFlags.MaskEvents, 0);
        Register(CallbackType.Syscall, Handler + 2, CallbackFlags.MaskEvents, 0);
        Register(CallbackType.Syscall32, Handler + 3, CallbackFlags.None, 0);
        Register(CallbackType.Nmi, Handler + 4, CallbackFlags.None, 0);
        Assert.Equal(new GuestCallback(Handler, false), Traps.EventCallback);
        Assert.Equal(new GuestCallback(Handler + 1, true), Traps.FailsafeCallback);
        Assert.Equal(new GuestCallback(Handler + 2, true), Traps.SyscallCallback);
        Assert.Equal(new GuestCallback(Handler + 3, false), Traps.Syscall32Callback);
        Assert.Equal(Handler + 4, Traps.Gates[(int)TrapVector.Nmi].Address);
    }

    [Fact]
    public void Callbacks_WithBadArguments_AreRefused()
    {
        Register(CallbackType.Event, NotCanonical, CallbackFlags.None, XenErrno.EINVAL);
        Register((CallbackType)6, Handler, CallbackFlags.None, XenErrno.ENOSYS);
        Register(CallbackType.Sysenter, Handler, CallbackFlags.None, XenErrno.ENOSYS);
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.CallbackOp, 0, Unmapped));
        Assert.Equal(-(long)XenErrno.ENOSYS, _guest.Hypercall(HypercallNumber.CallbackOp, 2, Buffer));
        Assert.False(Traps.EventCallback.IsRegistered);
    }

    [Theory]
    [InlineData(CallbackType.Event, XenErrno.EINVAL)]
    [InlineData(CallbackType.Syscall, XenErrno.EINVAL)]
    [InlineData(CallbackType.Nmi, XenErrno.OK)]
    [InlineData((CallbackType)99, XenErrno.ENOSYS)]
    public void Callbacks_AreMostlyNotTakenBack(CallbackType type, XenErrno expected)
    {
        _guest.Write(Buffer, (ushort)type);
        Assert.Equal(-(long)expected, _guest.Hypercall(HypercallNumber.CallbackOp, 1, Buffer));
    }

    [Fact]
    public void SetCallbacks_SetsThree_OrNone()
    {
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetCallbacks, 1, 2, 3));
        Assert.Equal((1ul, 2ul, 3ul), (Traps.EventCallback.Address, Traps.FailsafeCallback.Address, Traps.SyscallCallback.Address));
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.SetCallbacks, 4, 5, NotCanonical));
        Assert.Equal(1ul, Traps.EventCallback.Address);
    }

    [Fact]
    public void StackSwitch_SetsTheKernelStack()
    {
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.StackSwitch, 0x18, Handler));
        Assert.Equal((0x1B, Handler), (Traps.KernelSs, Traps.KernelSp));
    }

    [Theory]
    [InlineData(0u, 0x7000ul, XenErrno.OK)]
    [InlineData(1u, 0x7000ul, XenErrno.OK)]
    [InlineData(2u, 0x7000ul, XenErrno.OK)]
    [InlineData(3u, 0ul, XenErrno.OK)]
    [InlineData(3u, 0xFFFFul, XenErrno.OK)]
    [InlineData(4u, 0ul, XenErrno.EINVAL)]
    [InlineData(0u, NotCanonical, XenErrno.EINVAL)]
    [InlineData(1u, NotCanonical, XenErrno.EINVAL)]
    [InlineData(2u, NotCanonical, XenErrno.EINVAL)]
    public void SetSegmentBase_SetsOneBase(uint which, ulong value, XenErrno expected)
    {
        Assert.Equal(-(long)expected, _guest.Hypercall(HypercallNumber.SetSegmentBase, which, value));
        ulong[] bases = [_guest.Registers.FsBase, _guest.Vcpu.State.InactiveGsBase, _guest.Registers.GsBase];
        for (uint i = 0; i < bases.Length; i++)
            Assert.Equal(i == which && expected == XenErrno.OK ? value : 0, bases[i]);
        Assert.Equal(0, _guest.Registers.Gs);
    }

    [Fact]
    public void SetSegmentBase_ByFlatSelector_HasBaseZero()
    {
        _guest.Vcpu.State.InactiveGsBase = 77;
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetSegmentBase, 3, FlatSelectors.UserDs32));
        Assert.Equal((FlatSelectors.UserDs32, 0ul), (_guest.Registers.Gs, _guest.Vcpu.State.InactiveGsBase));
    }

    [Fact]
    public void FpuTaskswitch_SetsTheFlag()
    {
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.FpuTaskswitch, 1));
        Assert.True(_guest.Vcpu.State.TaskSwitched);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.FpuTaskswitch, 0));
        Assert.False(_guest.Vcpu.State.TaskSwitched);
    }

    [Theory]
    [InlineData(0u, 0x401000ul, 0x401000ul)]
    [InlineData(3u, 0xFFFF_FFFF_8000_0000ul, 0xFFFF_FFFF_8000_0000ul)]
    [InlineData(6u, 0ul, 0xFFFF0FF0ul)]
    [InlineData(6u, 0x400Ful, 0xFFFF4FFFul)]
    [InlineData(7u, 0ul, 0x400ul)]
    [InlineData(7u, 0x0001_0101ul, 0x0001_0501ul)]
    [InlineData(4u, 1ul, 0xFFFF0FF1ul)]
    public void DebugRegisters_AreSetAndRead(uint register, ulong value, ulong seen)
    {
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.SetDebugreg, register, value));
        Assert.Equal((long)seen, _guest.Hypercall(HypercallNumber.GetDebugreg, register));
    }

    [Theory]
    [InlineData(0u, 0xFFFF_8000_0000_0000ul, XenErrno.EPERM)]
    [InlineData(1u, NotCanonical, XenErrno.EPERM)]
    [InlineData(7u, 0x2000ul, XenErrno.EPERM)]
    [InlineData(7u, 0x2_0000ul, XenErrno.EPERM)]
    [InlineData(8u, 0ul, XenErrno.ENODEV)]
    [InlineData(uint.MaxValue, 0ul, XenErrno.ENODEV)]
    public void DebugRegisters_RefuseWhatTheGuestMayNotHave(uint register, ulong value, XenErrno expected) =>
        Assert.Equal(-(long)expected, _guest.Hypercall(HypercallNumber.SetDebugreg, register, value));

    [Fact]
    public void XenVersion_TellsWhatTheReferenceHypervisorTells()
    {
        Assert.Equal((4 << 16) | 17, _guest.Hypercall(HypercallNumber.XenVersion, 0, Unmapped));
        Assert.Equal(".0", Text(XenVersionOperation.Extraversion, 16));
        Assert.Equal("xen-3.0-x86_64 ", Text(XenVersionOperation.Capabilities, 1024));
        Assert.Equal("", Text(XenVersionOperation.Changeset, 64));
        Assert.Equal("<denied>", Text(XenVersionOperation.Commandline, 1024));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)XenVersionOperation.PlatformParameters, Buffer));
        Assert.Equal(0xFFFF_8000_0000_0000, _guest.Read<ulong>(Buffer));
        Assert.Equal(4096, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)XenVersionOperation.Pagesize));
        Assert.Equal(-(long)XenErrno.EPERM, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)XenVersionOperation.BuildId, Buffer));
        Assert.Equal(-(long)XenErrno.ENOSYS, _guest.Hypercall(HypercallNumber.XenVersion, 11, Buffer));
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)XenVersionOperation.Capabilities, Unmapped));
    }

    [Fact]
    public void XenVersion_TellsTheDomainsHandleAsItIsWritten()
    {
        _guest.Domain.Handle = new Guid("00112233-4455-6677-8899-aabbccddeeff");
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)XenVersionOperation.GuestHandle, Buffer));
        Assert.Equal([0x7766_5544_3322_1100ul, 0xFFEE_DDCC_BBAA_9988ul], _guest.ReadWords(Buffer, 2));
    }

    [Fact]
    public void Features_DependOnAssists()
    {
        Assert.Equal(0u, Features() & (1u << (int)XenFeature.PaePgdirAbove4gb));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.VmAssist, (ulong)VmAssistCommand.Enable, (ulong)VmAssistType.PaeExtendedCr3));
        Assert.NotEqual(0u, Features() & (1u << (int)XenFeature.PaePgdirAbove4gb));
        Assert.NotEqual(0u, Features() & (1u << (int)XenFeature.MmuPtUpdatePreserveAd));
        _guest.Write(Buffer, new FeatureInfo { SubmapIdx = 1 });
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)XenVersionOperation.GetFeatures, Buffer));
    }

    [Fact]
    public void VmAssist_SwitchesWritablePageTables()
    {
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.VmAssist, 0, (ulong)VmAssistType.WritablePagetables));
        Assert.True(_guest.Domain.WritablePageTables);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.VmAssist, 1, (ulong)VmAssistType.WritablePagetables));
        Assert.False(_guest.Domain.WritablePageTables);
    }

    [Theory]
    [InlineData(0ul, 6ul, XenErrno.EINVAL)]
    [InlineData(0ul, 33ul, XenErrno.EINVAL)]
    [InlineData(0ul, ulong.MaxValue, XenErrno.EINVAL)]
    [InlineData(2ul, 2ul, XenErrno.ENOSYS)]
    public void VmAssist_KnowsItsTypes(ulong command, ulong type, XenErrno expected) =>
        Assert.Equal(-(long)expected, _guest.Hypercall(HypercallNumber.VmAssist, command, type));

    [Fact]
    public void ConsoleIo_GoesToTheDebugConsole_InChunks()
    {
        var seen = new StringBuilder();
        _guest.Domain.DebugConsole = bytes => seen.Append(Encoding.ASCII.GetString(bytes.Span));
        var text = new string('x', 1500);
        _guest.Write(Buffer, Encoding.ASCII.GetBytes(text));
        _guest.Registers.Rip = 0x5002;
        Assert.Equal((long)HypercallNumber.ConsoleIo, _guest.Hypercall(HypercallNumber.ConsoleIo, 0, 1500, Buffer));
        Assert.Equal(0x5000ul, _guest.Registers.Rip);
        HypercallTable.Dispatch(_guest.Vcpu);
        Assert.Equal(text, seen.ToString());
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.ConsoleIo, 0, 5, Unmapped));
        Assert.Equal(-(long)XenErrno.EPERM, _guest.Hypercall(HypercallNumber.ConsoleIo, 1, 5, Buffer));
    }

    [Fact]
    public void PhysdevOp_SetsIoPrivileges_AndRefusesDevices()
    {
        _guest.Write(Buffer, 1u);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.SetIopl, Buffer));
        Assert.Equal(1, Traps.Iopl);
        _guest.Write(Buffer, 4u);
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.SetIopl, Buffer));
        _guest.Write(Buffer, new PhysdevSetIobitmap { Bitmap = 0x1234, NrPorts = 65536 });
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.SetIobitmap, Buffer));
        Assert.Equal((0x1234ul, 65536u), (Traps.IoBitmap, Traps.IoBitmapPorts));
        _guest.Write(Buffer, new PhysdevSetIobitmap { NrPorts = 65537 });
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.SetIobitmap, Buffer));
        Assert.Equal(-(long)XenErrno.EPERM, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.MapPirq, Buffer));
        Assert.Equal(-(long)XenErrno.ENOSYS, _guest.Hypercall(HypercallNumber.PhysdevOp, 99, Buffer));
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.SetIopl, Unmapped));
    }

    [Fact]
    public void PhysdevOpCompat_HasTheCommandInFront()
    {
        _guest.Write(Buffer, (uint)PhysdevOperation.SetIopl);
        _guest.Write(Buffer + 8, 3u);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.PhysdevOpCompat, Buffer));
        Assert.Equal(3, Traps.Iopl);
        _guest.Write(Buffer, (uint)PhysdevOperation.MapPirq);
        Assert.Equal(-(long)XenErrno.ENOSYS, _guest.Hypercall(HypercallNumber.PhysdevOpCompat, Buffer));
    }

    [Fact]
    public void PirqEoiFrame_MustBeTheGuestsOwn()
    {
        _guest.Write(Buffer, _guest.Domain.FrameOf(new Pfn(20)).Value);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.PirqEoiGmfnV2, Buffer));
        _guest.Write(Buffer, ulong.MaxValue);
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.PirqEoiGmfnV2, Buffer));
        _guest.Write(Buffer, _guest.Vcpu.State.KernelRoot.Value);
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.PhysdevOp, (ulong)PhysdevOperation.PirqEoiGmfnV2, Buffer));
    }

    [Fact]
    public void NmiOp_SetsTheGate()
    {
        _guest.WriteWords(Buffer, Handler, 0);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.NmiOp, 0, Buffer));
        Assert.Equal(Handler, Traps.Gates[(int)TrapVector.Nmi].Address);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.NmiOp, 1));
        Assert.Equal(0ul, Traps.Gates[(int)TrapVector.Nmi].Address);
        _guest.WriteWords(Buffer, NotCanonical, 0);
        Assert.Equal(-(long)XenErrno.EINVAL, _guest.Hypercall(HypercallNumber.NmiOp, 0, Buffer));
    }

    private void Register(CallbackType type, ulong address, CallbackFlags flags, XenErrno expected)
    {
        _guest.Write(Buffer, new CallbackRegister { Type = type, Flags = flags, Address = address });
        Assert.Equal(-(long)expected, _guest.Hypercall(HypercallNumber.CallbackOp, 0, Buffer));
    }

    private string Text(XenVersionOperation operation, int length)
    {
        var ones = new byte[length];
        Array.Fill(ones, (byte)0xFF);
        _guest.Write(Buffer, ones);
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)operation, Buffer));
        Assert.True(GuestAccess.Read(_guest.Vcpu, Buffer, ones));
        return Encoding.ASCII.GetString(ones).TrimEnd('\0');
    }

    private uint Features()
    {
        _guest.Write(Buffer, default(FeatureInfo));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.XenVersion, (ulong)XenVersionOperation.GetFeatures, Buffer));
        return _guest.Read<FeatureInfo>(Buffer).Submap;
    }
}
