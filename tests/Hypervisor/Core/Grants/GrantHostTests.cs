using System.Diagnostics;
using Xen.Abi;
using Xen.Core.Tests.Paging;
using Xunit.Abstractions;
using static Xen.Core.Tests.Grants.GrantWorld;

namespace Xen.Core.Tests.Grants;

/// <summary>Services of this process that use grants as domain 0; deaths.</summary>
public sealed class GrantHostTests(ITestOutputHelper output) : IDisposable
{
    private const GrantEntryFlags Permit = GrantEntryFlags.PermitAccess;

    private static readonly GrantRef Nine = new(9);

    private readonly GrantWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Handle_ThatWasGivenBack_DoesNotEndTheMappingThatHasItsNumberNow()
    {
        _world.Grant(9, DomId.Dom0, 20);
        _world.Grant(10, DomId.Dom0, 21);
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(Nine, readOnly: false, out HostGrantHandle stale, out _));
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(stale));
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(new GrantRef(10), readOnly: false, out HostGrantHandle mine, out _));
        Assert.Equal((uint)stale.Value, (uint)mine.Value);
        Assert.NotEqual(stale, mine);
        Assert.Equal(GrantStatus.BadHandle, _world.Host.Unmap(stale));
        Assert.Equal(1, _world.Grants.HostMappings);
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(mine));
        Assert.Equal(GrantStatus.BadHandle, _world.Host.Unmap(default));
        Assert.Equal(GrantStatus.BadHandle, _world.Host.Unmap(new HostGrantHandle(ulong.MaxValue)));
    }

    [Fact]
    public void Map_SharesThePage_UntilItIsUnmapped()
    {
        _world.Grant(9, DomId.Dom0, 20);
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(Nine, readOnly: false, out HostGrantHandle handle, out Mfn frame));
        Assert.Equal(Frame(_world.Granter, 20), frame);
        _world.Host.Bytes(frame)[3] = 9;
        Assert.Equal(9u, _world.Granter.Read<uint>(TestGuest.AddressOf(20)) >> 24);
        Assert.Equal(new GrantAudit(1, 0, 1, 1, 0), _world.Grants.Audit());
        Assert.Equal(Permit | GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Flags(9));
        _world.Audit();
        Assert.Equal(GrantStatus.Okay, _world.Grants.UnmapForHost(handle));
        Assert.Equal(GrantStatus.BadHandle, _world.Grants.UnmapForHost(handle));
        Assert.Equal(default, _world.Grants.Audit());
        Assert.Equal(Permit, _world.Flags(9));
    }

    [Fact]
    public void Hostile_Map_OfWhatIsNotGranted()
    {
        Assert.Equal(GrantStatus.GeneralError, _world.Grants.MapForHost(Nine, readOnly: true, out _, out _));
        Assert.Equal(GrantStatus.BadGntref, _world.Grants.MapForHost(new GrantRef(uint.MaxValue), readOnly: true, out _, out _));
        _world.Grant(9, _world.Mapper, 20);
        Assert.Equal(GrantStatus.GeneralError, _world.Grants.MapForHost(Nine, readOnly: true, out _, out _));
        _world.Grant(9, DomId.Dom0, 20, Permit | GrantEntryFlags.Readonly);
        Assert.Equal(GrantStatus.GeneralError, _world.Grants.MapForHost(Nine, readOnly: false, out _, out _));
        Assert.Equal(GrantStatus.GeneralError, _world.Grants.CopyToForHost(Nine, 0, [1]));
        _world.Grant(9, DomId.Dom0, 3);
        Assert.Equal(GrantStatus.GeneralError, _world.Grants.MapForHost(Nine, readOnly: false, out _, out _));
        Assert.Equal(GrantStatus.GeneralError, _world.Grants.CopyToForHost(Nine, 0, [1]));
        Assert.Equal(Permit, _world.Flags(9));
        Assert.Equal(0, _world.Host.Active);
        Assert.Equal(default, _world.Grants.Audit());
        _world.Audit();
    }

    [Fact]
    public void Copy_BothWays()
    {
        _world.Grant(9, DomId.Dom0, 20);
        Assert.Equal(GrantStatus.Okay, _world.Grants.CopyToForHost(Nine, 4094, [1, 2]));
        var read = new byte[4096];
        Assert.Equal(GrantStatus.Okay, _world.Grants.CopyFromForHost(Nine, 0, read));
        Assert.Equal([0, 1, 2], read[4093..]);
        Assert.Equal(GrantStatus.BadCopyArg, _world.Grants.CopyFromForHost(Nine, 1, read));
        Assert.Equal(GrantStatus.BadCopyArg, _world.Grants.CopyFromForHost(Nine, -1, read.AsSpan(0, 1)));
        Assert.Equal(GrantStatus.BadCopyArg, _world.Grants.CopyToForHost(Nine, 4095, [1, 2]));
        Assert.Equal(Permit, _world.Flags(9));
        Assert.Equal(default, _world.Grants.Audit());
        _world.Audit();
    }

    [Fact]
    public void AWrite_VoidsDecodedCode()
    {
        _world.Grant(9, DomId.Dom0, 20);
        uint word = _world.Machine.Code.MarkCode(Frame(_world.Granter, 20), out _);
        Assert.Equal(GrantStatus.Okay, _world.Grants.CopyToForHost(Nine, 0, [0xC3]));
        Assert.NotEqual(word, _world.Machine.Code.Word(Frame(_world.Granter, 20)));
    }

    [Fact]
    public void SteadyState_AllocatesNothing()
    {
        const int Rounds = 20_000;
        _world.Grant(9, DomId.Dom0, 20);
        byte[] buffer = new byte[512];
        Work(Rounds);
        Work(Rounds);
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        Work(Rounds);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        output.WriteLine($"{elapsed.TotalNanoseconds / Rounds:f0} ns for map, unmap and two copies of 512 bytes");

        void Work(int rounds)
        {
            for (int i = 0; i < rounds; i++)
            {
                bool lawful = _world.Grants.MapForHost(Nine, (i & 1) != 0, out HostGrantHandle handle, out _) == GrantStatus.Okay
                    && _world.Machine.FindDomain(_world.Granter.Domain.Id)!.Grants.CopyFromForHost(Nine, 8, buffer) == GrantStatus.Okay
                    && _world.Grants.CopyToForHost(Nine, 16, buffer) == GrantStatus.Okay
                    && _world.Host.Unmap(handle) == GrantStatus.Okay;
                if (!lawful)
                    Assert.Fail("refused");
            }
        }
    }

    [Fact]
    public void DeathOfTheGranter_LeavesTheFramesToTheirMappers()
    {
        Domain granter = _world.Granter.Domain;
        Mfn byHost = Frame(_world.Granter, 20), byGuest = Frame(_world.Granter, 21);
        _world.Grant(9, DomId.Dom0, 20);
        _world.Grant(10, _world.Mapper, 21);
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(Nine, readOnly: false, out HostGrantHandle host, out _));
        GrantHandle guest = _world.MapOkay(10, 30);
        _world.Mapper.WriteWords(TestGuest.AddressOf(30), 0x77);
        _world.Host.Bytes(byHost)[0] = 1;

        _world.Destroy(_world.Granter);
        Assert.Null(_world.Machine.FindDomain(granter.Id));
        Assert.Equal([_world.Mapper.Domain], _world.Machine.Domains);
        Assert.Equal(2ul, granter.TotalPages);
        Assert.Equal(1, _world.Host.Bytes(byHost)[0]);
        Assert.Equal(0x77ul, _world.Mapper.Read<ulong>(TestGuest.AddressOf(30)));
        Assert.True(_world.Mapper.Domain.MayAccess(byGuest, write: true));
        FrameAudit.Check(_world.Machine, [_world.Mapper.Domain]);

        Assert.NotEqual(GrantStatus.Okay, _world.Grants.MapForHost(Nine, readOnly: true, out _, out _));
        Assert.NotEqual(GrantStatus.Okay, _world.Grants.CopyFromForHost(Nine, 0, new byte[1]));
        Assert.Equal(GrantStatus.BadDomain, _world.Map(10, 31).Status);

        ulong free = _world.Machine.Allocator.FreeFrames;
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(host));
        Assert.Equal(free + 1, _world.Machine.Allocator.FreeFrames);
        Assert.Same(granter, _world.Machine.FindAny(granter.Id));
        Assert.Equal(GrantStatus.Okay, _world.Unmap(guest, 30));
        Assert.Equal(free + 2, _world.Machine.Allocator.FreeFrames);
        Assert.Null(_world.Machine.FindAny(granter.Id));
        Assert.Equal(0, _world.Machine.Memory.Frame(byHost)[0]);
    }

    [Fact]
    public void DeathOfTheMapper_EndsItsMappings()
    {
        _world.Grant(9, _world.Mapper, 20);
        _world.Grant(10, _world.Mapper, 21);
        _ = _world.MapOkay(9, 30, GrantMapFlags.HostMap | GrantMapFlags.DeviceMap);
        _ = _world.MapOkay(10, 31, GrantMapFlags.HostMap | GrantMapFlags.Readonly);
        _world.Destroy(_world.Mapper);
        Assert.Equal(default, _world.Grants.Audit());
        Assert.Equal(Permit, _world.Flags(9));
        Assert.Equal(Permit, _world.Flags(10));
        Assert.Equal(0, _world.Granter.Domain.OutsideReferences);
        _world.Audit();
    }

    [Fact]
    public void DeathOfBoth_FreesAll()
    {
        _world.Grant(9, _world.Mapper, 20);
        _ = _world.MapOkay(9, 30);
        _world.Destroy(_world.Granter);
        _world.Destroy(_world.Mapper);
        Assert.Null(_world.Machine.FindAny(_world.Granter.Domain.Id));
        Assert.Null(_world.Machine.FindAny(_world.Mapper.Domain.Id));
    }

    [Fact]
    public void ANumber_IsNotGivenAgain_WhileFramesOfItsDeadDomainAreLeft()
    {
        DomId dead = _world.Granter.Domain.Id;
        _world.Grant(9, DomId.Dom0, 20);
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(Nine, readOnly: true, out HostGrantHandle handle, out Mfn frame));
        _world.Destroy(_world.Granter);
        var control = new DomainControl(_world.Machine);

        Domain next = CreateFrom(dead);
        Assert.NotEqual(dead, next.Id);
        Assert.False(next.MayAccess(frame, write: false));
        control.Destroy(next);
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(handle));
        Assert.Null(_world.Machine.FindAny(dead));
        next = CreateFrom(dead);
        Assert.Equal(dead, next.Id);
        control.Destroy(next);

        // As if the numbers had gone round once.
        Domain CreateFrom(DomId number)
        {
            _world.Machine.LastNumber = new DomId((ushort)(number.Value - 1));
            Assert.Equal(XenErrno.OK, control.Create(new DomainSettings("next", 1, 1), out Domain? domain));
            return domain!;
        }
    }

    [Fact]
    public void AFrameThatItsOwnerGivesUp_StaysUntilItIsUnmapped()
    {
        Mfn frame = Frame(_world.Granter, 20);
        _world.Grant(9, DomId.Dom0, 20);
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(Nine, readOnly: false, out HostGrantHandle handle, out _));
        Assert.Equal(0, SetEntry(_world.Granter, 20, 0));
        using (PageTables.PagingSection section = _world.Granter.Domain.Tables.Enter(null))
            Assert.True(_world.Granter.Domain.Tables.GiveUp(frame));
        Assert.True(_world.Machine.Frames.IsInUse(frame));
        _world.Audit();
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(handle));
        Assert.False(_world.Machine.Frames.IsInUse(frame));
        _world.Audit();
    }

    [Fact]
    public void Seed_FillsAToolstacksEntry_InBothLayouts()
    {
        Mfn console = Frame(_world.Granter, 20);
        TestGuest fresh = _world.Add();
        Assert.Equal(XenErrno.OK, fresh.Domain.Grants.Seed(new GrantRef(ReservedGrants.Console), DomId.Dom0, Frame(fresh, 20)));
        Assert.Equal(1, fresh.Domain.Grants.FrameCount);
        Assert.Equal(Permit, _world.Flags(0, fresh));
        Assert.Equal(XenErrno.OK, _world.Grants.Seed(new GrantRef(ReservedGrants.XenStore), DomId.Dom0, console));
        Assert.Equal(GrantStatus.Okay, _world.Grants.MapForHost(new GrantRef(1), readOnly: false, out HostGrantHandle handle, out Mfn mapped));
        Assert.Equal(console, mapped);
        Assert.Equal(XenErrno.EBUSY, _world.Grants.Seed(new GrantRef(1), DomId.Dom0, console));
        Assert.Equal(XenErrno.EINVAL, _world.Grants.Seed(new GrantRef(8), DomId.Dom0, console));
        Assert.Equal(XenErrno.EINVAL, _world.Grants.Seed(new GrantRef(2), DomId.Dom0, Frame(_world.Mapper, 20)));

        Assert.Equal(XenErrno.OK, _world.Grants.SetVersion(2));
        Assert.Equal(XenErrno.OK, _world.Grants.Seed(new GrantRef(2), DomId.Dom0, console));
        Assert.Equal(GrantStatus.Okay, _world.Grants.CopyFromForHost(new GrantRef(2), 0, new byte[8]));
        Assert.Equal(GrantEntryFlags.Reading | GrantEntryFlags.Writing, _world.Status(1));
        Assert.Equal(GrantStatus.Okay, _world.Host.Unmap(handle));
        Assert.Equal(GrantEntryFlags.Invalid, _world.Status(1));
    }

    [Fact]
    public void TwoGuests_MapEachOthersPages_AtOnce()
    {
        const int Rounds = 3000;
        Assert.True(_world.Mapper.Domain.Grants.TryGrow(1));
        for (uint reference = 20; reference < 26; reference++)
        {
            _world.Grant(reference, _world.Mapper, (int)reference);
            _world.Grant(reference, _world.Granter, (int)reference, from: _world.Mapper);
            Assert.Equal(0, SetEntry(_world.Mapper, (int)reference, 0));
            Assert.Equal(0, SetEntry(_world.Granter, (int)reference, 0));
        }

        var other = new Thread(() => Use(_world.Mapper, _world.Granter, 1));
        other.Start();
        Use(_world.Granter, _world.Mapper, 2);
        Assert.True(other.Join(TestMachine.Patience));
        _world.Audit();

        // Its own pages become tables now and then, which others then cannot write; and it overwrites what it has mapped.
        void Use(TestGuest guest, TestGuest granter, int seed)
        {
            var random = new Random(seed);
            for (int i = 0; i < Rounds; i++)
            {
                uint reference = (uint)random.Next(20, 26);
                GnttabMapGrantRef mapped = _world.Map(reference, 40, GrantMapFlags.HostMap | (GrantMapFlags)(random.Next(2) * 4), guest, granter.Domain.Id);
                _ = _world.Copy(_world.OfGrant(reference, granter: granter), _world.OfOwn(41, guest: guest), 64, GrantCopyFlags.SourceGref, guest);
                if (mapped.Status == GrantStatus.Okay && random.Next(100) == 0)
                    Assert.Equal(0, SetEntry(guest, 40, 0));
                else if (mapped.Status == GrantStatus.Okay)
                    Assert.Equal(GrantStatus.Okay, _world.Unmap(mapped.Handle, 40, by: guest));
                int page = random.Next(20, 26);
                using PageTables.PagingSection section = guest.Domain.Tables.Enter(guest.Vcpu);
                Mfn frame = Frame(guest, page);
                _ = _world.Machine.Frames.IsPinned(frame) ? guest.Domain.Tables.Unpin(frame) : guest.Domain.Tables.Pin(frame, 1);
            }
        }
    }

    [Fact]
    public void Threads_MapCopyAndUnmap_WhileTheGranterTakesItsGrantsBack()
    {
        bool stop = false;
        int mapped = 0;
        GrantRef[] references = [.. Enumerable.Range(20, 6).Select(static i => new GrantRef((uint)i))];
        Thread[] threads = [.. Enumerable.Range(1, 2).Select(seed => new Thread(() => MapAndUnmap(seed)))];
        foreach (Thread thread in threads)
            thread.Start();
        var random = new Random(5);
        var clock = Stopwatch.StartNew();
        int revoked = 0;
        while (clock.Elapsed < TimeSpan.FromSeconds(1) || Volatile.Read(ref mapped) < 100 || revoked < 10)
        {
            uint reference = references[random.Next(references.Length)].Value;
            if (_world.TryRevoke(reference))
            {
                // Not in use, so nobody may be using it now: the page is the guest's own again.
                revoked++;
                _world.Grant(reference, random.Next(4) == 0 ? new DomId(99) : DomId.Dom0, (int)reference, Permit | (random.Next(3) == 0 ? GrantEntryFlags.Readonly : 0));
            }

            if (clock.Elapsed > TestMachine.Patience)
                Assert.Fail($"{mapped} mapped, {revoked} revoked");
        }

        Volatile.Write(ref stop, true);
        foreach (Thread thread in threads)
            thread.Join();
        Assert.Equal(default, _world.Grants.Audit());
        foreach (GrantRef reference in references)
            Assert.Equal(GrantEntryFlags.Invalid, _world.Flags(reference.Value) & (GrantEntryFlags.Reading | GrantEntryFlags.Writing));
        _world.Audit();

        void MapAndUnmap(int seed)
        {
            var choices = new Random(seed);
            byte[] bytes = new byte[16];
            while (!Volatile.Read(ref stop))
            {
                GrantRef reference = references[choices.Next(references.Length)];
                if (choices.Next(2) == 0)
                {
                    _ = _world.Grants.CopyToForHost(reference, 8, bytes);
                    continue;
                }

                if (_world.Grants.MapForHost(reference, choices.Next(2) == 0, out HostGrantHandle handle, out _) != GrantStatus.Okay)
                    continue;
                Interlocked.Increment(ref mapped);
                _ = _world.Grants.CopyFromForHost(reference, 0, bytes);
                _ = _world.Host.Unmap(handle);
            }
        }
    }
}
