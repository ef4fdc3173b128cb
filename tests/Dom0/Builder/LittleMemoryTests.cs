using System.Buffers.Binary;
using Xen.Builder.Images;
using Xen.Builder.StartOfDay;
using Xen.GuestKit.Assembly;

namespace Xen.Dom0.Tests.Builder;

/// <summary>What too little memory is, and what is just enough.</summary>
public sealed class LittleMemoryTests
{
    [Fact]
    public void TooLittle_SaysWhatIsEnough_AndNothingIsWritten()
    {
        var memory = FakeDomainMemory.OfMebibytes(8);
        var refusal = Assert.Throws<ImageException>(() => Build(memory, DebianLike(), 3 << 20));

        Assert.Equal(
            "debian: the domain's 8 MiB of memory are too little for this kernel and its ramdisk of 3 MiB; give it at least 63 MiB",
            refusal.Message);
        Assert.Equal(0, memory.Touched);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1 << 20)]
    [InlineData(12 << 20)]
    [InlineData(100 << 20)]
    public void WhatIsSaidToBeEnough_IsEnough_AndOneLessIsNot(int ramdisk)
    {
        foreach (var kernel in new[] { DebianLike(), Kernels.Image(), Kernels.Image(new GuestImageOptions { VirtBase = 0 }) })
        {
            var least = DomainBuilder.LeastMebibytes(kernel, ramdisk);

            Assert.NotNull(Build(FakeDomainMemory.OfMebibytes(least), kernel, ramdisk));
            if (least > 1)
            {
                Assert.Throws<ImageException>(() => Build(FakeDomainMemory.OfMebibytes(least - 1), kernel, ramdisk));
            }
        }
    }

    [Fact]
    public void ShortMemory_UsesTheHoleBelowTheKernel()
    {
        var memory = FakeDomainMemory.OfMebibytes(64);
        var state = Build(memory, DebianLike(), 12 << 20);

        // The ramdisk from 1 MiB on; the frame list fits above.
        Assert.Equal(256ul, BinaryPrimitives.ReadUInt64LittleEndian(memory.Read(state.StartInfo)[112..]));
        Assert.InRange(state.P2m.Value, 62ul * 256, memory.PageCount - 1);
    }

    [Fact]
    public void RamdiskLargerThanTheAddressSpaceLeft_IsRefused()
    {
        // 16 MiB below the end of the address space, for a ramdisk that has to be mapped.
        var kernel = Kernels.Image(new GuestImageOptions { VirtBase = 0xFFFF_FFFF_FF00_0000 });
        var refusal = Assert.Throws<ImageException>(() => Build(FakeDomainMemory.OfMebibytes(64), kernel, 20 << 20));

        Assert.Contains("no room for that", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>From 16 to 62 MiB, frame list and ramdisk unmapped: Debian's cloud kernel.</summary>
    private static KernelImage DebianLike()
    {
        const int start = 16 << 20, end = 62 << 20;
        var options = new GuestImageOptions { ImageOffset = start, InitP2m = 0x80_0000_0000, ModStartPfn = true };
        var guest = new GuestAssembler(options);
        guest.PowerOff();
        guest.ReservePages((end - start - options.CodeCapacity - 0x1000) >> 12);
        return KernelImage.Parse(guest.Build().Elf, "debian");
    }

    private static StartOfDayState Build(FakeDomainMemory memory, KernelImage kernel, int ramdisk) =>
        DomainBuilder.Build(memory, kernel, new() { SharedInfoAddress = 0x1000, Ramdisk = new byte[ramdisk] });
}
