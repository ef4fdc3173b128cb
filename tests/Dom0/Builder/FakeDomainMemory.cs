using System.Buffers.Binary;
using Xen.Abi;
using Xen.Builder.StartOfDay;

namespace Xen.Dom0.Tests.Builder;

/// <summary>A domain's memory with frames out of order, and a reader that walks the page tables in it as a processor does.</summary>
internal sealed class FakeDomainMemory(ulong pageCount) : IDomainMemory
{
    private const ulong FirstFrame = 0x10_0000;
    private const ulong Scatter = 0x2A5;

    private readonly Dictionary<ulong, byte[]> _pages = [];

    public ulong PageCount { get; } = pageCount;

    /// <summary>How many pages were written to.</summary>
    public int Touched => _pages.Count;

    public static FakeDomainMemory OfMebibytes(ulong size) => new(size * 256);

    public Mfn FrameOf(Pfn pfn)
    {
        Assert.InRange(pfn.Value, 0ul, PageCount - 1);
        return new Mfn(FirstFrame + (pfn.Value ^ Scatter));
    }

    public void Write(Pfn pfn, int offset, ReadOnlySpan<byte> bytes)
    {
        Assert.InRange(pfn.Value, 0ul, PageCount - 1);
        lock (_pages)
        {
            if (!_pages.TryGetValue(pfn.Value, out var page))
            {
                _pages[pfn.Value] = page = new byte[Page.Size];
            }

            bytes.CopyTo(page.AsSpan(offset));
        }
    }

    public ReadOnlySpan<byte> Read(Pfn pfn) => _pages.TryGetValue(pfn.Value, out var page) ? page : new byte[Page.Size];

    public ulong Entry(Pfn pfn, int index) => BinaryPrimitives.ReadUInt64LittleEndian(Read(pfn)[(index * sizeof(ulong))..]);

    /// <summary>The page behind a frame; fails the test if the frame is not the domain's.</summary>
    public Pfn PfnOf(Mfn frame)
    {
        var pfn = (frame.Value - FirstFrame) ^ Scatter;
        Assert.InRange(pfn, 0ul, PageCount - 1);
        return new Pfn(pfn);
    }

    /// <summary>The leaf entry that translates an address, 0 if none does.</summary>
    public ulong Walk(Pfn root, ulong address)
    {
        var table = root;
        for (var level = PageTableLayout.Levels; level > 1; level--)
        {
            var entry = Entry(table, PageTableLayout.IndexOf(address, level));
            if (entry == 0)
            {
                return 0;
            }

            table = PfnOf(PageTableLayout.FrameOf(entry));
        }

        return Entry(table, PageTableLayout.IndexOf(address, 1));
    }

    /// <summary>The bytes at a virtual address, to the end of its page.</summary>
    public ReadOnlySpan<byte> At(Pfn root, ulong address)
    {
        var entry = Walk(root, address);
        Assert.True(PageTableLayout.FlagsOf(entry).HasFlag(PageTableFlags.Present), $"{address:x} is not mapped");
        return Read(PfnOf(PageTableLayout.FrameOf(entry)))[(int)(address & Page.OffsetMask)..];
    }
}
