using Xen.Abi;
using Xen.Core.Tests.Paging;
using Xen.Cpu;

namespace Xen.Core.Tests.Grants;

/// <summary>
/// A machine with guests that grant to each other. Page 8 of each holds hypercall arguments; pages from 16 on are for tests. At its end every domain is destroyed and
/// every frame must have come back.
/// </summary>
internal sealed class GrantWorld : IDisposable
{
    public const ulong P = 1, W = 2, U = 4;

    private static readonly ulong Arguments = TestGuest.AddressOf(8);

    private readonly ulong _freeBefore;
    private readonly List<TestGuest> _guests = [];

    public GrantWorld()
    {
        Machine = new Machine(new MachineConfig(4096, 1, static _ => new NoEngine()));
        _freeBefore = Machine.Allocator.FreeFrames;
        Granter = Add();
        Mapper = Add();
        Assert.True(Granter.Domain.Grants.TryGrow(2));
    }

    public Machine Machine { get; }

    public TestGuest Granter { get; }

    public TestGuest Mapper { get; }

    public HostGrants Host => Machine.HostGrants;

    public GrantTable Grants => Granter.Domain.Grants;

    public TestGuest Add()
    {
        var guest = new TestGuest(2, Machine);
        foreach (Vcpu vcpu in guest.Domain.Vcpus)
        {
            vcpu.State.EnterGuest();
            vcpu.State.LeaveGuest();
        }

        _guests.Add(guest);
        return guest;
    }

    public static Mfn Frame(TestGuest guest, int page) => guest.Domain.FrameOf(new Pfn((ulong)page));

    /// <summary>Writes an entry as a guest does: first what it grants, then the flags.</summary>
    public void Grant(uint reference, TestGuest to, int page, GrantEntryFlags flags = GrantEntryFlags.PermitAccess, TestGuest? from = null) =>
        Grant(reference, to.Domain.Id, page, flags, from);

    public void Grant(uint reference, DomId to, int page, GrantEntryFlags flags = GrantEntryFlags.PermitAccess, TestGuest? from = null) =>
        WriteEntry(from ?? Granter, reference, flags, to, Frame(from ?? Granter, page).Value);

    public void WriteEntry(TestGuest guest, uint reference, GrantEntryFlags flags, DomId domain, ulong frame, uint middle = 0)
    {
        ulong address = Entry(guest, reference);
        if (guest.Domain.Grants.Version == 1)
            Machine.Memory.Ref<uint>(address + 4) = (uint)frame;
        else
            Machine.Memory.WriteUInt64(address + 8, frame);
        if (guest.Domain.Grants.Version == 2)
            Machine.Memory.Ref<uint>(address + 4) = middle;
        Volatile.Write(ref Machine.Memory.Ref<uint>(address), (uint)flags | ((uint)domain.Value << 16));
    }

    public GrantEntryFlags Flags(uint reference, TestGuest? guest = null) =>
        (GrantEntryFlags)Machine.Memory.Ref<ushort>(Entry(guest ?? Granter, reference));

    public GrantEntryFlags Status(uint reference)
    {
        Assert.True(Grants.TryGetStatusFrame((int)(reference / 2048), out Mfn frame));
        return (GrantEntryFlags)Machine.Memory.Ref<ushort>(frame.Address + (reference % 2048 * 2));
    }

    /// <summary>Takes a grant back as Linux does: only when it is not in use.</summary>
    public bool TryRevoke(uint reference)
    {
        ref uint head = ref Machine.Memory.Ref<uint>(Entry(Granter, reference));
        uint seen = Volatile.Read(ref head);
        return (seen & 0x18) == 0 && Interlocked.CompareExchange(ref head, seen & 0xFFFF_0000, seen) == seen;
    }

    public GnttabMapGrantRef Map(uint reference, int page, GrantMapFlags flags = GrantMapFlags.HostMap, TestGuest? by = null, DomId? granter = null, ulong? address = null)
    {
        TestGuest mapper = by ?? Mapper;
        mapper.Write(Arguments, new GnttabMapGrantRef
        {
            HostAddr = address ?? TestGuest.AddressOf(page), Flags = flags, Ref = new GrantRef(reference), Dom = granter ?? Granter.Domain.Id,
        });
        Assert.Equal(0, Call(mapper, GrantTableOperation.MapGrantRef));
        return mapper.Read<GnttabMapGrantRef>(Arguments);
    }

    /// <summary>Maps and expects that it succeeds.</summary>
    public GrantHandle MapOkay(uint reference, int page, GrantMapFlags flags = GrantMapFlags.HostMap, TestGuest? by = null)
    {
        GnttabMapGrantRef mapped = Map(reference, page, flags, by);
        Assert.Equal(GrantStatus.Okay, mapped.Status);
        return mapped.Handle;
    }

    public GrantStatus Unmap(GrantHandle handle, int page, ulong device = 0, TestGuest? by = null) =>
        UnmapAddress(handle, page == 0 ? 0 : TestGuest.AddressOf(page), device, by);

    public GrantStatus UnmapAddress(GrantHandle handle, ulong address, ulong device = 0, TestGuest? by = null)
    {
        TestGuest mapper = by ?? Mapper;
        mapper.Write(Arguments, new GnttabUnmapGrantRef { HostAddr = address, DevBusAddr = device, Handle = handle });
        Assert.Equal(0, Call(mapper, GrantTableOperation.UnmapGrantRef));
        return mapper.Read<GnttabUnmapGrantRef>(Arguments).Status;
    }

    public GrantStatus Replace(GrantHandle handle, int page, int with)
    {
        Mapper.Write(Arguments, new GnttabUnmapAndReplace { HostAddr = TestGuest.AddressOf(page), NewAddr = TestGuest.AddressOf(with), Handle = handle });
        Assert.Equal(0, Call(Mapper, GrantTableOperation.UnmapAndReplace));
        return Mapper.Read<GnttabUnmapAndReplace>(Arguments).Status;
    }

    public GrantStatus Copy(GnttabCopyPtr source, GnttabCopyPtr destination, int length, GrantCopyFlags flags, TestGuest? by = null)
    {
        TestGuest caller = by ?? Mapper;
        caller.Write(Arguments, new GnttabCopy { Source = source, Dest = destination, Len = (ushort)length, Flags = flags });
        Assert.Equal(0, Call(caller, GrantTableOperation.Copy));
        return caller.Read<GnttabCopy>(Arguments).Status;
    }

    public GrantStatus Transfer(ulong frame, DomId to, uint reference, TestGuest? by = null)
    {
        TestGuest giver = by ?? Mapper;
        giver.Write(Arguments, new GnttabTransfer { Mfn = new Gfn(frame), Domid = to, Ref = new GrantRef(reference) });
        Assert.Equal(0, Call(giver, GrantTableOperation.Transfer));
        return giver.Read<GnttabTransfer>(Arguments).Status;
    }

    public GrantStatus Swap(uint one, uint other)
    {
        Granter.Write(Arguments, new GnttabSwapGrantRef { RefA = new GrantRef(one), RefB = new GrantRef(other) });
        Assert.Equal(0, Call(Granter, GrantTableOperation.SwapGrantRef));
        return Granter.Read<GnttabSwapGrantRef>(Arguments).Status;
    }

    public long CacheFlush(TestGuest guest, ulong address, GrantCacheFlushOperation operation, int offset = 0, int length = 64)
    {
        guest.Write(Arguments, new GnttabCacheFlush { A = address, Offset = (ushort)offset, Length = (ushort)length, Op = operation });
        return Call(guest, GrantTableOperation.CacheFlush);
    }

    public GnttabCopyPtr OfGrant(uint reference, int offset = 0, TestGuest? granter = null) =>
        new() { U = reference, Domid = (granter ?? Granter).Domain.Id, Offset = (ushort)offset };

    public GnttabCopyPtr OfOwn(int page, int offset = 0, TestGuest? guest = null) =>
        new() { U = Frame(guest ?? Mapper, page).Value, Domid = DomId.Self, Offset = (ushort)offset };

    /// <summary>update_va_mapping of a page.</summary>
    public static long SetEntry(TestGuest guest, int page, ulong entry) =>
        guest.Hypercall(HypercallNumber.UpdateVaMapping, TestGuest.AddressOf(page), entry, 0);

    /// <summary>The level 1 entry of a page.</summary>
    public ulong ReadEntry(TestGuest guest, int page) => Machine.Memory.ReadUInt64(EntryAddress(guest, page));

    /// <summary>The machine address of that entry.</summary>
    public static ulong EntryAddress(TestGuest guest, int page) => Frame(guest, 3).Address + ((ulong)page * 8);

    public static long Call(TestGuest guest, GrantTableOperation operation, uint count = 1, ulong? list = null) =>
        guest.Hypercall(HypercallNumber.GrantTableOp, (ulong)operation, list ?? Arguments, count);

    public void Destroy(TestGuest guest) => new DomainControl(Machine).Destroy(guest.Domain);

    public void Audit() => FrameAudit.Check(Machine, Machine.Domains);

    public void Dispose()
    {
        Audit();
        foreach (TestGuest guest in _guests)
            Destroy(guest);
        Assert.DoesNotContain(Machine.Log.Read(), static line => line.Contains("not destroyed cleanly", StringComparison.Ordinal));
        Assert.Equal(0, Host.Active);
        Assert.Equal(_freeBefore, Machine.Allocator.FreeFrames);
        FrameAudit.Check(Machine, []);
        Machine.Dispose();
    }

    private ulong Entry(TestGuest guest, uint reference)
    {
        uint size = guest.Domain.Grants.Version == 1 ? 8u : 16u, perFrame = 4096 / size;
        Assert.True(guest.Domain.Grants.TryGetFrame((int)(reference / perFrame), out Mfn frame));
        return frame.Address + (reference % perFrame * size);
    }

    private sealed class NoEngine : ICpuEngine
    {
        public ulong? InstructionsRetired => 0;

        public CpuExit Run(long budget) => new(CpuExitReason.BudgetSpent);
    }
}
