using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests.Paging;

/// <summary>
/// A <see cref="TestGuest"/> with the hypercalls of memory management. Its first pages are its tables, pages from <see cref="TestGuest.FirstDataPage"/> on
/// are mapped writable. Page 8 holds hypercall arguments; pages from 16 on are for tests.
/// </summary>
internal sealed class PagingGuest : IDisposable
{
    public const ulong P = 1, W = 2, U = 4, Pwt = 8, Pcd = 0x10, A = 0x20, D = 0x40, Ps = 0x80, G = 0x100, Avail = 0xE00, Nx = 1ul << 63;

    /// <summary>Where arguments and results of hypercalls lie.</summary>
    public static readonly ulong Arguments = TestGuest.AddressOf(8);

    private readonly ulong _freeBefore;
    private readonly ulong _self = DomId.Self.Value;

    public PagingGuest(int vcpus = 2)
    {
        Machine = new Machine(new MachineConfig(4096, 1, static _ => new NoEngine()));
        _freeBefore = Machine.Allocator.FreeFrames;
        Guest = new TestGuest(vcpus, Machine);
        foreach (Vcpu vcpu in Domain.Vcpus)
        {
            // Takes the flushes that setting the roots has left, as a first entry would.
            vcpu.State.EnterGuest();
            vcpu.State.LeaveGuest();
        }
    }

    public Machine Machine { get; }

    public TestGuest Guest { get; }

    public Domain Domain => Guest.Domain;

    public Vcpu Vcpu => Guest.Vcpu;

    public Mfn L4 => Frame(0);

    public Mfn L3 => Frame(1);

    public Mfn L2 => Frame(2);

    public Mfn L1 => Frame(3);

    public Mfn Frame(int page) => Domain.FrameOf(new Pfn((ulong)page));

    /// <summary>The entry of a page.</summary>
    public ulong Entry(int page, ulong flags) => Frame(page).Address | flags;

    public ulong Read(Mfn table, int index) => Machine.Memory.ReadUInt64(table.Address + ((ulong)index * 8));

    /// <summary>Writes where the guest's own stores could go: into a frame that is no table.</summary>
    public void Poke(Mfn frame, int index, ulong value)
    {
        Assert.Equal(0, Machine.Frames.TableLevel(frame));
        Machine.Memory.WriteUInt64(frame.Address + ((ulong)index * 8), value);
    }

    public long Update(Mfn table, int index, ulong value, MmuUpdateCommand command = MmuUpdateCommand.NormalPtUpdate) =>
        UpdateAddress((table.Address + ((ulong)index * 8)) | (ulong)command, value);

    public long UpdateAddress(ulong pointer, ulong value)
    {
        Guest.WriteWords(Arguments, pointer, value);
        return Guest.Hypercall(HypercallNumber.MmuUpdate, Arguments, 1, 0, _self);
    }

    public long Extended(MmuextCommand command, ulong first = 0, ulong second = 0)
    {
        Guest.WriteWords(Arguments, (ulong)command, first, second);
        return Guest.Hypercall(HypercallNumber.MmuextOp, Arguments, 1, 0, _self);
    }

    public long Pin(int level, int page) => Extended((MmuextCommand)(level - 1), Frame(page).Value);

    public long Unpin(int page) => Extended(MmuextCommand.UnpinTable, Frame(page).Value);

    public long Map(int page, ulong entry, UpdateVaMappingFlags flags = UpdateVaMappingFlags.None) =>
        Guest.Hypercall(HypercallNumber.UpdateVaMapping, TestGuest.AddressOf(page), entry, (ulong)flags);

    /// <summary>Maps a page read-only at its place, so that it can become a table.</summary>
    public void Protect(params ReadOnlySpan<int> pages)
    {
        foreach (int page in pages)
            Assert.Equal(0, Map(page, Entry(page, P | U)));
    }

    public static long Error(XenErrno errno) => -(long)errno;

    public void Audit() => FrameAudit.Check(Machine, [Domain]);

    /// <summary>Releases the domain and checks that every frame has come back.</summary>
    public void Release()
    {
        Domain.ReleaseMemory();
        Assert.Equal(0ul, Domain.TotalPages);
        Assert.Equal(_freeBefore, Machine.Allocator.FreeFrames);
        FrameAudit.Check(Machine, []);
    }

    public void Dispose() => Machine.Dispose();

    private sealed class NoEngine : ICpuEngine
    {
        public ulong? InstructionsRetired => 0;

        public CpuExit Run(long budget) => new(CpuExitReason.BudgetSpent);
    }
}
