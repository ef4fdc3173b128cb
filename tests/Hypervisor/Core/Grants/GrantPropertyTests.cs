using Xen.Abi;
using static Xen.Core.Tests.Grants.GrantWorld;

namespace Xen.Core.Tests.Grants;

/// <summary>
/// Random sequences of grant operations, page-table updates and deaths by two guests and the host, most of them almost lawful. The audit counts everything anew from
/// page tables and handles; a model says which operations on grants that nobody tampers with must succeed.
/// </summary>
public sealed class GrantPropertyTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void RandomOperations_KeepTheCounters(int seed)
    {
        using var world = new GrantWorld();
        Assert.True(world.Mapper.Domain.Grants.TryGrow(1));
        var chaos = new Chaos(world, seed);
        for (int i = 0; i < 4000; i++)
        {
            chaos.Step();
            if (i % 100 == 0)
                world.Audit();
        }

        Assert.True(chaos.Lawful > 400, $"only {chaos.Lawful} operations were lawful");
        world.Audit();
        chaos.UnmapHost();
        world.Destroy(world.Mapper);
        world.Audit();
        world.Destroy(world.Granter);
        Assert.Null(world.Machine.FindAny(world.Mapper.Domain.Id));
        Assert.Null(world.Machine.FindAny(world.Granter.Domain.Id));
    }

    /// <summary>The model: entries that are granted honestly, and how often each is mapped. Nobody tampers; the flags say what the model says.</summary>
    [Theory]
    [InlineData(1u, 11)]
    [InlineData(2u, 12)]
    public void HonestGrants_FollowTheModel(uint version, int seed)
    {
        using var world = new GrantWorld();
        Assert.Equal(XenErrno.OK, world.Grants.SetVersion(version));
        var random = new Random(seed);
        var maps = new List<(uint Reference, bool ReadOnly, GrantHandle Handle, int Page)>();
        for (uint reference = 10; reference < 14; reference++)
            world.Grant(reference, world.Mapper, (int)reference + 10, GrantEntryFlags.PermitAccess | (reference == 13 ? GrantEntryFlags.Readonly : 0));
        for (int i = 0; i < 1500; i++)
        {
            if (maps.Count < 20 && random.Next(2) == 0)
            {
                uint reference = (uint)random.Next(10, 14);
                bool readOnly = random.Next(2) == 0;
                int page = Enumerable.Range(24, 30).First(candidate => !maps.Exists(map => map.Page == candidate));
                GnttabMapGrantRef mapped = world.Map(reference, page, GrantMapFlags.HostMap | (readOnly ? GrantMapFlags.Readonly : 0));
                Assert.Equal(readOnly || reference != 13 ? GrantStatus.Okay : GrantStatus.GeneralError, mapped.Status);
                if (mapped.Status == GrantStatus.Okay)
                    maps.Add((reference, readOnly, mapped.Handle, page));
            }
            else if (maps.Count != 0)
            {
                int which = random.Next(maps.Count);
                Assert.Equal(GrantStatus.Okay, world.Unmap(maps[which].Handle, maps[which].Page));
                maps.RemoveAt(which);
            }

            for (uint reference = 10; reference < 14; reference++)
            {
                var uses = maps.FindAll(map => map.Reference == reference);
                GrantEntryFlags expected = uses.Count == 0 ? 0 : GrantEntryFlags.Reading | (uses.Exists(static map => !map.ReadOnly) ? GrantEntryFlags.Writing : 0);
                GrantEntryFlags flags = version == 1 ? world.Flags(reference) & (GrantEntryFlags.Reading | GrantEntryFlags.Writing) : world.Status(reference);
                Assert.Equal(expected, flags);
                Assert.Equal(uses.Exists(static map => !map.ReadOnly), world.Mapper.Domain.MayAccess(Frame(world.Granter, (int)reference + 10), write: true));
                Assert.Equal(uses.Count != 0, world.Mapper.Domain.MayAccess(Frame(world.Granter, (int)reference + 10), write: false));
            }

            Assert.Equal(maps.Count, world.Mapper.Domain.Grants.Audit().Maps);
            if (i % 100 == 0)
                world.Audit();
        }
    }

    private sealed class Chaos(GrantWorld world, int seed)
    {
        private const int FirstPage = 16, LastPage = 40, References = 20;

        private readonly Random _random = new(seed);
        private readonly List<HostGrantHandle> _hostHandles = [];

        public int Lawful { get; private set; }

        private TestGuest One => world.Granter;

        private TestGuest Other => world.Mapper;

        public void Step()
        {
            bool lawful = _random.Next(20) switch
            {
                < 5 => WriteEntry(),
                < 9 => Map(),
                < 11 => Unmap(),
                11 or 12 => HostMap(),
                13 => HostUnmap(),
                14 => Copy(),
                15 or 16 => ChangeEntry(),
                17 => PinOrUnpin(),
                18 => _random.Next(3) switch { 0 => SetVersion(), 1 => Swap(), _ => Transfer() },
                _ => Balloon(),
            };
            if (lawful)
                Lawful++;
        }

        public void UnmapHost()
        {
            foreach (HostGrantHandle handle in _hostHandles)
                Assert.Equal(GrantStatus.Okay, world.Host.Unmap(handle));
            _hostHandles.Clear();
            Assert.Equal(0, world.Host.Active);
        }

        private TestGuest Any() => _random.Next(2) == 0 ? One : Other;

        private int AnyPage() => _random.Next(FirstPage, LastPage + 1);

        private uint AnyReference() => _random.Next(30) == 0 ? (uint)_random.Next() : (uint)_random.Next(References);

        private Mfn AnyFrame() => Frame(Any(), _random.Next(10) == 0 ? _random.Next(8) : AnyPage());

        private bool WriteEntry()
        {
            TestGuest guest = Any();
            GrantEntryFlags flags = _random.Next(12) switch
            {
                0 => (GrantEntryFlags)_random.Next(0x10000),
                1 => GrantEntryFlags.AcceptTransfer,
                2 => GrantEntryFlags.Transitive,
                3 => GrantEntryFlags.PermitAccess | GrantEntryFlags.SubPage,
                4 or 5 => GrantEntryFlags.PermitAccess | GrantEntryFlags.Readonly,
                _ => GrantEntryFlags.PermitAccess,
            };
            DomId to = _random.Next(10) switch { 0 => new DomId((ushort)_random.Next(6)), < 4 => DomId.Dom0, _ => Any().Domain.Id };
            world.WriteEntry(guest, (uint)_random.Next(References), flags, to, AnyFrame().Value, (uint)_random.Next(int.MaxValue));
            return true;
        }

        private bool Map()
        {
            GrantMapFlags flags = (GrantMapFlags)_random.Next(1, 16);
            bool entry = _random.Next(4) == 0;
            TestGuest by = Any();
            ulong address = entry ? EntryAddress(by, AnyPage()) : TestGuest.AddressOf(AnyPage());
            return world.Map(AnyReference(), 0, flags | (entry ? GrantMapFlags.ContainsPte : 0), by, Any().Domain.Id, address).Status == GrantStatus.Okay;
        }

        private bool Unmap()
        {
            TestGuest by = Any();
            uint size = Math.Max(by.Domain.Maps.Track.Size, 1);
            var handle = new GrantHandle((uint)_random.Next((int)Math.Min(size, 60)));
            if (_random.Next(4) == 0 || !by.Domain.Maps.Track.TryPeek(handle, out GrantMap map))
                return world.Unmap(handle, AnyPage(), by: by) == GrantStatus.Okay;
            int page = Enumerable.Range(FirstPage, LastPage - FirstPage + 1)
                .FirstOrDefault(candidate => PageTableEntry.Frame(world.ReadEntry(by, candidate)) == map.Frame, AnyPage());
            if (by == Other && _random.Next(4) == 0)
                return world.Replace(handle, page, AnyPage()) == GrantStatus.Okay;
            ulong address = (map.Flags & GrantMapFlags.ContainsPte) != 0 ? EntryAddress(by, page) : TestGuest.AddressOf(page);
            return world.UnmapAddress(handle, address, _random.Next(2) == 0 ? map.Frame.Address : 0, by) == GrantStatus.Okay;
        }

        private bool HostMap()
        {
            if (_hostHandles.Count > 30 || Any().Domain.Grants.MapForHost(new GrantRef(AnyReference()), _random.Next(2) == 0, out HostGrantHandle handle, out _) != GrantStatus.Okay)
                return false;
            _hostHandles.Add(handle);
            return true;
        }

        private bool HostUnmap()
        {
            if (_hostHandles.Count == 0)
                return false;
            int which = _random.Next(_hostHandles.Count);
            Assert.Equal(GrantStatus.Okay, world.Host.Unmap(_hostHandles[which]));
            _hostHandles.RemoveAt(which);
            return true;
        }

        private bool Copy()
        {
            var flags = (GrantCopyFlags)_random.Next(4);
            TestGuest by = Any();
            return world.Copy(End((flags & GrantCopyFlags.SourceGref) != 0), End((flags & GrantCopyFlags.DestGref) != 0), _random.Next(4200), flags, by) == GrantStatus.Okay;

            GnttabCopyPtr End(bool grant) => grant
                ? world.OfGrant(AnyReference(), _random.Next(64), Any())
                : new GnttabCopyPtr { U = _random.Next(5) == 0 ? AnyFrame().Value : Frame(by, AnyPage()).Value, Domid = DomId.Self, Offset = (ushort)_random.Next(64) };
        }

        /// <summary>Overwrites a level 1 entry, a granted one perhaps.</summary>
        private bool ChangeEntry()
        {
            TestGuest by = Any();
            int page = AnyPage();
            ulong entry = _random.Next(4) switch
            {
                0 => 0,
                1 => world.ReadEntry(by, AnyPage()) & ~0x0010_0000_0000_0000ul,
                2 => AnyFrame().Address | P,
                _ => Frame(by, AnyPage()).Address | P | (_random.Next(2) == 0 ? W : 0),
            };
            return SetEntry(by, page, entry) == 0;
        }

        private bool PinOrUnpin()
        {
            TestGuest by = Any();
            Mfn frame = Frame(by, AnyPage());
            using PageTables.PagingSection section = by.Domain.Tables.Enter(by.Vcpu);
            return world.Machine.Frames.IsPinned(frame) ? by.Domain.Tables.Unpin(frame) == XenErrno.OK : by.Domain.Tables.Pin(frame, 1) == XenErrno.OK;
        }

        private bool SetVersion() => Any().Domain.Grants.SetVersion((uint)_random.Next(1, 3)) == XenErrno.OK;

        private bool Swap() => world.Swap(AnyReference(), AnyReference()) == GrantStatus.Okay;

        private bool Transfer()
        {
            TestGuest by = Any();
            Mfn frame = Frame(by, AnyPage());
            return world.Transfer(frame.Value, Any().Domain.Id, AnyReference(), by) == GrantStatus.Okay;
        }

        private bool Balloon()
        {
            TestGuest by = Any();
            using PageTables.PagingSection section = by.Domain.Tables.Enter(by.Vcpu);
            return _random.Next(10) == 0 ? by.Domain.Tables.GiveUp(Frame(by, AnyPage())) : by.Domain.OwnedMemory.TryAllocate(out _) == XenErrno.OK;
        }
    }
}
