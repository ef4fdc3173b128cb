using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;
using static Xen.Core.Tests.Paging.PagingGuest;

namespace Xen.Core.Tests.Paging;

/// <summary>mmu_update, mmuext_op and update_va_mapping as calls: lists, counts, domains, flushes.</summary>
public sealed class MmuHypercallTests : IDisposable
{
    private const int First = 16, Second = 17;
    private const ulong Done = 0xF00;

    private readonly PagingGuest _guest = new(vcpus: 3);

    public void Dispose()
    {
        _guest.Audit();
        _guest.Release();
        _guest.Dispose();
    }

    [Fact]
    public void MmuUpdate_StopsAtTheFirstError_AndTellsHowManyAreDone()
    {
        ulong pointer = _guest.L1.Address;
        _guest.Guest.WriteWords(
            Arguments, pointer + 8, _guest.Entry(First, P), pointer + 16, _guest.Entry(First, P | W), pointer + 24, _guest.Entry(0, P | W), pointer + 32, _guest.Entry(First, P));
        Assert.Equal(Error(XenErrno.EBUSY), _guest.Guest.Hypercall(HypercallNumber.MmuUpdate, Arguments, 4, Arguments + Done, DomId.Self.Value));
        Assert.Equal(2u, _guest.Guest.Read<uint>(Arguments + Done));
        Assert.NotEqual(0ul, _guest.Read(_guest.L1, 2));
        Assert.Equal(0ul, _guest.Read(_guest.L1, 4));
    }

    [Fact]
    public void MmuUpdate_OfALongList_IsInterruptedAndGoesOn()
    {
        const int Count = 2000;
        for (int i = 0; i < Count; i++)
            _guest.Guest.WriteWords(TestGuest.AddressOf(20) + ((ulong)i * 16), _guest.L1.Address + 8, _guest.Entry(First, P));
        ulong rip = _guest.Guest.Registers.Rip = 0x1000;
        _guest.Guest.Hypercall(HypercallNumber.MmuUpdate, TestGuest.AddressOf(20), Count, Arguments + Done, DomId.Self.Value);
        int calls = 1;
        for (; _guest.Guest.Registers.Rip != rip; calls++)
        {
            _guest.Guest.Registers.Rip = rip;
            HypercallTable.Dispatch(_guest.Vcpu);
            Assert.InRange(calls, 1, 10);
        }

        Assert.Equal(2, calls);
        Assert.Equal(0ul, _guest.Guest.Registers.Gpr[Gpr.Rax]);
        Assert.Equal((uint)Count, _guest.Guest.Read<uint>(Arguments + Done));
    }

    [Theory]
    [InlineData(HypercallNumber.MmuUpdate)]
    [InlineData(HypercallNumber.MmuextOp)]
    public void Hostile_Lists_FaultAndEnd(HypercallNumber call)
    {
        Assert.Equal(Error(XenErrno.EFAULT), _guest.Guest.Hypercall(call, 0xDEAD_0000, 1, 0, DomId.Self.Value));
        Assert.Equal(Error(XenErrno.EFAULT), _guest.Guest.Hypercall(call, 0xFFFF_8900_0000_0000, uint.MaxValue, ulong.MaxValue, DomId.Self.Value));
        Assert.Equal(Error(XenErrno.ESRCH), _guest.Guest.Hypercall(call, Arguments, 0, 0, 77));
        Assert.Equal(Error(XenErrno.ESRCH), _guest.Guest.Hypercall(call, Arguments, 0, 0, DomId.Xen.Value));
        Assert.Equal(Error(XenErrno.ESRCH), _guest.Guest.Hypercall(call, Arguments, 0, 0, (1ul << 16) | DomId.Self.Value));
        Assert.Equal(0, _guest.Guest.Hypercall(call, 0, 0, 0, DomId.Self.Value));
    }

    [Fact]
    public void MmuUpdate_OfAMisalignedEntry_IsNoCommand() =>
        Assert.Equal(Error(XenErrno.ENOSYS), _guest.UpdateAddress(_guest.L1.Address + 12, 0));

    [Fact]
    public void MmuUpdate_OfAnOrdinaryFrame_IsAStore()
    {
        Assert.Equal(0, _guest.Update(_guest.Frame(First), 3, 0x1234));
        Assert.Equal(0x1234ul, _guest.Read(_guest.Frame(First), 3));
        _guest.Protect(First);
        Assert.Equal(0, _guest.Update(_guest.Frame(First), 3, 0x5678));
    }

    [Fact]
    public void MachphysUpdate_OfOwnFramesOnly()
    {
        Mfn own = _guest.Frame(First);
        Assert.Equal(0, _guest.UpdateAddress(own.Address | (ulong)MmuUpdateCommand.MachphysUpdate, 0x77));
        Assert.Equal(0x77ul, _guest.Machine.Memory.ReadM2p(own));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.UpdateAddress(MachineMemory.FirstM2pFrame.Address | (ulong)MmuUpdateCommand.MachphysUpdate, 0x77));
    }

    [Theory]
    [InlineData(0xFFFF_8000_0000_0000)]
    [InlineData(0x0000_7000_0000_0000)]
    [InlineData(0x8000_0000_0000_0000)]
    public void UpdateVaMapping_WithoutAnL1Table_IsRefused(ulong address) =>
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Guest.Hypercall(HypercallNumber.UpdateVaMapping, address, 0, 0));

    [Fact]
    public void UpdateVaMapping_ThroughASelfMap_DoesNotTakeATableForAnL1()
    {
        Assert.Equal(0, _guest.Update(_guest.L4, 300, _guest.L4.Address | P));
        ulong throughSelfMap = 0xFFFF_0000_0000_0000 | (300ul << 39) | (511ul << 30) | (510ul << 21);
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Guest.Hypercall(HypercallNumber.UpdateVaMapping, throughSelfMap, 0, 0));
        Assert.Equal(0, _guest.Update(_guest.L4, 300, 0));
    }

    [Fact]
    public void UpdateVaMappingOtherdomain_IsAPrivilege()
    {
        Assert.Equal(Error(XenErrno.ESRCH), _guest.Guest.Hypercall(HypercallNumber.UpdateVaMappingOtherdomain, TestGuest.AddressOf(First), 0, 0, 99));
        Assert.Equal(0, _guest.Guest.Hypercall(HypercallNumber.UpdateVaMappingOtherdomain, TestGuest.AddressOf(First), 0, 0, DomId.Self.Value));
    }

    [Fact]
    public void SharedInfo_MayBeMappedWritable_ButStaysTheHypervisors()
    {
        ulong entry = _guest.Domain.SharedInfoFrame.Address | P | W;
        Assert.Equal(0, _guest.Map(First, entry, UpdateVaMappingFlags.TlbFlush));
        _guest.Guest.Write(TestGuest.AddressOf(First), 1, 2, 3);
        Assert.Equal(3, _guest.Machine.Memory.Frame(_guest.Domain.SharedInfoFrame)[2]);
        Assert.Equal(0, _guest.Map(First, 0));
        for (int level = 1; level <= 4; level++)
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended((MmuextCommand)(level - 1), _guest.Domain.SharedInfoFrame.Value));
    }

    [Fact]
    public void Roots_AreReferenced_AndMustBeL4()
    {
        _guest.Protect(First, Second);
        _guest.Poke(_guest.Frame(First), 511, _guest.L3.Address | P | W);
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.NewBaseptr, _guest.L3.Value));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.NewBaseptr, 0));
        Assert.Equal(0, _guest.Extended(MmuextCommand.NewBaseptr, _guest.Frame(First).Value));
        Assert.Equal(_guest.Frame(First), _guest.Vcpu.State.KernelRoot);
        Assert.Equal(0, _guest.Extended(MmuextCommand.NewUserBaseptr, _guest.Frame(First).Value));
        Assert.Equal(3u, _guest.Machine.Frames.References(_guest.Frame(First)) - 1);
        Assert.Equal(0, _guest.Extended(MmuextCommand.NewUserBaseptr, 0));
        Assert.Equal(Mfn.Invalid, _guest.Vcpu.State.UserRoot);
        Assert.Equal(0, _guest.Extended(MmuextCommand.NewBaseptr, _guest.L4.Value));
        Assert.Equal(0, _guest.Machine.Frames.TableLevel(_guest.Frame(First)));
    }

    [Fact]
    public void NewBaseptr_FlushesTheKernelsTlbOnly()
    {
        VcpuState state = _guest.Vcpu.State;
        (ulong kernel, ulong user) = (state.KernelTlb.Stamp, state.UserTlb.Stamp);
        Assert.Equal(0, _guest.Extended(MmuextCommand.NewBaseptr, _guest.L4.Value));
        Assert.NotEqual(kernel, state.KernelTlb.Stamp);
        Assert.Equal(user, state.UserTlb.Stamp);
        kernel = state.KernelTlb.Stamp;
        Assert.Equal(0, _guest.Extended(MmuextCommand.NewUserBaseptr, _guest.L4.Value));
        Assert.Equal(kernel, state.KernelTlb.Stamp);
        Assert.NotEqual(user, state.UserTlb.Stamp);
    }

    [Theory]
    [InlineData(MmuextCommand.TlbFlushLocal, 0b001)]
    [InlineData(MmuextCommand.TlbFlushAll, 0b111)]
    [InlineData(MmuextCommand.InvlpgAll, 0b111)]
    [InlineData(MmuextCommand.TlbFlushMulti, 0b110)]
    [InlineData(MmuextCommand.InvlpgMulti, 0b110)]
    public void Flushes_ReachWhomTheyName(MmuextCommand command, int expected)
    {
        foreach (Vcpu vcpu in _guest.Domain.Vcpus)
            vcpu.State.KernelTlb.Fill(0x5000, 0, write: true);
        _guest.Guest.WriteWords(Arguments + Done, 0xFFFF_FFFF_FFFF_FF06);
        Assert.Equal(0, _guest.Extended(command, 0x5000, Arguments + Done));
        for (int i = 0; i < 3; i++)
        {
            // A vCPU that does not run takes its flush when it enters.
            VcpuState state = _guest.Domain.Vcpus[i].State;
            state.EnterGuest();
            state.LeaveGuest();
            Assert.Equal((expected & (1 << i)) == 0, IsCached(state, 0x5000));
        }
    }

    [Fact]
    public void Invlpg_DropsOnePage()
    {
        VcpuState state = _guest.Vcpu.State;
        state.KernelTlb.Fill(0x5000, 0, write: true);
        state.KernelTlb.Fill(0x6000, 0, write: true);
        Assert.Equal(0, _guest.Extended(MmuextCommand.InvlpgLocal, 0x5123));
        Assert.False(IsCached(state, 0x5000));
        Assert.True(IsCached(state, 0x6000));
    }

    [Fact]
    public void Hostile_VcpuMasks_AreRefused()
    {
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.TlbFlushMulti, 0, 0xDEAD_0000));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Map(First, 0, UpdateVaMappingFlags.TlbFlush | (UpdateVaMappingFlags)0xDEAD_0000));
    }

    [Fact]
    public void ClearAndCopy_NeedAFrameThatMayBeWritten()
    {
        _guest.Guest.Write(TestGuest.AddressOf(First), 1, 2, 3, 4);
        Assert.Equal(0, _guest.Extended(MmuextCommand.CopyPage, _guest.Frame(Second).Value, _guest.Frame(First).Value));
        Assert.Equal(4, _guest.Machine.Memory.Frame(_guest.Frame(Second))[3]);
        Assert.Equal(0, _guest.Extended(MmuextCommand.ClearPage, _guest.Frame(First).Value));
        Assert.Equal(0, _guest.Machine.Memory.Frame(_guest.Frame(First))[3]);
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.ClearPage, _guest.L1.Value));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.CopyPage, _guest.L1.Value, _guest.Frame(First).Value));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.CopyPage, _guest.Frame(First).Value, 1ul << 40));
    }

    [Theory]
    [InlineData(MmuextCommand.FlushCache, XenErrno.EACCES)]
    [InlineData(MmuextCommand.MarkSuper, XenErrno.EOPNOTSUPP)]
    [InlineData((MmuextCommand)14, XenErrno.ENOSYS)]
    [InlineData((MmuextCommand)uint.MaxValue, XenErrno.ENOSYS)]
    public void OtherCommands_AreRefused(MmuextCommand command, XenErrno expected) => Assert.Equal(Error(expected), _guest.Extended(command));

    [Fact]
    public void PinningAPage_FlushesItsStaleWritableTranslations()
    {
        VcpuState state = _guest.Vcpu.State;
        ulong address = TestGuest.AddressOf(First);
        state.KernelTlb.Fill(address, 0, write: true);
        _guest.Protect(First);
        Assert.True(IsCached(state, address));
        Assert.Equal(0, _guest.Pin(1, First));
        Assert.False(IsCached(state, address));

        // What was flushed since needs no other flush.
        _guest.Protect(Second);
        Assert.Equal(0, _guest.Extended(MmuextCommand.TlbFlushAll));
        ulong stamp = state.KernelTlb.Stamp;
        Assert.Equal(0, _guest.Pin(1, Second));
        Assert.Equal(stamp, state.KernelTlb.Stamp);
    }

    [Fact]
    public void PinningAPage_WaitsForAVcpuInTheGuest()
    {
        VcpuState other = _guest.Domain.Vcpus[1].State;
        using var entered = new ManualResetEventSlim();
        bool flushed = false;
        var engine = new Thread(() =>
        {
            other.EnterGuest();
            other.KernelTlb.Fill(TestGuest.AddressOf(First), 0, write: true);
            entered.Set();
            SpinWait.SpinUntil(() => other.HasRequests);
            Volatile.Write(ref flushed, true);
            other.TakeFlush();
            other.LeaveGuest();
        });
        engine.Start();
        entered.Wait();
        _guest.Protect(First);
        Assert.Equal(0, _guest.Pin(1, First));
        Assert.True(Volatile.Read(ref flushed));
        Assert.False(IsCached(other, TestGuest.AddressOf(First)));
        engine.Join();
    }

    private static bool IsCached(VcpuState state, ulong address) =>
        state.KernelTlb.CanWrite(address);
}
