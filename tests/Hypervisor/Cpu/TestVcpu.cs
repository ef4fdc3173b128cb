using Iced.Intel;
using Xen.Abi;
using Xen.Memory;

namespace Xen.Cpu.Tests;

/// <summary>A vCPU with a flat address space of its own, for engine tests: page n of memory is at linear address <see cref="Base"/> + n pages.</summary>
public sealed class TestVcpu : IGuestEnvironment, IDisposable
{
    public const ulong Base = 0x10_0000;
    public const ulong CodeAddress = Base;
    public const ulong DataAddress = Base + 0x10_000;
    public const ulong StackTop = Base + 0x3F_000;
    public const int Pages = 64;

    private const ulong FirstDataFrame = 64;
    private readonly Mfn _l1 = new(40);

    /// <summary>The vCPUs that share this memory, this one too.</summary>
    private readonly List<TestVcpu> _machine;
    private readonly Func<VcpuState, ICpuEngine> _factory;

    /// <param name="engine">A name of <see cref="CpuEngines"/>.</param>
    public TestVcpu(string engine)
        : this(engine == CpuEngines.Translator ? SmallTranslator : CpuEngines.FactoryOf(engine))
    {
    }

    public TestVcpu(Func<VcpuState, ICpuEngine> engine)
        : this(new MachineMemory(256), new CodeMap(256), [], engine)
    {
        Mfn l4 = new(43), l3 = new(42), l2 = new(41);
        Memory.WriteUInt64(l4.Address, l3.Address | 0x67);
        Memory.WriteUInt64(l3.Address, l2.Address | 0x67);
        Memory.WriteUInt64(l2.Address, _l1.Address | 0x67);
        for (int i = 0; i < Pages; i++)
            Map(i, true);
    }

    /// <summary>One more vCPU with the memory and the address space of another.</summary>
    public TestVcpu(TestVcpu sibling)
        : this(sibling.Memory, sibling.Code, sibling._machine, sibling._factory)
    {
    }

    private TestVcpu(MachineMemory memory, CodeMap code, List<TestVcpu> machine, Func<VcpuState, ICpuEngine> engine)
    {
        Memory = memory;
        Code = code;
        _machine = machine;
        _machine.Add(this);
        State = new VcpuState(Memory, Code, this);
        State.KernelRoot = State.UserRoot = new Mfn(43);
        State.Registers.Gpr[4] = StackTop;
        State.XsaveEnabled = CpuFeatures.OfHost.Has(Leaf1Ecx.Xsave);
        _ = State.TrySetXcr0((ulong)XsaveComponents.All, XsaveComponents.All);
        _factory = engine;
        Engine = engine(State);
    }

    /// <summary>A translator with so little code memory that parts of it are evicted now and then.</summary>
    public static ICpuEngine SmallTranslator(VcpuState state) => new Translator(state, Translator.LeastCodeSize);

    public MachineMemory Memory { get; }

    public CodeMap Code { get; }

    public VcpuState State { get; }

    public ICpuEngine Engine { get; }

    /// <summary>Whether a fault may show other values of flags that the faulting instruction would have changed.</summary>
    public bool LosesDeadFlags => Engine is Translator;

    public ulong Tsc { get; set; } = 1000;

    /// <summary>What the guest's descriptor table holds, by selector.</summary>
    public Dictionary<ushort, ulong> Descriptors { get; } = [];

    /// <summary>The bytes behind a linear address, to the end of its page.</summary>
    public Span<byte> At(ulong address) =>
        Memory.Frame(FrameOf(address))[(int)(address & Page.OffsetMask)..];

    /// <summary>The frame of a page, wherever the page tables may map it.</summary>
    public static Mfn FrameOf(ulong address) => FrameOfPage((int)((address - Base) >> Page.Shift));

    /// <summary>Neighbours are no neighbours in memory, so that an access by another page's translation does not come out right by chance.</summary>
    private static Mfn FrameOfPage(int page) => new(FirstDataFrame + (((ulong)page * 37) % Pages));

    /// <summary>Maps or write-protects a page; the caller flushes.</summary>
    public void Map(int page, bool writable, bool present = true, bool executable = true) =>
        SetEntry(page, page, (writable ? 0x67ul : 0x65ul) & (present ? ulong.MaxValue : ~1ul) | (executable ? 0 : 1ul << 63));

    /// <summary>Maps a page of memory a second time, at the address of another page; the caller flushes.</summary>
    public void Alias(int page, int asPage, bool executable = true) => SetEntry(asPage, page, 0x67 | (executable ? 0 : 1ul << 63));

    /// <summary>Maps the whole address space a second time, at an offset (a multiple of 512 GiB); the caller flushes.</summary>
    public void MapAgain(ulong offset) => Memory.WriteUInt64(new Mfn(43).Address + (((offset >> 39) & 511) * 8), new Mfn(42).Address | 0x67);

    /// <summary>Assembles code and sets rip to it.</summary>
    public void Assemble(Action<Assembler> program, ulong address = CodeAddress)
    {
        var assembler = new Assembler(64);
        program(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        Load(stream.ToArray(), address);
    }

    public void Load(ReadOnlySpan<byte> code, ulong address = CodeAddress)
    {
        State.Registers.Rip = address;
        while (!code.IsEmpty)
        {
            int count = Math.Min(code.Length, Page.Size - (int)(address & Page.OffsetMask));
            code[..count].CopyTo(At(address));
            code = code[count..];
            address += (uint)count;
        }
    }

    /// <summary>Says that code was written past the engine.</summary>
    public void NoteCodeWrite(ulong address) => Code.NoteWrite(FrameOf(address));

    public CpuExit Run(long budget = 100_000_000) => Engine.Run(budget);

    public bool MayAccess(Mfn frame, bool write) => true;

    public bool IsEmulatedPageTable(Mfn frame) => false;

    public PageTableWrite WritePageTable(VcpuState vcpu, Mfn frame, int index, ulong expected, ulong value) => PageTableWrite.Refused;

    public void RevokeWrites(VcpuState vcpu, Mfn frame)
    {
        foreach (TestVcpu other in _machine)
        {
            if (other == this)
                continue;
            other.State.RequestTlbFlush();
            other.State.WaitForFlush();
        }
    }

    public bool TryReadDescriptor(VcpuState vcpu, ushort selector, out ulong descriptor) => Descriptors.TryGetValue(selector, out descriptor);

    public void Cpuid(VcpuState vcpu, uint leaf, uint subleaf, out uint eax, out uint ebx, out uint ecx, out uint edx)
    {
        eax = leaf;
        ebx = subleaf;
        ecx = edx = 0;
    }

    public ulong ReadTsc() => Tsc++;

    private void SetEntry(int page, int framePage, ulong bits) =>
        Memory.WriteUInt64(_l1.Address + (((Base >> 12) + (ulong)page) * 8), FrameOfPage(framePage).Address | bits);

    /// <summary>Frees the memory; of vCPUs that share it, the first one's call does.</summary>
    public void Dispose()
    {
        (Engine as IDisposable)?.Dispose();
        if (_machine[0] != this)
            return;
        Code.Dispose();
        Memory.Dispose();
    }
}
