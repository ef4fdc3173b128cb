using Xen.Abi;

namespace Xen.Memory.Tests;

/// <summary>Free frames: all are handed out once, zeroed, and come back.</summary>
public sealed class FrameAllocatorTests : IDisposable
{
    private const ulong FrameCount = 256;

    private readonly MachineMemory _memory = new(FrameCount);
    private readonly FrameTable _frames = new(FrameCount);
    private readonly FrameAllocator _allocator;

    public FrameAllocatorTests() => _allocator = new FrameAllocator(_memory, _frames);

    public void Dispose()
    {
        _frames.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void TryAllocate_GivesEachFrameOnce_ThenSaysThatThereIsNone()
    {
        ulong free = _allocator.FreeFrames;
        Assert.Equal(FrameCount - _memory.FirstAllocatable.Value, free);
        var seen = new HashSet<ulong>();
        while (_allocator.TryAllocate(out Mfn frame))
        {
            Assert.True(seen.Add(frame.Value));
            Assert.InRange(frame.Value, _memory.FirstAllocatable.Value, FrameCount - 1);
        }

        Assert.Equal(free, (ulong)seen.Count);
        Assert.Equal(0ul, _allocator.FreeFrames);
        foreach (ulong frame in seen)
            _allocator.Free(new Mfn(frame), 1);
        Assert.Equal(free, _allocator.FreeFrames);
        Assert.True(_allocator.TryAllocate(out _));
    }

    [Fact]
    public void Free_ZeroesTheFrames()
    {
        Assert.True(_allocator.TryAllocateRun(2, out Mfn first));
        for (ulong i = 0; i < 4; i++)
            _memory.Frame(first + i).Fill(0xAA);
        _allocator.Free(first, 4);
        for (ulong i = 0; i < 4; i++)
            Assert.Equal(-1, _memory.Frame(first + i).IndexOfAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public void TryAllocateRun_IsAligned_AndLosesNothing(int order)
    {
        ulong free = _allocator.FreeFrames;
        Assert.True(_allocator.TryAllocate(out _));
        Assert.True(_allocator.TryAllocateRun(order, out Mfn first));
        Assert.Equal(0ul, first.Value & ((1ul << order) - 1));
        Assert.Equal(free - 1 - (1ul << order), _allocator.FreeFrames);
        ulong singles = 0;
        while (_allocator.TryAllocate(out Mfn frame))
        {
            Assert.False(frame.Value - first.Value < 1ul << order);
            singles++;
        }

        Assert.Equal(free - 1 - (1ul << order), singles);
    }

    [Fact]
    public void TryAllocateRun_LargerThanTheMachine_Fails()
    {
        Assert.False(_allocator.TryAllocateRun(9, out Mfn first));
        Assert.Equal(Mfn.Invalid, first);
    }

    [Fact]
    public void FrameList_KeepsOrderAndCount()
    {
        var list = new FrameList(_frames);
        foreach (ulong i in new ulong[] { 5, 9, 7, 30 })
            list.Add(new Mfn(i));
        list.Remove(new Mfn(9));
        list.Remove(new Mfn(5));
        Assert.Equal(new Mfn(7), list.First);
        Assert.Equal(new Mfn(30), list.After(list.First));
        Assert.Equal(Mfn.Invalid, list.After(new Mfn(30)));
        Assert.Equal(2ul, list.Count);
        Assert.Equal(new Mfn(30), list.TakeLast());
        Assert.Equal(new Mfn(7), list.TakeLast());
        Assert.Equal(Mfn.Invalid, list.TakeLast());
        Assert.Equal(Mfn.Invalid, list.First);
    }
}
