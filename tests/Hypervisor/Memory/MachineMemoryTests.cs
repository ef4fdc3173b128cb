using Xen.Abi;

namespace Xen.Memory.Tests;

/// <summary>Frames are zero until they are written, and again after they were punched out; those beside them stay.</summary>
public sealed class MachineMemoryTests
{
    [Theory]
    [InlineData(64)]
    [InlineData(300)]
    [InlineData(4097)]
    public void Frames_FromTheFirstToTheLast_AreThere(ulong count)
    {
        using var memory = new MachineMemory(count);
        foreach (ulong frame in new ulong[] { 0, 1, count / 2, count - 1 })
        {
            Span<byte> bytes = memory.Frame(new Mfn(frame));
            Assert.False(bytes.ContainsAnyExcept((byte)0));
            bytes.Fill(0xA5);
        }

        Assert.Equal(0xA5A5_A5A5_A5A5_A5A5, memory.ReadUInt64((count << Page.Shift) - 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Frame(new Mfn(count)).Length);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(2000)]
    public void PunchedFrames_AreZero_AndNoOthers(ulong count)
    {
        using var memory = new MachineMemory(count);
        for (ulong frame = 0; frame < count; frame++)
            memory.Frame(new Mfn(frame)).Fill(1);

        memory.Punch(new Mfn(10), count - 20);

        for (ulong frame = 0; frame < count; frame++)
            Assert.False(memory.Frame(new Mfn(frame)).ContainsAnyExcept((byte)(frame >= 10 && frame < count - 10 ? 0 : 1)));
    }

    [Fact]
    public void Punch_OutsideOfTheMachine_IsRefused()
    {
        using var memory = new MachineMemory(100);

        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Punch(new Mfn(99), 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Punch(new Mfn(ulong.MaxValue), 2));
    }

    [Fact]
    public void MoreThanTheHostCanMap_IsRefused() => Assert.Throws<InsufficientMemoryException>(() => new MachineMemory(1ul << 40));

    [Fact]
    public void FrameTable_OfALargeMachine_HasItsLastFrame()
    {
        using var frames = new FrameTable(1 << 20);

        frames.Assign(new Mfn((1 << 20) - 1), new DomId(3));

        Assert.True(frames.IsOwnedBy(new Mfn((1 << 20) - 1), new DomId(3)));
        Assert.False(frames.IsInUse(new Mfn((1 << 20) - 2)));
        Assert.Throws<ArgumentOutOfRangeException>(() => frames.Owner(new Mfn(1 << 20)));
    }
}
