using System.Buffers.Binary;
using Xen.Abi;
using Xen.Core;

namespace Xen.Toolstack;

/// <summary>A range of the guest kernel's addresses, and the pages of the dump that are there, one after the other.</summary>
/// <param name="Address">Linear address of the first.</param>
/// <param name="FirstPage">The first, as an index into the dump's pages.</param>
/// <param name="Count">How many.</param>
/// <param name="Writable">The kernel may write there.</param>
/// <param name="Executable">The kernel may execute there.</param>
internal readonly record struct KernelMapping(ulong Address, int FirstPage, int Count, bool Writable, bool Executable);

/// <summary>Finds where a guest's kernel has mapped the pages of a dump, so that a debugger can read by its addresses.</summary>
/// <remarks>
/// The tables are the guest's: it may refer to one of them from many places, so that they describe far more than there is memory. The walk ends when it has
/// seen as many tables as the domain has pages, or found as many ranges as an ELF file has room for.
/// </remarks>
internal sealed class KernelMappings
{
    /// <summary>Less than PN_XNUM, from which on the number of program headers stands elsewhere.</summary>
    private const int MostRanges = 60_000;

    private const int TopLevel = 4, FirstKernelSlot = 256, FirstSlotAfterHypervisor = 272;
    private const ulong Present = 1, Writable = 2, NoExecute = 1ul << 63, FrameMask = 0x000F_FFFF_FFFF_F000, Sign = 0xFFFF_0000_0000_0000;

    private readonly Domain _domain;
    private readonly IReadOnlyList<DomainPage> _pages;
    private readonly byte[][] _tables = [.. Enumerable.Range(0, TopLevel + 1).Select(static _ => new byte[Page.Size])];
    private readonly List<KernelMapping> _ranges = [];
    private int _tablesLeft;

    private KernelMappings(Domain domain, IReadOnlyList<DomainPage> pages)
    {
        _domain = domain;
        _pages = pages;
        _tablesLeft = pages.Count;
    }

    /// <summary>The ranges, by rising address, as the first vCPU has them; none if that has no page tables yet. The domain stands still.</summary>
    /// <param name="domain">Whose.</param>
    /// <param name="pages">The dump's pages, by rising page number.</param>
    public static IReadOnlyList<KernelMapping> Find(Domain domain, IReadOnlyList<DomainPage> pages)
    {
        var walk = new KernelMappings(domain, pages);
        if (domain.Vcpus[0].IsInitialised)
            walk.Walk(domain.Vcpus[0].State.KernelRoot, TopLevel, Sign, writable: true, executable: true);
        return walk._ranges;
    }

    private void Walk(Mfn table, int level, ulong address, bool writable, bool executable)
    {
        byte[] entries = _tables[level];
        if (_tablesLeft-- <= 0 || !_domain.TryCopyPage(table, entries))
            return;
        for (int slot = level == TopLevel ? FirstKernelSlot : 0; slot < Page.EntriesPerTable && _ranges.Count < MostRanges; slot++)
        {
            if (level == TopLevel && slot < FirstSlotAfterHypervisor)
                continue;
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(slot * sizeof(ulong)));
            if ((entry & Present) == 0)
                continue;
            ulong at = address | ((ulong)slot << (Page.Shift + ((level - 1) * 9)));
            bool mayWrite = writable && (entry & Writable) != 0, mayExecute = executable && (entry & NoExecute) == 0;
            var frame = new Mfn((entry & FrameMask) >> Page.Shift);
            if (level > 1)
                Walk(frame, level - 1, at, mayWrite, mayExecute);
            else if (IndexOf(frame) is var index and >= 0)
                Add(at, index, mayWrite, mayExecute);
        }
    }

    private void Add(ulong address, int page, bool writable, bool executable)
    {
        if (_ranges.Count > 0 && _ranges[^1] is var last && last.Address + ((ulong)last.Count * Page.Size) == address && last.FirstPage + last.Count == page
            && last.Writable == writable && last.Executable == executable)
        {
            _ranges[^1] = last with { Count = last.Count + 1 };
            return;
        }

        _ranges.Add(new KernelMapping(address, page, 1, writable, executable));
    }

    /// <summary>Where a frame is among the dump's pages, or -1: another's, or one without a page number.</summary>
    private int IndexOf(Mfn frame)
    {
        if (!_domain.Machine.Memory.Contains(frame))
            return -1;
        ulong pfn = _domain.Machine.Memory.ReadM2p(frame);
        int low = 0, high = _pages.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (_pages[middle].Frame == frame)
                return middle;
            if (_pages[middle].Pfn.Value < pfn)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return -1;
    }
}
