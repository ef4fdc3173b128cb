using System.Diagnostics;
using Xen.Abi;
using Xen.Memory;
using Xunit.Abstractions;

namespace Xen.Cpu.Tests;

/// <summary>What is in the code memory, and how it leaves again.</summary>
public sealed class CodeCacheTests(ITestOutputHelper output) : IDisposable
{
    private const ulong Start = 0xFFFF_8880_0000_0000;
    private const int Spacing = 64, BlocksPerFrame = Page.Size / Spacing, ExitsPerBlock = 3;

    private readonly MachineMemory _memory = new(64);
    private readonly CodeMap _map = new(64);

    /// <summary>The default size, full of small blocks that are linked to each other, evicted over and over.</summary>
    [Fact]
    public void Eviction_OfAFullMemory_TakesNoTimeThatAnybodyNotices()
    {
        const int Parts = 100;
        TimeSpan limit = TimeSpan.FromMilliseconds(10);
        using var cache = new CodeCache(Translator.DefaultCodeSize);
        var random = new Random(1);
        List<int>[] parts = [.. Enumerable.Range(0, cache.RegionCount).Select(static _ => new List<int>())];
        List<TimeSpan> times = [];
        for (ulong i = 0; times.Count < Parts; i++)
        {
            if (!cache.HasRoom)
            {
                long start = Stopwatch.GetTimestamp();
                if (cache.Evict())
                    times.Add(Stopwatch.GetElapsedTime(start));
            }

            (int number, _) = AddBlock(cache, i);
            List<int> part = parts[number >> CodeCache.IndexBits];
            if ((number & ((1 << CodeCache.IndexBits) - 1)) == 0)
                part.Clear();
            part.Add(number);
            LinkSome(cache, number, parts, random);
        }

        output.WriteLine("the first: " + string.Join(' ', times.Take(8).Select(static time => $"{time.TotalMicroseconds:f0}")));
        times.Sort();
        output.WriteLine($"{cache.RegionCount} parts, {cache.Used >> 20} MiB used; median {times[Parts / 2].TotalMicroseconds:f0} us, longest {times[^1].TotalMicroseconds:f0} us");

        // What the work takes is what the faster ones took: from the others a busy machine has taken the processor away.
        Assert.InRange(times[Parts / 10], TimeSpan.Zero, limit);
    }

    [Fact]
    public void Eviction_TakesOnePart_AndWhatLeadsToIt()
    {
        using var cache = new CodeCache(1 << 20);
        ulong i = 0;
        (int first, ulong rip) = AddBlock(cache, i++);
        int inFirst = 1, last = first;
        while (cache.HasRoom)
        {
            (last, _) = AddBlock(cache, i++);
            inFirst++;
        }

        // A block of the second part jumps to one of the first, and the other way round.
        Assert.False(cache.Evict());
        (int second, ulong secondRip) = AddBlock(cache, i++);
        int id = DirectExit(cache, second), back = DirectExit(cache, last);
        int free = JumpTarget(cache, id);
        cache.Link(id, first);
        cache.Link(back, second);
        cache.JumpTableOf(BlockVariant.Kernel).Set(rip, cache.Memory.AddressOf(cache.Block(first).Indirect));
        Assert.Equal(cache.Block(first).Far, JumpTarget(cache, id));
        for (int part = 2; part < cache.RegionCount; part++)
        {
            while (cache.HasRoom)
                AddBlock(cache, i++);
            Assert.False(cache.Evict());
        }

        while (cache.HasRoom)
            AddBlock(cache, i++);
        int used = cache.Used;
        Assert.True(cache.Evict());
        Assert.InRange(cache.Used, used * 8 / 10, used - 1);
        Assert.Equal(-1, cache.Find(rip, FrameOf(0), BlockVariant.Kernel));
        Assert.Equal(second, cache.Find(secondRip, cache.Block(second).Frame, BlockVariant.Kernel));
        Assert.Equal(free, JumpTarget(cache, id));
        Assert.Equal(-1, cache.Exit(id).Target);
        Assert.Equal(-1, cache.Block(second).FirstIncoming);
        Assert.DoesNotContain(FrameOf(0), cache.Frames);

        // The numbers come again.
        Assert.Equal(first, AddBlock(cache, i++).Number);
        Assert.True(inFirst > 50);
    }

    [Fact]
    public void VoidedBlock_LeadsToItsReplacement_AndIsEvictedBeforeIt()
    {
        using var cache = new CodeCache(1 << 20);
        ulong i = 1;
        (int old, _) = AddBlock(cache, 0);
        Fill(cache, ref i);
        Assert.False(cache.Evict());
        cache.Kill(old);
        (int replacement, ulong rip) = AddBlock(cache, 0);
        Assert.Equal(cache.Block(replacement).Far, JumpAt(cache, cache.Block(old).Far));
        for (int part = 2; part < cache.RegionCount; part++)
        {
            Fill(cache, ref i);
            Assert.False(cache.Evict());
        }

        Fill(cache, ref i);
        Assert.True(cache.Evict());
        Assert.Equal(replacement, cache.Find(rip, FrameOf(0), BlockVariant.Kernel));
        Fill(cache, ref i);
        Assert.True(cache.Evict());
        Assert.Equal(-1, cache.Find(rip, FrameOf(0), BlockVariant.Kernel));
    }

    public void Dispose()
    {
        _map.Dispose();
        _memory.Dispose();
    }

    private void Fill(CodeCache cache, ref ulong i)
    {
        while (cache.HasRoom)
            AddBlock(cache, i++);
    }

    private static Mfn FrameOf(ulong i) => new(i / BlocksPerFrame);

    private (int Number, ulong Rip) AddBlock(CodeCache cache, ulong i)
    {
        // A load, an increment, and two ways out.
        new byte[] { 0x48, 0x8B, 0x03, 0x48, 0xFF, 0xC0, 0x0F, 0x85, 0x00, 0x10, 0x00, 0x00, 0xE9, 0x00, 0x20, 0x00, 0x00 }.CopyTo(_memory.Frame(new Mfn(0)));
        var superblock = _superblock ??= new Superblock(_memory, _map);
        Assert.True(superblock.TryDecode(Start, new Mfn(0), BlockVariant.Kernel));
        ulong rip = Start + (i * Spacing);
        return (cache.Translator.Emit(superblock, rip, FrameOf(i), Mfn.Invalid, BlockVariant.Kernel, interpretOnly: false), rip);
    }

    private Superblock? _superblock;

    /// <summary>Links a block's exits to others of all ages, and some of those to it.</summary>
    private static void LinkSome(CodeCache cache, int number, List<int>[] parts, Random random)
    {
        int id = DirectExit(cache, number);
        for (int tries = 0; tries < 2; tries++)
        {
            List<int> part = parts[random.Next(parts.Length)];
            if (part.Count == 0)
                continue;
            int other = part[random.Next(part.Count)];
            cache.Link(id + tries, other);
            cache.Link(DirectExit(cache, other), number);
        }
    }

    /// <summary>The first of a block's two exits that are direct jumps: each block has three exits, numbered one after the other.</summary>
    private static int DirectExit(CodeCache cache, int number)
    {
        int index = number & ((1 << CodeCache.IndexBits) - 1);
        int id = number - index + (index * ExitsPerBlock) + 1 + Trampolines.FirstBlockExit;
        Assert.Equal(number, cache.Exit(id).Block);
        Assert.Equal(BlockExitKind.Direct, cache.Exit(id).Kind);
        return id;
    }

    private static int JumpTarget(CodeCache cache, int id)
    {
        int site = cache.Exit(id).Site;
        return site + 4 + BitConverter.ToInt32(cache.Memory.Read(site, 4));
    }

    private static int JumpAt(CodeCache cache, int position) => position + 5 + BitConverter.ToInt32(cache.Memory.Read(position + 1, 4));
}
