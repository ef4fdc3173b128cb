using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// One translation. An access of n bytes at an address is lawful when <c>address + bias</c>, as an unsigned number, is at most 4096 - n: then the
/// page is the right one and the access does not leave it. The byte is at <c>address + Addend</c>, or at <c>HostPage + (address + bias)</c>.
/// </summary>
/// <remarks>An entry without a translation has the bias of a page that would lie in another entry, so that no address passes.</remarks>
[StructLayout(LayoutKind.Sequential)]
public struct TlbEntry
{
    /// <summary>0 minus the linear address of a page that may be read.</summary>
    public ulong ReadBias;

    /// <summary>0 minus the linear address of a page that may be written.</summary>
    public ulong WriteBias;

    /// <summary>Host address of the page minus its linear address.</summary>
    public nint Addend;

    /// <summary>Host address of the page.</summary>
    public nint HostPage;
}

/// <summary>
/// The memory of a <see cref="SoftTlb"/>, as emitted code addresses it: data translations, then code pages.
/// A code page's key says which page maps to which frame, exactly:
/// <code>
///  63                    28 27             0
/// +------------------------+----------------+
/// |  linear page (36 bits) |  frame         |
/// +------------------------+----------------+
/// </code>
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct TlbMemory
{
    /// <summary>Entries for data; a power of two. 1,024 were measured to be enough for a kernel boot, 256 are catastrophic; these reach over 64 MiB.</summary>
    public const int EntryCount = 16384;

    /// <summary>Entries for code pages; a power of two.</summary>
    public const int CodeCount = 4096;

    /// <summary>Bits of a frame number in a code page's key: a machine of 1 TiB.</summary>
    public const int FrameBits = 28;

    internal DataEntries Data;
    internal CodeKeys Code;

    [InlineArray(EntryCount)]
    internal struct DataEntries
    {
        private TlbEntry _first;
    }

    [InlineArray(CodeCount)]
    internal struct CodeKeys
    {
        private ulong _first;
    }
}

/// <summary>A vCPU's translation cache for one mode, direct-mapped, filled by <see cref="PageWalker"/>. Used by one thread at a time.</summary>
public sealed unsafe class SoftTlb
{
    /// <summary>What separates an entry from the one whose pages it names when it is empty.</summary>
    private const int Elsewhere = TlbMemory.EntryCount / 2;

    private readonly TlbMemory* _memory;

    /// <summary>Entries that were filled since the last flush; may name one twice.</summary>
    private readonly ushort[] _filled = new ushort[TlbMemory.EntryCount * 2];

    private int _filledCount;

    /// <summary>As <see cref="_filled"/>, for code pages.</summary>
    private readonly ushort[] _codeFilled = new ushort[TlbMemory.CodeCount * 2];

    private int _codeFilledCount;

    /// <summary>Entries that were filled since <see cref="Track"/>.</summary>
    private List<ushort>? _tracked;

    /// <param name="memory">Where the entries lie: pinned, and alive as long as this object.</param>
    /// <param name="firstStamp">Where stamps start: the two TLBs of a vCPU must never have the same.</param>
    internal SoftTlb(TlbMemory* memory, ulong firstStamp)
    {
        _memory = memory;
        Stamp = firstStamp;
        for (int i = 0; i < TlbMemory.EntryCount; i++)
            Empty(i);
    }

    /// <summary>Changes whenever any translation may have changed: what engines remember about code addresses is stamped with it. Never repeats.</summary>
    public ulong Stamp { get; private set; }

    /// <summary>The data entries. For engines' inline look-ups.</summary>
    internal TlbEntry* Entries => (TlbEntry*)_memory;

    /// <summary>Drops everything.</summary>
    public void Flush()
    {
        // SAFETY: here and below indices are masked or come from the filled list, which holds masked ones only.
        Stamp++;
        foreach (ushort index in _filled.AsSpan(0, _filledCount))
            Empty(index);
        _filledCount = 0;
        foreach (ushort index in _codeFilled.AsSpan(0, _codeFilledCount))
            CodeKeys[index] = 0;
        _codeFilledCount = 0;
    }

    /// <summary>Drops one page.</summary>
    public void FlushPage(ulong linearAddress)
    {
        Stamp++;
        Empty(IndexOf(linearAddress));
        CodeKey(linearAddress) = 0;
    }

    /// <summary>Enters a translation for data.</summary>
    /// <param name="linearAddress">Any address of the page.</param>
    /// <param name="hostPage">Host address of the frame.</param>
    /// <param name="write">Whether writes may go straight to memory.</param>
    public void Fill(ulong linearAddress, nint hostPage, bool write)
    {
        int index = IndexOf(linearAddress);
        ulong bias = 0 - (linearAddress & ~Page.OffsetMask);
        TlbEntry* entry = Entries + index;
        if (entry->ReadBias == EmptyBias(index))
        {
            if (_filledCount == _filled.Length)
                Compact();
            _filled[_filledCount++] = (ushort)index;
        }

        entry->ReadBias = bias;
        entry->WriteBias = write ? bias : EmptyBias(index);
        entry->Addend = hostPage + (nint)bias;
        entry->HostPage = hostPage;
        _tracked?.Add((ushort)index);
    }

    /// <summary>Enters a page that code may be fetched from.</summary>
    public void FillCode(ulong linearAddress, Mfn frame)
    {
        ref ulong key = ref CodeKey(linearAddress);
        if (key == 0)
        {
            if (_codeFilledCount == _codeFilled.Length)
                CompactCode();
            _codeFilled[_codeFilledCount++] = (ushort)CodeIndexOf(linearAddress);
        }

        key = CodeKeyOf(linearAddress, frame);
    }

    /// <summary>The frame that code at a canonical address is in, if it is known that it may be fetched.</summary>
    public bool TryFindCode(ulong linearAddress, out Mfn frame)
    {
        ulong key = CodeKey(linearAddress);
        frame = new Mfn(key & ((1ul << TlbMemory.FrameBits) - 1));
        return key != 0 && key == CodeKeyOf(linearAddress, frame);
    }

    /// <summary>Makes every page of the frame at this host address read-only here, so that the next write to it is seen.</summary>
    public void RevokeWrites(nint hostPage)
    {
        foreach (ushort index in _filled.AsSpan(0, _filledCount))
        {
            if (Entries[index].HostPage == hostPage)
                Entries[index].WriteBias = EmptyBias(index);
        }
    }

    /// <summary>Drops every page that lies at this host address.</summary>
    internal void DropPage(nint hostPage)
    {
        foreach (ushort index in _filled.AsSpan(0, _filledCount))
        {
            if (Entries[index].HostPage == hostPage)
                Empty(index);
        }
    }

    /// <summary>Begins to keep account of what is filled.</summary>
    internal void Track() => _tracked = [];

    /// <summary>Drops what was filled since the last time, if it lies in a range of host addresses.</summary>
    internal void DropTracked(nint start, nint end)
    {
        foreach (ushort index in _tracked!)
        {
            if (Entries[index].HostPage >= start && Entries[index].HostPage < end)
                Empty(index);
        }

        _tracked.Clear();
    }

    /// <summary>Whether a byte may be read without a walk.</summary>
    public bool CanRead(ulong linearAddress) => linearAddress + Entries[IndexOf(linearAddress)].ReadBias < Page.Size;

    /// <summary>Whether a byte may be written without a walk.</summary>
    public bool CanWrite(ulong linearAddress) => linearAddress + Entries[IndexOf(linearAddress)].WriteBias < Page.Size;

    /// <summary>What the code page of an address is known by. <b>Layout</b>: see <see cref="TlbMemory"/>.</summary>
    internal static ulong CodeKeyOf(ulong linearAddress, Mfn frame) =>
        ((linearAddress >> Page.Shift) << TlbMemory.FrameBits) | frame.Value;

    /// <summary>The code entry that an address falls into.</summary>
    internal static int CodeIndexOf(ulong linearAddress) => (int)(linearAddress >> Page.Shift) & (TlbMemory.CodeCount - 1);

    private static int IndexOf(ulong linearAddress) => (int)(linearAddress >> Page.Shift) & (TlbMemory.EntryCount - 1);

    private static ulong EmptyBias(int index) => 0 - ((ulong)(index ^ Elsewhere) << Page.Shift);

    private ulong* CodeKeys => (ulong*)&_memory->Code;

    private ref ulong CodeKey(ulong linearAddress) => ref CodeKeys[CodeIndexOf(linearAddress)];

    private void Empty(int index)
    {
        TlbEntry* entry = Entries + index;
        entry->ReadBias = entry->WriteBias = EmptyBias(index);
        entry->Addend = entry->HostPage = 0;
    }

    /// <summary>Names every code page's entry once.</summary>
    private void CompactCode()
    {
        _codeFilledCount = 0;
        for (int i = 0; i < TlbMemory.CodeCount; i++)
        {
            if (CodeKeys[i] != 0)
                _codeFilled[_codeFilledCount++] = (ushort)i;
        }
    }

    /// <summary>Names every entry once.</summary>
    private void Compact()
    {
        _filledCount = 0;
        for (int i = 0; i < TlbMemory.EntryCount; i++)
        {
            if (Entries[i].ReadBias != EmptyBias(i))
                _filled[_filledCount++] = (ushort)i;
        }
    }
}
