using System.Collections.Immutable;
using Xen.Abi;

namespace Xen.Builder.StartOfDay;

/// <summary>A page of a domain that is a page table.</summary>
/// <param name="Pfn">The page.</param>
/// <param name="Level">4 for the root, 1 for a table of leaf entries.</param>
public readonly record struct PageTableFrame(Pfn Pfn, int Level);

/// <summary>
/// How a domain's first vCPU starts, once its memory is written: in kernel mode with flat segments, events masked
/// (evtchn_upcall_mask 1), the other registers 0. <b>Source</b>: xen.h, start-of-day memory layout.
/// </summary>
public sealed record StartOfDayState
{
    /// <summary>rip.</summary>
    public required ulong InstructionPointer { get; init; }

    /// <summary>rsp: the end of the stack page.</summary>
    public required ulong StackPointer { get; init; }

    /// <summary>rsi: virtual address of start_info.</summary>
    public required ulong StartInfoAddress { get; init; }

    /// <summary>The root page table (cr3), to be pinned as an L4.</summary>
    public required Pfn PageTableRoot { get; init; }

    /// <summary>All initial page tables, those that map the frame list included. The root comes first.</summary>
    public required ImmutableArray<PageTableFrame> PageTables { get; init; }

    /// <summary>How many page tables stand in the bootstrap region, from the root on (start_info.nr_pt_frames).</summary>
    public required int NrPtFrames { get; init; }

    /// <summary>The start_info page.</summary>
    public required Pfn StartInfo { get; init; }

    /// <summary>The xenstore ring page.</summary>
    public required Pfn XenStore { get; init; }

    /// <summary>The console ring page.</summary>
    public required Pfn Console { get; init; }

    /// <summary>Virtual address of the hypercall page that was filled, or null.</summary>
    public ulong? HypercallPageAddress { get; init; }

    /// <summary>Virtual address of the frame list.</summary>
    public required ulong P2mAddress { get; init; }

    /// <summary>The frame list's first page.</summary>
    public required Pfn P2m { get; init; }

    /// <summary>Virtual addresses from here ...</summary>
    public required ulong VirtBase { get; init; }

    /// <summary>... to here (exclusive) are mapped to the domain's pages from 0 on, as far as it has pages.</summary>
    public required ulong VirtEnd { get; init; }
}
