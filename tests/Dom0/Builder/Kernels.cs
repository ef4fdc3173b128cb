using Xen.Builder.Images;
using Xen.GuestKit.Assembly;

namespace Xen.Dom0.Tests.Builder;

/// <summary>Small kernels, lawful and not.</summary>
internal static class Kernels
{
    /// <summary>A kernel that powers off, as an ELF file.</summary>
    public static byte[] Elf(GuestImageOptions? options = null)
    {
        var guest = new GuestAssembler(options);
        guest.Data([0xAA, 0xBB, 0xCC, 0xDD]);
        guest.PowerOff();
        guest.ReservePages(3);
        return guest.Build().Elf;
    }

    /// <summary>The same, read.</summary>
    public static KernelImage Image(GuestImageOptions? options = null) => KernelImage.Parse(Elf(options), "test-kernel");

    /// <summary>What is said of an image that cannot be used.</summary>
    public static ImageException Refusal(ReadOnlyMemory<byte> content) =>
        Assert.Throws<ImageException>(() => KernelImage.Parse(content, "test-kernel"));
}
