using System.Runtime.Intrinsics;
using Xen.Abi;

namespace Xen.Cpu.Tests;

/// <summary>What a run of a program begins with, besides registers.</summary>
/// <param name="Flush">The TLB is empty.</param>
/// <param name="User">In user mode.</param>
/// <param name="TaskSwitched">With CR0.TS set.</param>
internal readonly record struct SequenceMode(bool Flush, bool User, bool TaskSwitched);

/// <summary>
/// One engine's side: memory, page tables and registers that can be set back.
/// <code>
/// page   2 3 4 5   6        7      8           9      10           11 12   13..16                     18              20..61
///        data      absent   data   read-only   data   page 3 anew  data    absent, stack x2, absent   the code anew   code
/// </code>
/// Everything is at a high address a second time.
/// </summary>
internal sealed class SequenceMachine : IDisposable
{
    public const ulong High = 0xFFFF_FF80_0000_0000;
    public const int FirstData = 2, AbsentPage = 6, ReadOnlyPage = 8, AliasPage = 10, CodeAliasPage = 18, FirstStack = 14, FirstCode = 20, CodePages = 2, Slots = 20;

    private const int AliasOf = 3;
    private static readonly int[] Absent = [AbsentPage, 13, 16];
    private static readonly int[] Compared = [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16];
    private readonly byte[] _initial = new byte[(16 - FirstData + 1) * Page.Size];
    private int _codePage;
    private int _codeAddressPage;

    /// <summary>A fault has changed the page tables.</summary>
    private bool _isRepaired = true;

    public SequenceMachine(Func<VcpuState, ICpuEngine> engine)
    {
        Vcpu = new TestVcpu(engine);
        var random = new SiliconRandom(99);
        for (int i = 0; i < _initial.Length; i += 8)
            BitConverter.TryWriteBytes(_initial.AsSpan(i), random.Value());
        Vcpu.MapAgain(High);

        // What a wild return finds there would be no program of ours.
        for (int page = 0; page < FirstCode; page++)
            Vcpu.Map(page, writable: true, executable: false);
        Vcpu.Alias(AliasOf, AliasPage, executable: false);
    }

    public TestVcpu Vcpu { get; }

    /// <summary>Whether the programs of a seed's batch are all at the same address.</summary>
    public static bool SharesAddress(ulong seed) => seed / Slots % 2 == 1;

    public static ulong AddressOf(int page) => TestVcpu.Base + ((ulong)page * Page.Size);

    /// <summary>Places a program's code.</summary>
    public void Load(SequenceProgram program, ReadOnlySpan<byte> code)
    {
        ulong address = Low(program.Address);
        _codePage = program.CodePage;
        _codeAddressPage = PageOf(address);
        for (int i = 0; i < CodePages; i++)
        {
            Vcpu.Alias(_codePage + i, _codeAddressPage + i);
            Vcpu.NoteCodeWrite(AddressOf(_codePage + i));
            Vcpu.At(AddressOf(_codePage + i)).Clear();
        }

        Vcpu.Load(code, AddressOf(_codePage) | (address & Page.OffsetMask));
        Vcpu.Alias(_codePage, CodeAliasPage, executable: false);
        Vcpu.State.FlushTlb();
    }

    /// <summary>Maps a program's code, which is loaded, where it belongs.</summary>
    public void Switch(SequenceProgram program)
    {
        _codePage = program.CodePage;
        _codeAddressPage = PageOf(Low(program.Address));
        for (int i = 0; i < CodePages; i++)
            Vcpu.Alias(_codePage + i, _codeAddressPage + i);
        Vcpu.Alias(_codePage, CodeAliasPage, executable: false);
        Vcpu.State.FlushTlb();
    }

    /// <summary>Sets memory and registers back to what a program begins with.</summary>
    public void Reset(SequenceProgram program, ReadOnlySpan<byte> code, in RegisterFile registers, in SequenceMode mode)
    {
        foreach (int page in Compared)
            _initial.AsSpan((page - FirstData) * Page.Size, Page.Size).CopyTo(Vcpu.At(AddressOf(page)));
        if (program.WritesItself)
            Load(program, code);
        bool flush = mode.Flush;
        if (_isRepaired)
        {
            foreach (int page in Absent)
                Vcpu.Map(page, writable: true, present: false, executable: false);
            Vcpu.Map(ReadOnlyPage, writable: false, executable: false);
            flush = true;
            _isRepaired = false;
        }

        if (flush)
            Vcpu.State.FlushTlb();
        Vcpu.State.SwitchMode(mode.User ? GuestMode.User : GuestMode.Kernel);
        Vcpu.State.TaskSwitched = mode.TaskSwitched;
        Vcpu.State.Registers = registers;
        Vcpu.State.Registers.Rip = program.Address;
    }

    /// <summary>Makes the page at an address present and writable, as a guest's handler would. False: it is none of ours.</summary>
    public bool TryRepair(ulong address)
    {
        int page = PageOf(Low(address));
        if (Array.IndexOf(Absent, page) < 0 && page != ReadOnlyPage)
            return false;
        Vcpu.Map(page, writable: true, executable: false);
        Vcpu.State.FlushTlb();
        _isRepaired = true;
        return true;
    }

    /// <summary>The code at an address, to decode an instruction from; empty if there is none.</summary>
    public byte[] CodeAt(ulong address)
    {
        int page = PageOf(Low(address)) - _codeAddressPage;
        if (page is < 0 or >= CodePages)
            return [];
        byte[] both = [.. Vcpu.At(AddressOf(_codePage)), .. Vcpu.At(AddressOf(_codePage + 1))];
        both = both[(page * Page.Size)..];
        return both[(int)(address & Page.OffsetMask)..];
    }

    /// <summary>
    /// Whether the code is as it was loaded; of a program that writes itself, only that nothing was written beside it. A runaway string instruction
    /// that overwrites itself goes on or not, depending on when it is interrupted: as on a processor.
    /// </summary>
    public bool IsCodeIntact(SequenceProgram program, ReadOnlySpan<byte> code)
    {
        ReadOnlySpan<byte> pages = [.. Vcpu.At(AddressOf(_codePage)), .. Vcpu.At(AddressOf(_codePage + 1))];
        int start = (int)(program.Address & Page.OffsetMask), end = start + code.Length;
        return !pages[..start].ContainsAnyExcept((byte)0) && !pages[end..].ContainsAnyExcept((byte)0)
            && (program.WritesItself || pages[start..end].SequenceEqual(code));
    }

    /// <summary>The first address whose byte is another here than there, or 0.</summary>
    public ulong FirstDifference(SequenceMachine other)
    {
        foreach (int page in (ReadOnlySpan<int>)[.. Compared, _codePage, _codePage + 1])
        {
            ReadOnlySpan<byte> here = Vcpu.At(AddressOf(page)), there = other.Vcpu.At(AddressOf(page));
            int same = here.CommonPrefixLength(there);
            if (same < here.Length)
                return AddressOf(page) + (ulong)same;
        }

        return 0;
    }

    public void Dispose() => Vcpu.Dispose();

    /// <summary>Registers for a program: pointers near ends of pages, small numbers, anything.</summary>
    public static RegisterFile MakeRegisters(SequenceProgram program, SiliconRandom random)
    {
        var r = new RegisterFile { Rflags = 0x202 | (random.Next() & LazyFlags.All), Mxcsr = 0x1F80, Fcw = 0x37F };
        if (random.OneIn(3))
            r.Mxcsr |= (uint)random.Next() & 0xE040; // rounding, flushing to zero, denormals as zeros
        if (random.OneIn(16))
            r.Mxcsr &= ~((uint)random.Next() & 0x1F80);
        if (random.OneIn(16))
            r.Rflags |= RFlag.Direction;
        r.UpperHalvesInUse = CpuFeatures.OfHost.Has(Leaf1Ecx.Avx) && random.OneIn(2) ? 1u : 0;
        for (int i = 0; i < 16; i++)
        {
            r.UpperHalves[i] = r.UpperHalvesInUse != 0 ? Vector128.Create(random.Value(), random.Value()).AsByte() : default;
            r.Gpr[i] = random.Value();
            r.Xmm[i] = Vector128.Create(random.Value(), random.Value()).AsByte();
        }

        foreach (int pointer in program.Pointers)
            r.Gpr[pointer] = MakePointer(random);
        foreach (int small in program.Small)
            r.Gpr[small] = (ulong)random.Below(16);
        r.Gpr[4] = AddressOf(FirstStack + 1) + (ulong)(random.Below(32) * 8) - (random.OneIn(4) ? 0 : 128ul) + (random.OneIn(16) ? 3ul : 0);
        if (random.OneIn(12))
            r.Gpr[4] = AddressOf(FirstStack) + (ulong)(random.Below(8) * 8);
        r.FsBase = AddressOf(4) - (ulong)random.Below(64);
        r.GsBase = (random.OneIn(2) ? High : 0) + AddressOf(9) + (ulong)random.Below(0x800);
        return r;
    }

    private static ulong MakePointer(SiliconRandom random)
    {
        int page = random.Pick(3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12);
        ulong address = AddressOf(page) + (ulong)((random.Below(16) - 8) * 16);
        if (random.OneIn(2))
            address = AddressOf(page) + (ulong)(random.Below(250) * 16);
        if (random.OneIn(5))
            address += (ulong)random.Below(16);
        return random.OneIn(8) ? address | High : address;
    }

    private static ulong Low(ulong address) => address >= High ? address - High : address;

    private static int PageOf(ulong lowAddress) => lowAddress - TestVcpu.Base < TestVcpu.Pages * (ulong)Page.Size ? (int)((lowAddress - TestVcpu.Base) >> Page.Shift) : -1;
}
