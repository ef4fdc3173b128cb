using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Hypercalls;

/// <summary>Lists of hypercalls.</summary>
public sealed class MulticallTests : IDisposable
{
    private const ulong Rip = 0x5000;

    private readonly TestGuest _guest = new();

    private static ulong List => TestGuest.AddressOf(20);

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Entries_AreDoneInOrder_AndGetTheirResults()
    {
        Write(0, HypercallNumber.XenVersion, 0);
        Write(1, HypercallNumber.StackSwitch, 0x18, 0x7777);
        Write(2, (HypercallNumber)55);
        Write(3, HypercallNumber.SetSegmentBase, 0, 0x1234);
        Assert.Equal(0, Call(4));
        Assert.Equal([0x4_0011L, 0, -(long)XenErrno.ENOSYS, 0], Results(4));
        Assert.Equal((0x7777ul, 0x1234ul), (_guest.Vcpu.Traps.KernelSp, _guest.Registers.FsBase));
    }

    [Fact]
    public void ArgumentRegisters_AreTheCallersAfterwards()
    {
        Write(0, HypercallNumber.SetSegmentBase, 1, 2, 3, 4, 5);
        Assert.Equal(0, Call(1));
        Assert.Equal((List, 1ul), (_guest.Registers.Gpr[Gpr.Rdi], _guest.Registers.Gpr[Gpr.Rsi]));
    }

    [Fact]
    public void AListInAList_IsRefused_AndTheOuterGoesOn()
    {
        Write(0, HypercallNumber.Multicall, List, 1);
        Write(1, HypercallNumber.XenVersion, 0);
        Assert.Equal(0, Call(2));
        Assert.Equal([-(long)XenErrno.EINVAL, 0x4_0011L], Results(2));
        Assert.Equal(0, Call(2));
    }

    [Fact]
    public void AListThatLeavesMemory_IsAFault_AfterWhatCameBefore()
    {
        ulong last = TestGuest.AddressOf(TestGuest.PageCount) - 64;
        _guest.Write(last, new MulticallEntry { Op = (ulong)HypercallNumber.XenVersion });
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.Multicall, last, 2));
        Assert.Equal(0x4_0011ul, _guest.Read<ulong>(last + 8));
        Assert.Equal(-(long)XenErrno.EFAULT, _guest.Hypercall(HypercallNumber.Multicall, 0x1000, uint.MaxValue));
        Assert.Equal(0, _guest.Hypercall(HypercallNumber.Multicall, 0x1000, 0));
    }

    [Fact]
    public void Iret_EndsTheList()
    {
        ulong frame = TestGuest.AddressOf(22);
        _guest.WriteWords(frame, 1, 2, 3, 0, 0x40_0000, 0x33, 0x246, 0x7000, 0x2B);
        _guest.Registers.Gpr[Gpr.Rsp] = frame;
        Write(0, HypercallNumber.StackSwitch, 0x18, 0x7777);
        Write(1, HypercallNumber.Iret);
        Write(2, HypercallNumber.StackSwitch, 0x18, 0x8888);
        Assert.Equal(1, Call(3));
        Assert.Equal((GuestMode.User, 0x40_0000ul, 0x7777ul), (_guest.Vcpu.State.Mode, _guest.Registers.Rip, _guest.Vcpu.Traps.KernelSp));
    }

    [Fact]
    public void AKick_MakesTheListStopBetweenEntries_AndGoOnWhereItWas()
    {
        for (int i = 0; i < 4; i++)
            Write(i, HypercallNumber.XenVersion, 0);
        _guest.Vcpu.State.Kick();
        _guest.Registers.Rip = Rip + 2;
        Assert.Equal((long)HypercallNumber.Multicall, Call(4));
        Assert.Equal((Rip, List + 64, 3ul), (_guest.Registers.Rip, _guest.Registers.Gpr[Gpr.Rdi], _guest.Registers.Gpr[Gpr.Rsi]));

        Assert.True(_guest.Vcpu.State.TakeKick());
        HypercallTable.Dispatch(_guest.Vcpu);
        Assert.Equal(0ul, _guest.Registers.Gpr[Gpr.Rax]);
        Assert.All(Results(4), static result => Assert.Equal(0x4_0011, result));
    }

    [Fact]
    public void AnEntryThatIsNotDone_IsContinuedFromItsOwnArguments()
    {
        // A trap table without end is taken in pieces of 256 entries: here 300, then the end.
        ulong table = TestGuest.AddressOf(24);
        for (int i = 0; i < 300; i++)
            _guest.Write(table + ((ulong)i * 16), new TrapInfo { Vector = (byte)i, Address = 0x1000ul + (uint)i });
        _guest.Write(table + (300 * 16), default(TrapInfo));
        Write(0, HypercallNumber.SetTrapTable, table);
        Write(1, HypercallNumber.XenVersion, 0);

        _guest.Registers.Rip = Rip + 2;
        Assert.Equal((long)HypercallNumber.Multicall, Call(2));
        Assert.Equal((List, 2ul), (_guest.Registers.Gpr[Gpr.Rdi], _guest.Registers.Gpr[Gpr.Rsi]));
        Assert.Equal(table + 4096, _guest.Read<ulong>(List + 16));
        HypercallTable.Dispatch(_guest.Vcpu);
        Assert.Equal(0ul, _guest.Registers.Gpr[Gpr.Rax]);
        Assert.Equal([0L, 0x4_0011], Results(2));
        Assert.Equal(0x1000ul + 299, _guest.Vcpu.Traps.Gates[299 - 256].Address);
    }

    [Fact]
    public void Hostile_AVeryLongList_GivesOthersTheirTurn()
    {
        for (int page = 20; page < 28; page++)
        {
            for (int i = 0; i < 64; i++)
                _guest.Write(TestGuest.AddressOf(page) + ((ulong)i * 64), new MulticallEntry { Op = (ulong)HypercallNumber.XenVersion });
        }

        Assert.Equal((long)HypercallNumber.Multicall, Call(uint.MaxValue));
        Assert.Equal(uint.MaxValue - (ulong)Multicall.MostEntriesAtOnce, _guest.Registers.Gpr[Gpr.Rsi]);
    }

    private long Call(uint count) => _guest.Hypercall(HypercallNumber.Multicall, List, count);

    private void Write(int index, HypercallNumber op, params ReadOnlySpan<ulong> arguments)
    {
        var entry = new MulticallEntry { Op = (ulong)op, Result = 0xDEAD };
        for (int i = 0; i < arguments.Length; i++)
            entry.Args[i] = arguments[i];
        _guest.Write(List + ((ulong)index * 64), entry);
    }

    private long[] Results(int count)
    {
        var results = new long[count];
        for (int i = 0; i < count; i++)
            results[i] = _guest.Read<long>(List + ((ulong)i * 64) + 8);
        return results;
    }
}
