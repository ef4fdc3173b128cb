using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>Counts the page tables that cover a range of virtual addresses.</summary>
/// <remarks>
/// <code>
/// 47      39 38      30 29      21 20      12 11         0
/// | L4 index | L3 index | L2 index | L1 index |  offset  |
/// </code>
/// A table of level n covers 2^(12 + 9n) bytes; tables are numbered by the address bits above.
/// </remarks>
internal readonly record struct TableSpan(ulong First, ulong Last)
{
    private const ulong AddressMask = (1ul << PageTableLayout.VirtualAddressBits) - 1;

    public ulong Count => Last - First + 1;

    /// <summary>
    /// The numbers of the tables of a level that cover the addresses from <paramref name="start"/> to
    /// <paramref name="last"/>.
    /// </summary>
    public static TableSpan Of(int level, ulong start, ulong last) => new(NumberOf(level, start), NumberOf(level, last));

    /// <summary>The number of the table of a level that covers an address.</summary>
    public static ulong NumberOf(int level, ulong address) =>
        (address & AddressMask) >> (Page.Shift + (level * PageTableLayout.BitsPerLevel));

    public bool Contains(ulong number) => number >= First && number <= Last;

    /// <summary>How many tables, of all levels, cover a range.</summary>
    public static ulong CountAll(ulong start, ulong last)
    {
        ulong count = 0;
        for (var level = PageTableLayout.Levels; level >= 1; level--)
        {
            count += Of(level, start, last).Count;
        }

        return count;
    }

    /// <summary>How many of the tables that cover a range do not cover <paramref name="other"/> as well.</summary>
    public static ulong CountBeyond(ulong start, ulong last, (ulong Start, ulong Last) other)
    {
        ulong count = 0;
        for (var level = PageTableLayout.Levels; level >= 1; level--)
        {
            var own = Of(level, start, last);
            var theirs = Of(level, other.Start, other.Last);
            var first = Math.Max(own.First, theirs.First);
            var end = Math.Min(own.Last, theirs.Last);
            count += own.Count - (end >= first ? end - first + 1 : 0);
        }

        return count;
    }
}
