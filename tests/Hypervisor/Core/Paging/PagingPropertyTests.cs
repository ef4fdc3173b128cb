using Xen.Abi;
using Xen.Cpu;
using static Xen.Core.Tests.Paging.PagingGuest;

namespace Xen.Core.Tests.Paging;

/// <summary>Random sequences of lawful and unlawful requests, from one vCPU and from two at once: the counters are always what a fresh count says.</summary>
public sealed class PagingPropertyTests
{
    private const int FirstPage = 16, LastPage = 63;

    // Few places, so that requests meet; hypervisor slots and both ends among them.
    private static readonly int[] Places = [0, 1, 2, 255, 256, 271, 272, 511];
    private static readonly ulong[] Flags = [0, P, P, P | W, P | W, P | U, P | W | U, P | W | A | D, P | Nx, P | Ps, P | Pcd, P | G];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void RandomRequests_KeepTheCounters(int seed)
    {
        using var guest = new PagingGuest();
        guest.Domain.WritablePageTables = true;
        var chaos = new Chaos(guest, guest.Vcpu, seed);
        for (int i = 0; i < 6000; i++)
        {
            chaos.Step();
            if (i % 100 == 0)
                FrameAudit.Check(guest.Machine, [guest.Domain], chaos.Holds);
        }

        FrameAudit.Check(guest.Machine, [guest.Domain], chaos.Holds);
        Assert.True(chaos.Succeeded > 500, $"only {chaos.Succeeded} requests were lawful");
        Assert.True(chaos.DeepestPin >= 2, $"no pin was deeper than {chaos.DeepestPin}");
        guest.Release();
    }

    [Fact]
    public void TwoVcpusAtOnce_KeepTheCounters()
    {
        using var guest = new PagingGuest(vcpus: 3);
        guest.Domain.WritablePageTables = true;
        var first = new Chaos(guest, guest.Domain.Vcpus[0], 11);
        var second = new Chaos(guest, guest.Domain.Vcpus[1], 12);
        bool stop = false;

        // The third walks, as an engine does: sets accessed and dirty bits, and takes flushes.
        var walker = new Thread(() =>
        {
            VcpuState state = guest.Domain.Vcpus[2].State;
            var random = new Random(13);
            state.EnterGuest();
            while (!Volatile.Read(ref stop))
            {
                ulong address = TestGuest.AddressOf(random.Next(FirstPage, LastPage + 1));
                Translation translation = PageWalker.Walk(guest.Machine.Memory, state.KernelRoot, address, MemoryAccess.Write);
                if (translation.Present && guest.Domain.MayAccess(translation.Frame, write: true))
                    state.KernelTlb.Fill(address, 0, write: true);
                if (state.HasRequests)
                    state.TakeFlush();
            }

            state.LeaveGuest();
        });
        walker.Start();
        var other = new Thread(() => Run(second));
        other.Start();
        Run(first);
        other.Join();
        Volatile.Write(ref stop, true);
        walker.Join();

        FrameAudit.Check(guest.Machine, [guest.Domain], first.Holds.Concat(second.Holds));
        guest.Release();

        static void Run(Chaos chaos)
        {
            for (int i = 0; i < 15_000; i++)
                chaos.Step();
        }
    }

    /// <summary>Makes requests at random: of each kind, about the domain's pages from <see cref="FirstPage"/> on.</summary>
    private sealed class Chaos(PagingGuest guest, Vcpu vcpu, int seed)
    {
        private readonly Random _random = new(seed);

        public List<Mfn> Holds { get; } = [];

        public int Succeeded { get; private set; }

        public int DeepestPin { get; private set; }

        private Domain Domain => guest.Domain;

        private PageTables Tables => guest.Domain.Tables;

        public void Step()
        {
            bool lawful = _random.Next(16) switch
            {
                < 2 => Scribble(),
                < 5 => Remap(),
                < 8 => UpdateEntry(),
                < 10 => Pin(),
                10 or 11 => Unpin(),
                12 => EmulatedWrite(),
                13 => ChangeRoot(),
                14 => Hold(),
                _ => GiveAndTake(),
            };
            if (lawful)
                Succeeded++;
        }

        /// <summary>A page's level, so that random trees have a chance to be lawful.</summary>
        private static int LevelOf(int page) => (page % 5) + 1 is var level and <= 4 ? level : 0;

        private Mfn AnyFrame() => guest.Frame(AnyPage());

        private int AnyPage() => _random.Next(FirstPage, LastPage + 1);

        private int PageOfLevel(int level)
        {
            for (int i = 0; i < 64; i++)
            {
                int page = AnyPage();
                if (LevelOf(page) == level)
                    return page;
            }

            return FirstPage;
        }

        private ulong EntryFor(int level)
        {
            ulong flags = Flags[_random.Next(Flags.Length)];
            return _random.Next(20) switch
            {
                0 => ((ulong)_random.NextInt64(1L << 40) << 12) | flags,
                1 => guest.Entry(_random.Next(0, 8), flags),
                2 => guest.Entry(AnyPage(), flags),
                3 => 0,
                _ => guest.Entry(PageOfLevel(level - 1), flags),
            };
        }

        /// <summary>What the guest's own stores do to pages that are no tables.</summary>
        private bool Scribble()
        {
            int page = AnyPage();
            Mfn frame = guest.Frame(page);
            using PageTables.PagingSection section = Tables.Enter(vcpu);
            if (!guest.Machine.Frames.IsOwnedBy(frame, Domain.Id) || (guest.Machine.Frames.TypeUsers(frame) != 0 && !Domain.MayAccess(frame, write: true)))
                return false;
            guest.Machine.Memory.Ref<ulong>(frame.Address + ((ulong)Places[_random.Next(Places.Length)] * 8)) = EntryFor(Math.Max(LevelOf(page), 1));
            return true;
        }

        private bool Remap()
        {
            int page = AnyPage();
            ulong entry = _random.Next(6) == 0 ? EntryFor(1) : guest.Entry(page, Flags[_random.Next(7)]);
            var arguments = new HypercallArguments(TestGuest.AddressOf(page), entry, (ulong)_random.Next(3), 0, 0);
            return UpdateVaMapping.Handle(vcpu, arguments).Rax == 0;
        }

        private bool UpdateEntry()
        {
            Mfn frame = AnyFrame();
            using PageTables.PagingSection section = Tables.Enter(vcpu);
            int level = guest.Machine.Frames.IsOwnedBy(frame, Domain.Id) ? guest.Machine.Frames.TableLevel(frame) : 0;
            EntryStore store = _random.Next(2) == 0 ? EntryStore.Plain : EntryStore.PreserveAccessedDirty;
            return level != 0 && Tables.Update(frame, level, Places[_random.Next(Places.Length)], EntryFor(level), store) == XenErrno.OK;
        }

        private bool Pin()
        {
            int page = AnyPage();
            int level = _random.Next(5) == 0 ? _random.Next(1, 5) : Math.Max(LevelOf(page), 1);
            using PageTables.PagingSection section = Tables.Enter(vcpu);
            if (Tables.Pin(guest.Frame(page), level) != XenErrno.OK)
                return false;
            DeepestPin = Math.Max(DeepestPin, level);
            return true;
        }

        private bool Unpin()
        {
            using PageTables.PagingSection section = Tables.Enter(vcpu);
            return Tables.Unpin(AnyFrame()) == XenErrno.OK;
        }

        private bool EmulatedWrite()
        {
            Mfn frame = guest.Frame(PageOfLevel(1));
            int index = Places[_random.Next(Places.Length)];
            return Domain.WritePageTable(vcpu.State, frame, index, guest.Read(frame, index), EntryFor(1)) == PageTableWrite.Done;
        }

        private bool ChangeRoot() =>
            Domain.SetUserRoot(vcpu, _random.Next(3) == 0 ? Mfn.Invalid : guest.Frame(PageOfLevel(4)), vcpu) == XenErrno.OK;

        private bool Hold()
        {
            Mfn frame = AnyFrame();
            if (Holds.Count > 4)
            {
                Domain.ReleaseHold(Holds[0], vcpu);
                Holds.RemoveAt(0);
            }

            if (!Domain.TryHoldWritable(frame, vcpu))
                return false;
            Holds.Add(frame);
            return true;
        }

        /// <summary>Balloons a frame away, or takes a new one; it is nobody's page, but counts.</summary>
        private bool GiveAndTake()
        {
            using PageTables.PagingSection section = Tables.Enter(vcpu);
            return _random.Next(40) == 0 ? Tables.GiveUp(AnyFrame()) : Domain.OwnedMemory.TryAllocate(out _) == XenErrno.OK;
        }
    }
}
