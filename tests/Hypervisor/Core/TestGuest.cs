using System.Buffers.Binary;
using Xen.Abi;
using Xen.Cpu;

namespace Xen.Core.Tests;

/// <summary>
/// A domain with page tables and some memory, whose registers a test sets by hand: no engine executes anything.
/// </summary>
/// <remarks>
/// Pages from <see cref="FirstDataPage"/> on are mapped writable at <see cref="Base"/> + 4096 * page; pages 0 to 3 are the tables, and are not mapped.
/// User mode has the same tables.
/// </remarks>
internal sealed class TestGuest : IDisposable
{
    /// <summary>Where page 0 would be mapped.</summary>
    public const ulong Base = 0xFFFF_FFFF_8000_0000;

    public const int PageCount = 64, FirstDataPage = 8;

    private const ulong PresentWritableUser = 7;

    private readonly bool _ownsMachine;

    public TestGuest(int vcpus = 2, Machine? machine = null, int maxEventChannels = EventChannelTable.DefaultMaxPort)
    {
        _ownsMachine = machine is null;
        Machine = machine ?? new Machine(new MachineConfig(4096, 1, static _ => new IdleEngine()));
        Assert.Equal(XenErrno.OK, new DomainControl(Machine).Create(new DomainSettings("test", vcpus, PageCount) { MaxEventChannels = maxEventChannels }, out Domain? domain));
        Domain = domain!;
        Assert.Equal(XenErrno.OK, Domain.AllocateMemory(PageCount));
        BuildTables();
        foreach (Vcpu vcpu in Domain.Vcpus)
        {
            vcpu.State.Registers.Cs = FlatSelectors.KernelCs;
            vcpu.State.Registers.Ss = FlatSelectors.KernelSs;
            vcpu.Info.UpcallMask = false;
        }
    }

    public Machine Machine { get; }

    public Domain Domain { get; }

    public Vcpu Vcpu => Domain.Vcpus[0];

    public ref RegisterFile Registers => ref Vcpu.State.Registers;

    /// <summary>The linear address of a data page.</summary>
    public static ulong AddressOf(int page) => Base + ((ulong)page * Page.Size);

    /// <summary>Makes a hypercall as the first vCPU and returns rax.</summary>
    public long Hypercall(HypercallNumber number, ulong a1 = 0, ulong a2 = 0, ulong a3 = 0, ulong a4 = 0, ulong a5 = 0)
    {
        Registers.Gpr[Gpr.Rax] = (ulong)number;
        HypercallTable.SetArguments(ref Registers, new HypercallArguments(a1, a2, a3, a4, a5));
        HypercallTable.Dispatch(Vcpu);
        return (long)Registers.Gpr[Gpr.Rax];
    }

    public void Write(ulong address, params ReadOnlySpan<byte> bytes) => Assert.True(GuestAccess.Write(Vcpu, address, bytes));

    public void WriteWords(ulong address, params ReadOnlySpan<ulong> words)
    {
        foreach (ulong word in words)
        {
            Assert.True(GuestStructs.TryWrite(Vcpu, address, word));
            address += 8;
        }
    }

    public void Write<T>(ulong address, in T value)
        where T : unmanaged => Assert.True(GuestStructs.TryWrite(Vcpu, address, value));

    public T Read<T>(ulong address)
        where T : unmanaged
    {
        Assert.True(GuestStructs.TryRead(Vcpu, address, out T value));
        return value;
    }

    public ulong[] ReadWords(ulong address, int count)
    {
        var bytes = new byte[count * 8];
        Assert.True(GuestAccess.Read(Vcpu, address, bytes));
        var words = new ulong[count];
        for (int i = 0; i < count; i++)
            words[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i * 8));
        return words;
    }

    public void Dispose()
    {
        if (_ownsMachine)
            Machine.Dispose();
    }

    private void BuildTables()
    {
        Mfn l4 = FrameOf(0), l3 = FrameOf(1), l2 = FrameOf(2), l1 = FrameOf(3);
        Set(l4, 511, l3);
        Set(l3, 510, l2);
        Set(l2, 0, l1);
        for (int page = FirstDataPage; page < PageCount; page++)
            Set(l1, page, FrameOf(page));
        Assert.Equal(XenErrno.OK, Domain.PinInitialTables(l4));
        foreach (Vcpu vcpu in Domain.Vcpus)
        {
            Assert.Equal(XenErrno.OK, Domain.SetKernelRoot(vcpu, l4, null));
            Assert.Equal(XenErrno.OK, Domain.SetUserRoot(vcpu, l4, null));
        }
    }

    private Mfn FrameOf(int page) => Domain.FrameOf(new Pfn((ulong)page));

    private void Set(Mfn table, int index, Mfn target) =>
        Machine.Memory.WriteUInt64(table.Address + ((ulong)index * 8), target.Address | PresentWritableUser);

    private sealed class IdleEngine : ICpuEngine
    {
        public ulong? InstructionsRetired => 0;

        public CpuExit Run(long budget) => new(CpuExitReason.BudgetSpent);
    }
}
