using System.Buffers.Binary;
using System.Collections.Immutable;
using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>
/// Writes the initial page tables. The bootstrap region maps the domain's pages from 0 on, read-write, the page tables
/// themselves read-only;
/// a frame list with its own place is mapped there.
/// </summary>
internal sealed class BootstrapTables
{
    private const PageTableFlags ReadOnly =
        PageTableFlags.Present | PageTableFlags.User | PageTableFlags.Accessed | PageTableFlags.Dirty;
    private const PageTableFlags ReadWrite = ReadOnly | PageTableFlags.Writable;

    private readonly IDomainMemory _memory;
    private readonly StartOfDayLayout _layout;
    private readonly Dictionary<(int Level, ulong Number), ulong> _pages = [];
    private readonly List<PageTableFrame> _frames = [];

    private BootstrapTables(IDomainMemory memory, StartOfDayLayout layout)
    {
        _memory = memory;
        _layout = layout;
    }

    /// <summary>Writes all tables. Returns them, the root first.</summary>
    public static ImmutableArray<PageTableFrame> Write(IDomainMemory memory, StartOfDayLayout layout)
    {
        var tables = new BootstrapTables(memory, layout);
        tables.Assign(layout.PageTables.First, layout.VirtBase, layout.VirtLast);
        if (!layout.P2mInRegion)
        {
            tables.Assign(layout.P2mTables.First, layout.P2mAddress, tables.P2mLast);
        }

        Span<byte> table = stackalloc byte[Page.Size];
        foreach (var ((level, number), page) in tables._pages)
        {
            table.Clear();
            tables.Fill(level, number, table);
            memory.Write(new Pfn(page), 0, table);
        }

        return [.. tables._frames];
    }

    private ulong P2mLast => _layout.P2mAddress + (_layout.P2m.Count << Page.Shift) - 1;

    /// <summary>Gives each table that covers the addresses and has no page yet the next page, from the root down.</summary>
    private void Assign(ulong page, ulong start, ulong last)
    {
        for (var level = PageTableLayout.Levels; level >= 1; level--)
        {
            var span = TableSpan.Of(level, start, last);
            for (var number = span.First; number <= span.Last; number++)
            {
                if (_pages.TryAdd((level, number), page))
                {
                    _frames.Add(new PageTableFrame(new Pfn(page), level));
                    page++;
                }
            }
        }
    }

    private void Fill(int level, ulong number, Span<byte> table)
    {
        for (var i = 0; i < Page.EntriesPerTable; i++)
        {
            var below = (number * Page.EntriesPerTable) + (uint)i;
            var entry = level == 1 ? LeafEntry(below) : UpperEntry(level - 1, below);
            BinaryPrimitives.WriteUInt64LittleEndian(table[(i * sizeof(ulong))..], entry);
        }
    }

    private ulong UpperEntry(int level, ulong number) =>
        _pages.TryGetValue((level, number), out var page) ? Entry(page, ReadWrite) : 0;

    /// <summary>The entry for the virtual page of a number (its address without the sign extension, shifted).</summary>
    private ulong LeafEntry(ulong number)
    {
        var inRegion = unchecked(number - TableSpan.NumberOf(0, _layout.VirtBase));
        if (inRegion < _layout.MappedPages)
        {
            return Entry(inRegion, IsTable(inRegion) ? ReadOnly : ReadWrite);
        }

        var inP2m = unchecked(number - TableSpan.NumberOf(0, _layout.P2mAddress));
        return !_layout.P2mInRegion && inP2m < _layout.P2m.Count ? Entry(_layout.P2m.First + inP2m, ReadWrite) : 0;
    }

    private bool IsTable(ulong page) => _layout.PageTables.Contains(page) || _layout.P2mTables.Contains(page);

    private ulong Entry(ulong page, PageTableFlags flags) => PageTableLayout.Entry(_memory.FrameOf(new Pfn(page)), flags);
}
