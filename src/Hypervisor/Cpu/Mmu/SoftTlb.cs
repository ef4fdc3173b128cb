using System.Runtime.InteropServices;
using Xen.Abi;

namespace Xen.Cpu;

/// <summary>
/// One translation. A tag is valid when it equals the page's address plus the TLB's current generation:
/// <code>
///  63                     12 11         0
/// +-------------------------+------------+
/// |  linear page number     | generation |
/// +-------------------------+------------+
/// </code>
/// so that a flush is one increment, and an access whose last byte lies on the next page never matches.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct TlbEntry
{
    public ulong ReadTag;
    public ulong WriteTag;
    public ulong ExecuteTag;

    /// <summary>Host address of the page minus its linear address.</summary>
    public nint Addend;
}

/// <summary>A vCPU's translation cache for one mode, direct-mapped, filled by <see cref="PageWalker"/>. Used by one thread at a time.</summary>
public sealed class SoftTlb
{
    /// <summary>Entries; a power of two. 1,024 was measured to be enough for a kernel boot, 256 is catastrophic.</summary>
    public const int EntryCount = 1024;

    private const ulong LastGeneration = Page.OffsetMask;

    private readonly TlbEntry[] _entries = GC.AllocateArray<TlbEntry>(EntryCount, pinned: true);

    /// <param name="firstStamp">Where stamps start: the two TLBs of a vCPU must never have the same.</param>
    public SoftTlb(ulong firstStamp) => Stamp = firstStamp;

    /// <summary>The current generation, 1 to 4095; tags of other generations do not match.</summary>
    public ulong Generation { get; private set; } = 1;

    /// <summary>Changes whenever any translation may have changed: what engines remember about code addresses is stamped with it. Never repeats.</summary>
    public ulong Stamp { get; private set; }

    /// <summary>Address of the entries; they are pinned. For engines' inline look-ups.</summary>
    public ref TlbEntry First => ref _entries[0];

    /// <summary>Drops everything.</summary>
    public void Flush()
    {
        Stamp++;
        if (Generation == LastGeneration)
        {
            Array.Clear(_entries);
            Generation = 0;
        }

        Generation++;
    }

    /// <summary>Drops one page.</summary>
    public void FlushPage(ulong linearAddress)
    {
        Stamp++;
        Entry(linearAddress) = default;
    }

    /// <summary>Enters a translation.</summary>
    /// <param name="linearAddress">Any address of the page.</param>
    /// <param name="hostPage">Host address of the frame.</param>
    /// <param name="write">Whether writes may go straight to memory.</param>
    /// <param name="execute">Whether code may be fetched.</param>
    public void Fill(ulong linearAddress, nint hostPage, bool write, bool execute)
    {
        ulong page = linearAddress & ~Page.OffsetMask;
        ulong tag = page | Generation;
        ref TlbEntry entry = ref Entry(linearAddress);
        entry.ReadTag = tag;
        entry.WriteTag = write ? tag : 0;
        entry.ExecuteTag = execute ? tag : 0;
        entry.Addend = hostPage - (nint)page;
    }

    /// <summary>Makes every page of the frame at this host address read-only here, so that the next write to it is seen.</summary>
    public void RevokeWrites(nint hostPage)
    {
        foreach (ref TlbEntry entry in _entries.AsSpan())
        {
            if (entry.WriteTag != 0 && (nint)(entry.WriteTag & ~Page.OffsetMask) + entry.Addend == hostPage)
                entry.WriteTag = 0;
        }
    }

    /// <summary>The entry that a translation of the address would be in.</summary>
    public ref TlbEntry Entry(ulong linearAddress) => ref _entries[(int)(linearAddress >> Page.Shift) & (EntryCount - 1)];
}
