using Xen.Abi;
using Xen.Builder.StartOfDay;
using Xen.GuestKit.Assembly;

namespace Xen.Dom0.Tests.Builder;

/// <summary>Initial page tables are such that a hypervisor pins them: each frame has one type, and no table can be written.</summary>
public sealed class BootstrapTablesTests
{
    private const PageTableFlags Common = PageTableFlags.Present | PageTableFlags.User | PageTableFlags.Accessed | PageTableFlags.Dirty;

    [Fact]
    public void Tables_OfAnyLayout_ArePinnable()
    {
        var random = new Random(4242);
        for (var i = 0; i < 60; i++)
        {
            var options = RandomOptions(random);
            var memory = new FakeDomainMemory((ulong)random.Next(3_000, 40_000));
            var ramdisk = new byte[random.Next(3) == 0 ? 0 : random.Next(1, 3 << 20)];
            var state = DomainBuilder.Build(memory, Kernels.Image(options), new() { SharedInfoAddress = 0x1000, Ramdisk = ramdisk });
            Check(memory, state);
        }
    }

    [Theory]
    [InlineData(0ul)] // flat, virtual address = physical address
    [InlineData(0x1000ul)] // not on a 2 MiB boundary
    [InlineData(0x3FC0_0000ul)] // crosses from one L2 table to the next
    [InlineData(0x7F_FFC0_0000ul)] // crosses from one L3 table to the next
    [InlineData(0xFFFF_8800_0000_0000ul)] // the first address behind the hypervisor
    [InlineData(0xFFFF_FFFF_FF00_0000ul)] // to the very end of the address space
    public void Tables_AtAwkwardAddresses_ArePinnable(ulong virtBase)
    {
        var memory = new FakeDomainMemory(3_000);
        var state = DomainBuilder.Build(
            memory, Kernels.Image(new GuestImageOptions { VirtBase = virtBase }), new() { SharedInfoAddress = 0x1000 });

        Check(memory, state);
    }

    private static GuestImageOptions RandomOptions(Random random)
    {
        ulong[] bases = [0, 0x40_0000, 0xFFFF_FFFF_8000_0000, 0xFFFF_8800_0000_0000, 0x7FFF_F000_0000, 0x100_3000];
        var virtBase = bases[random.Next(bases.Length)];
        return new GuestImageOptions
        {
            VirtBase = virtBase,
            ImageOffset = (ulong)random.Next(0, 600) << Page.Shift,
            InitP2m = random.Next(2) == 0 ? 0x80_0000_0000ul : null,
            ModStartPfn = random.Next(2) == 0,
            SingleSegment = random.Next(2) == 0,
            HypercallPage = random.Next(2) == 0,
        };
    }

    private static void Check(FakeDomainMemory memory, StartOfDayState state)
    {
        var levels = state.PageTables.ToDictionary(t => t.Pfn, t => t.Level);
        Assert.Equal(state.PageTableRoot, state.PageTables[0].Pfn);
        Assert.Equal(4, levels[state.PageTableRoot]);

        var seen = new HashSet<Pfn> { state.PageTableRoot };
        foreach (var (pfn, level) in state.PageTables)
        {
            for (var i = 0; i < Page.EntriesPerTable; i++)
            {
                var entry = memory.Entry(pfn, i);
                if (entry != 0)
                {
                    CheckEntry(memory, levels, seen, level, entry);
                }
            }
        }

        Assert.Equal(levels.Count, seen.Count);
        CheckRegion(memory, state, levels);
    }

    private static void CheckEntry(FakeDomainMemory memory, Dictionary<Pfn, int> levels, HashSet<Pfn> seen, int level, ulong entry)
    {
        var target = memory.PfnOf(PageTableLayout.FrameOf(entry));
        var flags = PageTableLayout.FlagsOf(entry);
        if (level > 1)
        {
            Assert.Equal(Common | PageTableFlags.Writable, flags);
            Assert.Equal(level - 1, levels[target]);
            Assert.True(seen.Add(target), "a table is reached twice");
            return;
        }

        Assert.Equal(levels.ContainsKey(target) ? Common : Common | PageTableFlags.Writable, flags);
    }

    private static void CheckRegion(FakeDomainMemory memory, StartOfDayState state, Dictionary<Pfn, int> levels)
    {
        var size = unchecked(state.VirtEnd - state.VirtBase) >> Page.Shift;
        for (ulong page = 0; page < size; page++)
        {
            var entry = memory.Walk(state.PageTableRoot, state.VirtBase + (page << Page.Shift));
            if (page >= memory.PageCount)
            {
                Assert.Equal(0ul, entry);
                continue;
            }

            Assert.Equal(memory.FrameOf(new Pfn(page)), PageTableLayout.FrameOf(entry));
        }

        Assert.All(levels.Keys.Take(state.NrPtFrames), t => Assert.InRange(t.Value, 0ul, size));
    }
}
