using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>Pages that follow each other. <b>Units</b>: pages.</summary>
internal readonly record struct PageRange(ulong First, ulong Count)
{
    public ulong End => First + Count;

    public Pfn Pfn => new(First);

    public bool Contains(ulong page) => page >= First && page - First < Count;

    /// <summary>How many pages hold so many bytes.</summary>
    public static ulong PagesFor(ulong bytes) => (bytes >> Page.Shift) + ((bytes & Page.OffsetMask) != 0 ? 1ul : 0);
}
