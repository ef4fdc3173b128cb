using Xen.Abi;
using Xen.Builder.Images;

namespace Xen.Builder.StartOfDay;

/// <summary>
/// Which page of a new domain holds what. <b>Source</b>: xen.h, start-of-day memory layout; elfnote.h, INIT_P2M and MOD_START_PFN.
/// </summary>
/// <remarks>
/// <code>
/// page 0 = virt_base                                                                    4 MiB boundary
/// |  (hole)  | kernel | ramdisk | frame list | start_info | xenstore | console | page tables | stack | 512 KiB ... |  rest
///                      [mapped]  [no INIT_P2M]
/// </code>
/// A ramdisk that the kernel takes unmapped, and a frame list that has its own place in the address space (with the page tables that map it
/// behind it), go behind the padding; where memory is short, into the hole below the kernel.
/// </remarks>
internal sealed record StartOfDayLayout
{
    private const ulong RegionAlign = 4ul << 20;
    private const ulong PaddingPages = (512 << 10) >> Page.Shift;

    /// <summary>The first MiB is left alone: guests treat it as a PC's.</summary>
    private const ulong HoleStart = PagesPerMebibyte;

    private const ulong PagesPerMebibyte = (1 << 20) >> Page.Shift;

    public required ulong PageCount { get; init; }

    public required ulong VirtBase { get; init; }

    /// <summary>Last virtual address of the region, inclusive, so that a region may end where the address space does.</summary>
    public required ulong VirtLast { get; init; }

    public required PageRange Ramdisk { get; init; }

    /// <summary>Whether the ramdisk is in the bootstrap region, so passed by address.</summary>
    public required bool RamdiskInRegion { get; init; }

    public required PageRange P2m { get; init; }

    /// <summary>The page tables that map a frame list outside of the region; they follow the list.</summary>
    public required PageRange P2mTables { get; init; }

    public required ulong P2mAddress { get; init; }

    public required bool P2mInRegion { get; init; }

    public required ulong StartInfo { get; init; }

    public ulong XenStore => StartInfo + 1;

    public ulong Console => StartInfo + 2;

    public required PageRange PageTables { get; init; }

    public ulong Stack => PageTables.End;

    /// <summary>Pages of the region that the domain really has: those are mapped.</summary>
    public ulong MappedPages => Math.Min(((VirtLast - VirtBase) >> Page.Shift) + 1, PageCount);

    public ulong AddressOf(ulong page) => VirtBase + (page << Page.Shift);

    /// <summary>Lays a domain out.</summary>
    /// <exception cref="ImageException">Too little memory, or the kernel and its ramdisk do not fit into the address space.</exception>
    public static StartOfDayLayout Plan(KernelImage kernel, ulong pageCount, ulong ramdiskBytes) =>
        TryPlan(kernel, pageCount, ramdiskBytes) ?? throw TooLittleMemory(kernel, pageCount, ramdiskBytes);

    private static StartOfDayLayout? TryPlan(KernelImage kernel, ulong pageCount, ulong ramdiskBytes)
    {
        var ramdisk = PageRange.PagesFor(ramdiskBytes);
        var p2m = PageRange.PagesFor(pageCount * sizeof(ulong));
        var ramdiskInRegion = !kernel.Notes.ModStartPfn;
        var p2mAddress = UsableP2mAddress(kernel, p2m);

        var next = PageRange.PagesFor(kernel.PhysicalEnd);
        var ramdiskAt = next;
        next += ramdiskInRegion ? ramdisk : 0;
        var p2mAt = next;
        next += p2mAddress is null ? p2m : 0;
        var tablesAt = next + 3; // start_info, xenstore, console
        var (tables, virtLast) = PlanTables(kernel, tablesAt);
        var used = tablesAt + tables + 1 + PaddingPages;
        if (used > pageCount)
        {
            return null;
        }

        ulong p2mTables = 0;
        var rest = new FreeRanges(new PageRange(used, pageCount - used), Hole(kernel));
        if (ramdiskInRegion is false && !rest.TryTake(ramdisk, out ramdiskAt))
        {
            return null;
        }

        if (p2mAddress is { } address)
        {
            p2mTables = TableSpan.CountBeyond(address, address + (p2m << Page.Shift) - 1, (kernel.VirtBase, virtLast));
            if (!rest.TryTake(p2m + p2mTables, out p2mAt))
            {
                return null;
            }
        }

        return new StartOfDayLayout
        {
            PageCount = pageCount,
            VirtBase = kernel.VirtBase,
            VirtLast = virtLast,
            Ramdisk = new PageRange(ramdiskAt, ramdisk),
            RamdiskInRegion = ramdiskInRegion,
            P2m = new PageRange(p2mAt, p2m),
            P2mTables = new PageRange(p2mAt + p2m, p2mTables),
            P2mAddress = p2mAddress ?? kernel.VirtBase + (p2mAt << Page.Shift),
            P2mInRegion = p2mAddress is null,
            StartInfo = next,
            PageTables = new PageRange(tablesAt, tables),
        };
    }

    /// <summary>How many page tables the region has, which they are part of themselves, and where it ends then.</summary>
    private static (ulong Tables, ulong VirtLast) PlanTables(KernelImage kernel, ulong tablesAt)
    {
        ulong tables = 4;
        while (true)
        {
            var bytes = (tablesAt + tables + 1 + PaddingPages) << Page.Shift;
            var last = unchecked(kernel.VirtBase + bytes - 1) | (RegionAlign - 1);
            if (!KernelNotesCheck.IsGuestRange(kernel.VirtBase, last))
            {
                throw new ImageException(
                    kernel.Name,
                    $"it and its ramdisk take {bytes >> 20} MiB from virtual address {kernel.VirtBase:x} on, and there is no room for that",
                    "use a smaller ramdisk");
            }

            var needed = TableSpan.CountAll(kernel.VirtBase, last);
            if (needed <= tables)
            {
                return (tables, last);
            }

            tables = needed;
        }
    }

    /// <summary>
    /// INIT_P2M, if the list can stand there: on a page boundary, below the region and in a guest's part of the address space.
    /// A kernel must look up the list's place in start_info anyway.
    /// </summary>
    private static ulong? UsableP2mAddress(KernelImage kernel, ulong pages)
    {
        if (kernel.Notes.InitP2m is not { } address || (address & Page.OffsetMask) != 0)
        {
            return null;
        }

        var last = unchecked(address + (pages << Page.Shift) - 1);
        return last < kernel.VirtBase && KernelNotesCheck.IsGuestRange(address, last) ? address : null;
    }

    private static PageRange Hole(KernelImage kernel)
    {
        var end = kernel.PhysicalStart >> Page.Shift;
        return end > HoleStart ? new PageRange(HoleStart, end - HoleStart) : default;
    }

    private static ImageException TooLittleMemory(KernelImage kernel, ulong pageCount, ulong ramdiskBytes)
    {
        var with = ramdiskBytes == 0 ? "" : $" and its ramdisk of {MebibytesFor(PageRange.PagesFor(ramdiskBytes))} MiB";
        return new ImageException(
            kernel.Name,
            $"the domain's {pageCount / PagesPerMebibyte} MiB of memory are too little for this kernel{with}",
            $"give it at least {LeastMebibytes(kernel, ramdiskBytes)} MiB");
    }

    /// <summary>The least memory for which the plan succeeds. <b>Units</b>: MiB.</summary>
    public static ulong LeastMebibytes(KernelImage kernel, ulong ramdiskBytes)
    {
        ulong tooFew = 0, enough = 1;
        while (TryPlan(kernel, enough * PagesPerMebibyte, ramdiskBytes) is null)
        {
            (tooFew, enough) = (enough, enough * 2);
        }

        while (enough - tooFew > 1)
        {
            var middle = tooFew + ((enough - tooFew) / 2);
            (tooFew, enough) = TryPlan(kernel, middle * PagesPerMebibyte, ramdiskBytes) is null ? (middle, enough) : (tooFew, middle);
        }

        return enough;
    }

    private static ulong MebibytesFor(ulong pages) => (pages + PagesPerMebibyte - 1) / PagesPerMebibyte;

    /// <summary>Pages that the region leaves: above it, and the hole below the kernel.</summary>
    private struct FreeRanges(PageRange above, PageRange hole)
    {
        private PageRange _above = above;
        private PageRange _hole = hole;

        public bool TryTake(ulong count, out ulong first) => TryTake(ref _above, count, out first) || TryTake(ref _hole, count, out first);

        private static bool TryTake(ref PageRange range, ulong count, out ulong first)
        {
            first = range.First;
            if (range.Count < count)
            {
                return false;
            }

            range = new PageRange(range.First + count, range.Count - count);
            return true;
        }
    }
}
