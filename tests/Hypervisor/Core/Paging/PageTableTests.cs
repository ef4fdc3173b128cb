using Xen.Abi;
using Xen.Cpu;
using Xen.Memory;
using static Xen.Core.Tests.Paging.PagingGuest;

namespace Xen.Core.Tests.Paging;

/// <summary>Which entries a guest may put into its page tables, and what becomes of references.</summary>
public sealed class PageTableTests : IDisposable
{
    private const int First = 16, Second = 17, Third = 18, Fourth = 19;

    private readonly PagingGuest _guest = new();

    public void Dispose()
    {
        _guest.Audit();
        _guest.Release();
        _guest.Dispose();
    }

    [Theory]
    [InlineData(P | U, XenErrno.OK)]
    [InlineData(P | W | U, XenErrno.OK)]
    [InlineData(P | W, XenErrno.OK)]
    [InlineData(P | W | A | D | Avail | Nx, XenErrno.OK)]
    [InlineData(P | G, XenErrno.OK)]
    [InlineData(0, XenErrno.OK)]
    [InlineData(W | Ps | Pcd, XenErrno.OK)]
    [InlineData(P | Ps, XenErrno.EINVAL)]
    [InlineData(P | Pwt, XenErrno.EINVAL)]
    [InlineData(P | Pcd, XenErrno.EINVAL)]
    public void L1Entry_BitsAreChecked(ulong flags, XenErrno expected)
    {
        Assert.Equal(Error(expected), _guest.Update(_guest.L1, 1, _guest.Entry(First, flags)));
        Assert.Equal(expected == XenErrno.OK, _guest.Read(_guest.L1, 1) != 0);
        if ((flags & P) == 0)
            Assert.Equal(_guest.Entry(First, flags), _guest.Read(_guest.L1, 1));
    }

    [Theory]
    [InlineData(P | W | U, XenErrno.OK)]
    [InlineData(P, XenErrno.OK)]
    [InlineData(P | A | Avail | Nx, XenErrno.OK)]
    [InlineData(P | W | Ps, XenErrno.EINVAL)]
    [InlineData(P | W | G, XenErrno.EINVAL)]
    [InlineData(P | W | Pcd, XenErrno.EINVAL)]
    [InlineData(P | W | Pwt, XenErrno.EINVAL)]
    public void UpperEntries_BitsAreChecked(ulong flags, XenErrno expected)
    {
        _guest.Protect(First);
        Assert.Equal(Error(expected), _guest.Update(_guest.L2, 7, _guest.Entry(First, flags)));
        if (expected == XenErrno.OK)
            Assert.Equal(_guest.Entry(First, flags | U), _guest.Read(_guest.L2, 7));
    }

    [Theory]
    [InlineData(P | W, P | W | U | (1ul << 52))]
    [InlineData(P | W | U, P | W | U | G)]
    [InlineData(P | U | (1ul << 52), P | U | (1ul << 52))]
    public void L1Entry_IsAdjustedForAKernelInRing3(ulong flags, ulong stored)
    {
        Assert.Equal(0, _guest.Update(_guest.L1, 1, _guest.Entry(First, flags)));
        Assert.Equal(_guest.Entry(First, stored), _guest.Read(_guest.L1, 1));
    }

    [Fact]
    public void Hostile_WildAndForeignFrames_AreRefused()
    {
        using var other = new TestGuest(1, _guest.Machine);
        Mfn foreign = other.Domain.FrameOf(new Pfn(20));
        ulong[] frames = [0, MachineMemory.FirstM2pFrame.Value, foreign.Value, _guest.Machine.Memory.FrameCount - 1, _guest.Machine.Memory.FrameCount, (1ul << 40) - 1];
        foreach (ulong frame in frames)
        {
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L1, 1, (frame << 12) | P));
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L1, 1, (frame << 12) | P | W));
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L2, 1, (frame << 12) | P));
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(new Mfn(frame), 1, 0));
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.PinL1Table, frame));
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.UnpinTable, frame));
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Extended(MmuextCommand.NewBaseptr, frame));
        }

        FrameAudit.Check(_guest.Machine, [_guest.Domain, other.Domain]);
        other.Domain.ReleaseMemory();
    }

    [Fact]
    public void Hostile_PageTables_AreNeverMappedWritable()
    {
        foreach (Mfn table in new[] { _guest.L1, _guest.L2, _guest.L3, _guest.L4 })
        {
            Assert.Equal(Error(XenErrno.EBUSY), _guest.Update(_guest.L1, 1, table.Address | P | W));
            Assert.Equal(0, _guest.Update(_guest.L1, 1, table.Address | P));
            Assert.Equal(Error(XenErrno.EBUSY), _guest.Update(_guest.L1, 1, table.Address | P | W));
            Assert.False(_guest.Domain.MayAccess(table, write: true));
            Assert.True(_guest.Domain.MayAccess(table, write: false));
        }
    }

    [Fact]
    public void Hostile_AWritablePage_NeverBecomesATable()
    {
        for (int level = 1; level <= 4; level++)
            Assert.Equal(Error(XenErrno.EINVAL), _guest.Pin(level, First));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L2, 1, _guest.Entry(First, P)));
        Assert.Equal(FrameType.Writable, _guest.Machine.Frames.Type(_guest.Frame(First)));
    }

    [Theory]
    [InlineData(256)]
    [InlineData(263)]
    [InlineData(271)]
    public void Hostile_HypervisorSlots_AreRefused_AndClearedWhenATableIsPinned(int slot)
    {
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L4, slot, _guest.L3.Address | P));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L4, slot, 0));
        _guest.Poke(_guest.Frame(First), slot, ulong.MaxValue);
        _guest.Protect(First);
        Assert.Equal(0, _guest.Pin(4, First));
        Assert.Equal(0ul, _guest.Read(_guest.Frame(First), slot));
    }

    [Fact]
    public void Hostile_Cycles_AreRefused()
    {
        // A table of one level is never one of another, so no entry can lead back up.
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L2, 1, _guest.L2.Address | P));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L2, 1, _guest.L3.Address | P));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L2, 1, _guest.L4.Address | P));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L4, 1, _guest.L1.Address | P));
        for (int level = 1; level < 4; level++)
        {
            // Each table names itself; the last would be its own parent.
            _guest.Poke(_guest.Frame(First), 0, _guest.Entry(First, P | W));
            _guest.Protect(First);
            Assert.NotEqual(0, _guest.Pin(level, First));
            Assert.Equal(0, _guest.Map(First, _guest.Entry(First, P | W)));
        }
    }

    [Fact]
    public void L4_MayMapItselfReadOnly()
    {
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L4, 300, _guest.L4.Address | P | W));
        Assert.Equal(0, _guest.Update(_guest.L4, 300, _guest.L4.Address | P));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Update(_guest.L4, 300, _guest.L4.Address | P | W));
        _guest.Audit();
        Assert.Equal(0, _guest.Update(_guest.L4, 300, 0));
    }

    [Fact]
    public void Pin_ValidatesAllLevels_AndUnpinLetsGo()
    {
        BuildTree();
        Assert.Equal(0, _guest.Pin(4, Fourth));
        Assert.Equal([1, 2, 3, 4], new[] { First, Second, Third, Fourth }.Select(p => _guest.Machine.Frames.TableLevel(_guest.Frame(p))));
        _guest.Audit();
        Assert.Equal(0, _guest.Unpin(Fourth));
        Assert.All(new[] { First, Second, Third, Fourth }, p => Assert.Equal(0, _guest.Machine.Frames.TableLevel(_guest.Frame(p))));
        Assert.Equal(0, _guest.Map(First, _guest.Entry(First, P | W)));
    }

    [Fact]
    public void Pin_ThatFailsDeepDown_LeavesNothingBehind()
    {
        BuildTree();
        _guest.Poke(_guest.Frame(First), 511, 0xFFFF_F000 | P);
        _guest.Poke(_guest.Frame(Second), 3, _guest.Entry(First, P | W));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Pin(4, Fourth));
        _guest.Audit();
        Assert.All(new[] { First, Second, Third, Fourth }, p => Assert.Equal(0u, _guest.Machine.Frames.TypeUsers(_guest.Frame(p))));
    }

    [Fact]
    public void Pin_Twice_AndUnpinTwice_AreRefused()
    {
        _guest.Protect(First);
        Assert.Equal(0, _guest.Pin(1, First));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Pin(1, First));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Pin(2, First));
        _guest.Audit();
        Assert.Equal(0, _guest.Unpin(First));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Unpin(First));
        Assert.Equal(Error(XenErrno.EINVAL), _guest.Unpin(Second));
    }

    [Fact]
    public void Unpin_OfATableInUse_KeepsItATable()
    {
        Assert.Equal(0, _guest.Unpin(0));
        Assert.Equal(4, _guest.Machine.Frames.TableLevel(_guest.L4));
        Assert.Equal(Error(XenErrno.EBUSY), _guest.Update(_guest.L1, 1, _guest.L4.Address | P | W));
        Assert.Equal(0, _guest.Pin(4, 0));
    }

    [Fact]
    public void PreserveAd_KeepsTheBitsThatWalkersSet()
    {
        Assert.Equal(0, _guest.Update(_guest.L1, 1, _guest.Entry(First, P | W | A | D)));
        Assert.Equal(0, _guest.Update(_guest.L1, 1, _guest.Entry(First, P | Nx), MmuUpdateCommand.PtUpdatePreserveAd));
        Assert.Equal(A | D, _guest.Read(_guest.L1, 1) & (A | D));
        Assert.Equal(0, _guest.Update(_guest.L1, 1, _guest.Entry(First, P | Nx)));
        Assert.Equal(0ul, _guest.Read(_guest.L1, 1) & (A | D));
    }

    [Fact]
    public void WritePageTable_ChecksTheValueAndWhatWasThere()
    {
        VcpuState state = _guest.Vcpu.State;
        Domain domain = _guest.Domain;
        Assert.False(domain.IsEmulatedPageTable(_guest.L1));
        domain.WritablePageTables = true;
        Assert.True(domain.IsEmulatedPageTable(_guest.L1));
        Assert.False(domain.IsEmulatedPageTable(_guest.L2));
        Assert.False(domain.IsEmulatedPageTable(_guest.Frame(First)));
        Assert.False(domain.IsEmulatedPageTable(Mfn.Invalid));

        ulong entry = _guest.Entry(First, P | W | U);
        Assert.Equal(PageTableWrite.Done, domain.WritePageTable(state, _guest.L1, 1, 0, entry));
        Assert.Equal(entry | G, _guest.Read(_guest.L1, 1));
        Assert.Equal(PageTableWrite.Changed, domain.WritePageTable(state, _guest.L1, 1, 0, 0));
        Assert.Equal(PageTableWrite.Refused, domain.WritePageTable(state, _guest.L1, 1, entry | G, _guest.L1.Address | P | W));
        Assert.Equal(PageTableWrite.Changed, domain.WritePageTable(state, _guest.L1, 512, 0, 0));
        Assert.Equal(PageTableWrite.Changed, domain.WritePageTable(state, _guest.L2, 1, 0, 0));
        _guest.Audit();
    }

    /// <summary>L4 page 19 to L3 page 18 to L2 page 17 to L1 page 16, which maps page 20 writable and itself read-only.</summary>
    private void BuildTree()
    {
        _guest.Poke(_guest.Frame(Fourth), 5, _guest.Entry(Third, P | W));
        _guest.Poke(_guest.Frame(Third), 6, _guest.Entry(Second, P | W));
        _guest.Poke(_guest.Frame(Second), 7, _guest.Entry(First, P | W));
        _guest.Poke(_guest.Frame(Second), 8, _guest.Entry(First, P | W));
        _guest.Poke(_guest.Frame(First), 9, _guest.Entry(20, P | W));
        _guest.Poke(_guest.Frame(First), 10, _guest.Entry(First, P));
        _guest.Protect(First, Second, Third, Fourth);
    }
}
