using Xen.Abi;
using Xen.Memory;
using static Xen.Core.Tests.Grants.GrantWorld;

namespace Xen.Core.Tests.Grants;

/// <summary>Mapping of other domains' pages into a guest's page tables.</summary>
public sealed class GrantMapTests : IDisposable
{
    private const GrantMapFlags ReadOnly = GrantMapFlags.HostMap | GrantMapFlags.Readonly;
    private const GrantEntryFlags Permit = GrantEntryFlags.PermitAccess;

    private readonly GrantWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Map_Writable_SharesThePage_UntilItIsUnmapped()
    {
        Mfn frame = Frame(_world.Granter, 20);
        _world.Grant(9, _world.Mapper, 20);
        Assert.False(_world.Mapper.Domain.MayAccess(frame, write: false));

        GnttabMapGrantRef mapped = _world.Map(9, 30);
        Assert.Equal(GrantStatus.Okay, mapped.Status);
        Assert.Equal(frame.Address, mapped.DevBusAddr);
        Assert.True(_world.Mapper.Domain.MayAccess(frame, write: true));
        Assert.Equal(Permit | GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Flags(9));
        _world.Mapper.WriteWords(TestGuest.AddressOf(30), 0x1234);
        Assert.Equal(0x1234ul, _world.Granter.Read<ulong>(TestGuest.AddressOf(20)));
        Assert.Equal(new GrantAudit(1, 0, 1, 0, 0), _world.Grants.Audit());
        Assert.Equal(1, _world.Mapper.Domain.Grants.Audit().Maps);
        _world.Audit();

        Assert.Equal(GrantStatus.Okay, _world.Unmap(mapped.Handle, 30));
        Assert.False(_world.Mapper.Domain.MayAccess(frame, write: false));
        Assert.Equal(Permit, _world.Flags(9));
        Assert.Equal(0ul, _world.ReadEntry(_world.Mapper, 30));
        Assert.Equal(default, _world.Grants.Audit());
        Assert.Equal(default, _world.Mapper.Domain.Grants.Audit());
    }

    [Fact]
    public void Map_ReadOnly_MayNotBeWritten()
    {
        _world.Grant(9, _world.Mapper, 20, Permit | GrantEntryFlags.Readonly);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        Assert.Equal(Permit | GrantEntryFlags.Readonly, _world.Flags(9));
        _ = _world.MapOkay(9, 30, ReadOnly);
        Assert.True(_world.Mapper.Domain.MayAccess(Frame(_world.Granter, 20), write: false));
        Assert.False(_world.Mapper.Domain.MayAccess(Frame(_world.Granter, 20), write: true));
        Assert.False(GuestAccess.CanWrite(_world.Mapper.Vcpu, TestGuest.AddressOf(30), 8));
        Assert.Equal(Permit | GrantEntryFlags.Readonly | GrantEntryFlags.Reading, _world.Flags(9));
    }

    [Fact]
    public void Map_Entry_HasTheBitsAskedFor()
    {
        _world.Grant(9, _world.Mapper, 20);
        _ = _world.MapOkay(9, 30, ReadOnly | GrantMapFlags.ApplicationMap | (GrantMapFlags)(5 << 16));
        ulong frame = Frame(_world.Granter, 20).Address;
        Assert.Equal(frame | PageTableEntry.Present | PageTableEntry.User | PageTableEntry.Accessed | PageTableEntry.Dirty | PageTableEntry.Global | (5 << 9), _world.ReadEntry(_world.Mapper, 30));
        _ = _world.MapOkay(9, 31);
        Assert.Equal(PageTableEntry.GuestKernel | PageTableEntry.Write, _world.ReadEntry(_world.Mapper, 31) & (PageTableEntry.GuestKernel | PageTableEntry.Write));
    }

    [Fact]
    public void Map_ByEntryAddress()
    {
        _world.Grant(9, _world.Mapper, 20);
        ulong entry = EntryAddress(_world.Mapper, 30);
        GnttabMapGrantRef mapped = _world.Map(9, 0, GrantMapFlags.HostMap | GrantMapFlags.ContainsPte, address: entry);
        Assert.Equal(GrantStatus.Okay, mapped.Status);
        _world.Mapper.WriteWords(TestGuest.AddressOf(30), 7);
        Assert.Equal(GrantStatus.GeneralError, _world.UnmapAddress(mapped.Handle, TestGuest.AddressOf(30)));
        Assert.Equal(GrantStatus.GeneralError, _world.UnmapAddress(mapped.Handle, entry + 8));
        Assert.Equal(GrantStatus.Okay, _world.UnmapAddress(mapped.Handle, entry));
    }

    [Fact]
    public void Hostile_Map_WhereThereIsNoTable()
    {
        _world.Grant(9, _world.Mapper, 20);
        const GrantMapFlags Entry = GrantMapFlags.HostMap | GrantMapFlags.ContainsPte;
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 0, address: 0x1000).Status);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 0, address: 0xFFFF_8000_0000_0000).Status);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 0, Entry, address: EntryAddress(_world.Mapper, 30) + 4).Status);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 0, Entry, address: EntryAddress(_world.Granter, 30)).Status);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 0, Entry, address: Frame(_world.Mapper, 0).Address).Status);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 0, Entry, address: Frame(_world.Mapper, 30).Address).Status);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 0, Entry | GrantMapFlags.DeviceMap, address: ulong.MaxValue - 7).Status);
        Assert.Equal(Permit, _world.Flags(9));
        Assert.Equal(default, _world.Grants.Audit());
        Assert.Equal(0, _world.Mapper.Domain.Maps.Track.Active);
    }

    [Fact]
    public void Hostile_Map_OfWhatIsNotGranted()
    {
        TestGuest third = _world.Add();
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        _world.Grant(9, third, 20);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        _world.Grant(9, _world.Mapper, 20, GrantEntryFlags.AcceptTransfer);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        _world.Grant(9, _world.Mapper, 20, Permit | GrantEntryFlags.SubPage);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        Assert.Equal(GrantStatus.BadGntref, _world.Map(1024, 30).Status);
        Assert.Equal(GrantStatus.BadGntref, _world.Map(uint.MaxValue, 30).Status);
        Assert.Equal(GrantStatus.BadGntref, _world.Map(9, 30, GrantMapFlags.Readonly).Status);
        Assert.Equal(GrantStatus.BadDomain, _world.Map(9, 30, granter: new DomId(77)).Status);
        Assert.Equal(GrantStatus.BadDomain, _world.Map(9, 30, granter: DomId.Self).Status);
        Assert.Equal(GrantStatus.BadDomain, _world.Map(9, 30, granter: DomId.Dom0).Status);
        Assert.Equal(0, _world.Mapper.Domain.Maps.Track.Active);
    }

    [Fact]
    public void Hostile_Grant_OfFramesThatAreNotTheGranters()
    {
        foreach (ulong frame in (ulong[])[Frame(_world.Mapper, 20).Value, 1, 0, _world.Granter.Domain.SharedInfoFrame.Value, 4095, 4096, uint.MaxValue])
        {
            _world.WriteEntry(_world.Granter, 9, Permit, _world.Mapper.Domain.Id, frame);
            Assert.Equal(GrantStatus.BadPage, _world.Map(9, 30).Status);
            Assert.Equal(Permit, _world.Flags(9));
        }

        Assert.True(_world.Grants.TryGetFrame(0, out Mfn own));
        _world.WriteEntry(_world.Granter, 9, Permit, _world.Mapper.Domain.Id, own.Value);
        Assert.Equal(GrantStatus.BadPage, _world.Map(9, 30).Status);
    }

    [Fact]
    public void Hostile_Grant_OfAPageTable_IsReadOnlyAtMost()
    {
        _world.Grant(9, _world.Mapper, 3);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        Assert.Equal(Permit, _world.Flags(9));
        _ = _world.MapOkay(9, 30, ReadOnly);
        _world.Audit();
    }

    [Fact]
    public void APageThatOthersWrite_CannotBecomeAPageTable()
    {
        _world.Grant(9, _world.Mapper, 20);
        Assert.Equal(0, SetEntry(_world.Granter, 20, 0));
        GrantHandle handle = _world.MapOkay(9, 30);
        Assert.False(TryPin(20));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(handle, 30));
        Assert.True(TryPin(20));

        // And one that was a table needs the owner's flush before others write it.
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
        using (PageTables.PagingSection section = _world.Granter.Domain.Tables.Enter(null))
            Assert.Equal(XenErrno.OK, _world.Granter.Domain.Tables.Unpin(Frame(_world.Granter, 20)));
        _ = _world.MapOkay(9, 30);
        Assert.True(_world.Machine.Frames.IsValidType(Frame(_world.Granter, 20), FrameType.Writable));

        bool TryPin(int page)
        {
            using PageTables.PagingSection section = _world.Granter.Domain.Tables.Enter(null);
            return _world.Granter.Domain.Tables.Pin(Frame(_world.Granter, page), 1) == XenErrno.OK;
        }
    }

    [Fact]
    public void WritingBit_GoesWithTheLastWriter_ReadingBitWithTheLastOfAll()
    {
        _world.Grant(9, _world.Mapper, 20);
        GrantHandle reader = _world.MapOkay(9, 30, ReadOnly), writer = _world.MapOkay(9, 31), second = _world.MapOkay(9, 32);
        Assert.Equal(GrantStatus.Okay, _world.Unmap(writer, 31));
        Assert.Equal(Permit | GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Flags(9));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(second, 32));
        Assert.Equal(Permit | GrantEntryFlags.Reading, _world.Flags(9));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(reader, 30));
        Assert.Equal(Permit, _world.Flags(9));
    }

    [Fact]
    public void Map_DeviceAndHost_EndApart()
    {
        _world.Grant(9, _world.Mapper, 20);
        GnttabMapGrantRef mapped = _world.Map(9, 30, GrantMapFlags.HostMap | GrantMapFlags.DeviceMap);
        Assert.Equal(GrantStatus.Okay, mapped.Status);
        Assert.Equal(new GrantAudit(1, 0, 2, 0, 0), _world.Grants.Audit());
        _world.Audit();
        Assert.Equal(GrantStatus.GeneralError, _world.Unmap(mapped.Handle, 30, mapped.DevBusAddr + 4096));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(mapped.Handle, 30));
        Assert.Equal(new GrantAudit(1, 0, 1, 0, 0), _world.Grants.Audit());
        Assert.False(_world.Mapper.Domain.MayAccess(Frame(_world.Granter, 20), write: false));
        _world.Audit();
        Assert.Equal(GrantStatus.Okay, _world.Unmap(mapped.Handle, 30, mapped.DevBusAddr));
        Assert.Equal(default, _world.Grants.Audit());
        Assert.Equal(GrantStatus.BadHandle, _world.Unmap(mapped.Handle, 30, mapped.DevBusAddr));
    }

    [Fact]
    public void Map_OfTheOwnGrant()
    {
        _world.Grant(9, _world.Granter, 20);
        GrantHandle handle = _world.MapOkay(9, 30, by: _world.Granter);
        _world.Granter.WriteWords(TestGuest.AddressOf(30), 5);
        Assert.Equal(5ul, _world.Granter.Read<ulong>(TestGuest.AddressOf(20)));
        _world.Audit();
        Assert.Equal(0, _world.Granter.Domain.OutsideReferences);
        Assert.Equal(GrantStatus.Okay, _world.Unmap(handle, 30, by: _world.Granter));
        Assert.Equal(Permit, _world.Flags(9));
    }

    [Fact]
    public void UnmapAndReplace_MovesAnotherMapping()
    {
        Mfn own = Frame(_world.Mapper, 31);
        _world.Grant(9, _world.Mapper, 20);
        GrantHandle handle = _world.MapOkay(9, 30);
        Assert.Equal(GrantStatus.GeneralError, _world.Replace(handle, 30, 30));
        Assert.Equal(GrantStatus.Okay, _world.Replace(handle, 30, 31));
        Assert.Equal(own, PageTableEntry.Frame(_world.ReadEntry(_world.Mapper, 30)));
        Assert.Equal(0ul, _world.ReadEntry(_world.Mapper, 31));
        Assert.Equal(Permit, _world.Flags(9));
        Assert.Equal(GrantStatus.BadHandle, _world.Replace(handle, 30, 31));
        _world.Audit();
    }

    [Fact]
    public void Hostile_Unmap_TwiceOrOfAnotherDomainsHandle()
    {
        TestGuest third = _world.Add();
        _world.Grant(9, _world.Mapper, 20);
        GrantHandle handle = _world.MapOkay(9, 30);
        Assert.Equal(GrantStatus.BadHandle, _world.Unmap(handle, 30, by: third));
        Assert.Equal(GrantStatus.BadHandle, _world.Unmap(new GrantHandle(handle.Value + 1), 30));
        Assert.Equal(GrantStatus.BadHandle, _world.Unmap(new GrantHandle(uint.MaxValue), 30));
        Assert.Equal(GrantStatus.GeneralError, _world.Unmap(handle, 31));
        Assert.Equal(GrantStatus.GeneralError, _world.UnmapAddress(handle, 0x1000));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(handle, page: 0));
        Assert.Equal(new GrantAudit(1, 0, 1, 0, 0), _world.Grants.Audit());
        Assert.Equal(GrantStatus.Okay, _world.Unmap(handle, 30));
        Assert.Equal(GrantStatus.BadHandle, _world.Unmap(handle, 30));
        Assert.Equal(default, _world.Grants.Audit());
    }

    [Fact]
    public void Hostile_Unmap_OfAWriterByAReadersAddress()
    {
        _world.Grant(9, _world.Mapper, 20);
        GrantHandle reader = _world.MapOkay(9, 30, ReadOnly), writer = _world.MapOkay(9, 31);
        Assert.Equal(GrantStatus.GeneralError, _world.Unmap(writer, 30));
        Assert.Equal(GrantStatus.GeneralError, _world.Unmap(reader, 31));
        _world.Audit();
    }

    [Fact]
    public void Hostile_Granter_ChangesItsEntryInMidUse()
    {
        _world.Grant(9, _world.Mapper, 20);
        GrantHandle first = _world.MapOkay(9, 30);
        _world.WriteEntry(_world.Granter, 9, 0, new DomId(5), Frame(_world.Granter, 21).Value);

        // What it was at first counts: the same domain, the same frame.
        GnttabMapGrantRef again = _world.Map(9, 31);
        Assert.Equal(GrantStatus.Okay, again.Status);
        Assert.Equal(Frame(_world.Granter, 20).Address, again.DevBusAddr);
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30, by: _world.Add()).Status);
        Assert.Equal(GrantStatus.Okay, _world.Unmap(first, 30));
        _world.WriteEntry(_world.Granter, 9, (GrantEntryFlags)0xFFFF, new DomId(0xFFFF), ulong.MaxValue);
        Assert.Equal(GrantStatus.Okay, _world.Unmap(again.Handle, 31));
        Assert.Equal((GrantEntryFlags)0xFFFF & ~(GrantEntryFlags.Reading | GrantEntryFlags.Writing), _world.Flags(9));
        Assert.Equal(default, _world.Grants.Audit());
        Assert.Equal(GrantStatus.GeneralError, _world.Map(9, 30).Status);
    }

    [Fact]
    public void Overwriting_TheEntry_DropsThePageButNotThePin()
    {
        Mfn frame = Frame(_world.Granter, 20);
        _world.Grant(9, _world.Mapper, 20);
        GrantHandle handle = _world.MapOkay(9, 30);
        uint before = _world.Machine.Frames.References(frame);
        Assert.NotEqual(0, SetEntry(_world.Mapper, 30, frame.Address | P));
        Assert.NotEqual(0, SetEntry(_world.Mapper, 33, frame.Address | P | W));
        Assert.Equal(0, SetEntry(_world.Mapper, 30, Frame(_world.Mapper, 30).Address | P | W));
        Assert.Equal(before - 1, _world.Machine.Frames.References(frame));
        Assert.False(_world.Mapper.Domain.MayAccess(frame, write: false));
        Assert.Equal(Permit | GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Flags(9));
        _world.Audit();
        Assert.Equal(GrantStatus.GeneralError, _world.Unmap(handle, 30));
        Assert.Equal(1, _world.Grants.Audit().ActiveEntries);
        _world.Destroy(_world.Mapper);
        Assert.Equal(Permit, _world.Flags(9));
        Assert.Equal(default, _world.Grants.Audit());
    }

    [Fact]
    public void GivingUpTheTable_DropsThePageToo()
    {
        Mfn frame = Frame(_world.Granter, 20);
        _world.Grant(9, _world.Mapper, 20);
        _ = _world.MapOkay(9, 30);
        uint before = _world.Machine.Frames.References(frame);
        _world.Mapper.WriteWords(TestGuest.AddressOf(8), Frame(_world.Mapper, 2).Address, 0);

        // The only level 1 table of the guest: nothing is mapped afterwards.
        Assert.Equal(0, _world.Mapper.Hypercall(HypercallNumber.MmuUpdate, TestGuest.AddressOf(8), 1, 0, DomId.Self.Value));
        Assert.Equal(before - 1, _world.Machine.Frames.References(frame));
        Assert.False(_world.Mapper.Domain.MayAccess(frame, write: false));
    }

    [Fact]
    public void Maptrack_IsLimited()
    {
        Assert.Equal(XenErrno.OK, new DomainControl(_world.Machine).Create(new DomainSettings("small", 1, 16) { MaxMaptrackFrames = 1, MaxGrantFrames = 1 }, out Domain? small));
        for (int i = 0; i < MapTrack.HandlesPerFrame; i++)
            Assert.True(small!.Maps.Track.TryReserve(out _));
        Assert.False(small!.Maps.Track.TryReserve(out _));
        small.Maps.Track.Free(new GrantHandle(17));
        Assert.True(small.Maps.Track.TryReserve(out GrantHandle again));
        Assert.Equal(17u, again.Value);
        Assert.False(small.Grants.TryGrow(2));
        Assert.True(small.Grants.TryGrow(1));
        new DomainControl(_world.Machine).Destroy(small);
        Assert.Equal(XenErrno.EINVAL, new DomainControl(_world.Machine).Create(new DomainSettings("bad", 1, 16) { MaxGrantFrames = 0 }, out _));
    }

    [Fact]
    public void Hostile_MappingTooOften_IsRefused_AndForgotten()
    {
        _world.Grant(9, DomId.Dom0, 20);
        List<HostGrantHandle> handles = [];
        GrantStatus status = GrantStatus.Okay;
        while (handles.Count < 40_000 && status == GrantStatus.Okay)
        {
            status = _world.Grants.MapForHost(new GrantRef(9), readOnly: true, out HostGrantHandle handle, out _);
            if (status == GrantStatus.Okay)
                handles.Add(handle);
        }

        Assert.Equal(GrantStatus.GeneralError, status);
        Assert.Equal(0x8000, _world.Grants.HostMappings);
        Assert.All(handles, handle => Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(handle)));
        Assert.Equal(Permit, _world.Flags(9));
    }

    [Fact]
    public void Batches_HaveAStatusForEach()
    {
        const int Count = 70;
        for (uint i = 0; i < Count; i++)
            _world.Grant(100 + i, _world.Mapper, 20);
        ulong list = TestGuest.AddressOf(9);
        for (uint i = 0; i < Count; i++)
        {
            _world.Mapper.Write(list + (i * 32), new GnttabMapGrantRef
            {
                HostAddr = i == 40 ? 0 : TestGuest.AddressOf(16 + ((int)i % 40)), Flags = ReadOnly, Ref = new GrantRef(100 + i), Dom = _world.Granter.Domain.Id,
            });
        }

        Assert.Equal(0, Call(_world.Mapper, GrantTableOperation.MapGrantRef, Count, list));
        GnttabMapGrantRef[] mapped = [.. Enumerable.Range(0, Count).Select(i => _world.Mapper.Read<GnttabMapGrantRef>(list + ((ulong)i * 32)))];
        Assert.All(mapped.Index(), item => Assert.Equal(item.Index == 40 ? GrantStatus.GeneralError : GrantStatus.Okay, item.Item.Status));
        _world.Audit();

        // The later of two mappings of an address has replaced the earlier one, which still finds the same frame there once.
        for (uint i = 0; i < Count; i++)
            _world.Mapper.Write(list + (i * 24), new GnttabUnmapGrantRef { HostAddr = mapped[i].HostAddr, Handle = mapped[i].Handle });
        Assert.Equal(0, Call(_world.Mapper, GrantTableOperation.UnmapGrantRef, Count, list));
        int done = Enumerable.Range(0, Count).Count(i => _world.Mapper.Read<GnttabUnmapGrantRef>(list + ((ulong)i * 24)).Status == GrantStatus.Okay);
        Assert.Equal(40, done);
        _world.Audit();
        Assert.Equal(Error(XenErrno.EFAULT), Call(_world.Mapper, GrantTableOperation.MapGrantRef, 1, 0xDEAD_0000));
        Assert.Equal(Error(XenErrno.EFAULT), Call(_world.Mapper, GrantTableOperation.UnmapGrantRef, 1, 0xDEAD_0000));
        Assert.Equal(Error(XenErrno.EINVAL), Call(_world.Mapper, GrantTableOperation.Copy, 0x8000_0000));
        Assert.Equal(Error(XenErrno.ENOSYS), Call(_world.Mapper, GrantTableOperation.DumpTable));
    }

    [Fact]
    public void CacheFlush_OfPagesThatTheDomainHas()
    {
        _world.Grant(9, _world.Mapper, 20);
        ulong own = Frame(_world.Mapper, 20).Address, foreign = Frame(_world.Granter, 20).Address;
        const GrantCacheFlushOperation Clean = GrantCacheFlushOperation.Clean, Both = Clean | GrantCacheFlushOperation.Inval;
        Assert.Equal(0, _world.CacheFlush(_world.Mapper, own, Both));
        Assert.Equal(Error(XenErrno.EOPNOTSUPP), _world.CacheFlush(_world.Mapper, own, GrantCacheFlushOperation.Inval));
        Assert.Equal(Error(XenErrno.EOPNOTSUPP), _world.CacheFlush(_world.Mapper, 9, GrantCacheFlushOperation.SourceGref | Clean));
        Assert.Equal(Error(XenErrno.EINVAL), _world.CacheFlush(_world.Mapper, own, Clean, 4090, 7));
        Assert.Equal(Error(XenErrno.EINVAL), _world.CacheFlush(_world.Mapper, own, (GrantCacheFlushOperation)8));
        Assert.Equal(Error(XenErrno.EPERM), _world.CacheFlush(_world.Mapper, ulong.MaxValue, Clean));
        Assert.Equal(Error(XenErrno.EINVAL), _world.CacheFlush(_world.Mapper, foreign, Clean));
        _ = _world.MapOkay(9, 30);
        Assert.Equal(0, _world.CacheFlush(_world.Mapper, foreign, Clean));
    }

    private static long Error(XenErrno errno) => -(long)errno;
}
