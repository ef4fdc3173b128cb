using Xen.Builder.Images;

namespace Xen.Dom0.Tests.Builder;

/// <summary>The memory that images are in.</summary>
public sealed class ImageMemoryTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5000)]
    [InlineData((2 << 20) + 1)]
    [InlineData(20 << 20)]
    public void Memory_IsZero_AndAllOfItCanBeWritten(int length)
    {
        using var memory = ImageMemory.Allocate("vmlinuz", length);

        var bytes = memory.Memory.Span;
        Assert.Equal(length, bytes.Length);
        Assert.False(bytes.ContainsAnyExcept((byte)0));
        bytes.Fill(0xA5);
        Assert.False(bytes.ContainsAnyExcept((byte)0xA5));
    }

    [Fact]
    public void ForgottenPages_AreZeroAgain_AndNoOthers()
    {
        using var memory = ImageMemory.Allocate("vmlinuz", 6 << 20);
        var bytes = memory.Memory.Span;
        bytes.Fill(1);

        memory.Forget(2 << 20, (2 << 20) + 100);

        Assert.False(bytes[..(2 << 20)].ContainsAnyExcept((byte)1));
        Assert.False(bytes[(2 << 20)..(4 << 20)].ContainsAnyExcept((byte)0));
        Assert.False(bytes[(4 << 20)..].ContainsAnyExcept((byte)1));
    }

    [Fact]
    public void Forget_OutsideOfTheMemory_IsRefused()
    {
        using var memory = ImageMemory.Allocate("vmlinuz", 4096);

        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Forget(0, 4097));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Forget(4096, 4096));
    }

    [Fact]
    public void DisposedMemory_IsNotReached()
    {
        var memory = ImageMemory.Allocate("vmlinuz", 4096);
        var bytes = memory.Memory;
        memory.Dispose();
        memory.Dispose();

        Assert.Throws<ObjectDisposedException>(() => bytes.Span.Length);
        Assert.Throws<ObjectDisposedException>(() => bytes.Pin());
    }

    [Fact]
    public void PartsOfADisposedKernel_AreNotReached()
    {
        var path = Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName());
        File.WriteAllBytes(path, Kernels.Elf());
        try
        {
            var kernel = KernelImage.Load(path);
            Assert.NotEqual(0, kernel.Segments[0].Content.Span.Length);
            kernel.Dispose();

            Assert.Throws<ObjectDisposedException>(() => kernel.Segments[0].Content.Span.Length);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
