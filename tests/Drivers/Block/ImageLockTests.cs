using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

/// <summary>A raw image between QEMU and us: one writer or many readers, whoever they are. Needs the package qemu-utils.</summary>
public sealed class ImageLockTests
{
    [Theory]
    [InlineData(false, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)]
    public void ImageThatQemuUses_IsOurs_OnlyWhereBothRead(bool qemuReads, bool weRead, bool refused)
    {
        using TempImage image = new();
        Assert.Null(QemuServer.Start(QemuServer.Program, image.Path, "raw", qemuReads, out QemuServer? qemu));
        using (qemu)
        {
            string? error = BlockStorage.Open(image.Path, "raw", weRead, shared: false, out IBlockStorage? storage);
            storage?.Dispose();
            Assert.Equal(refused, error is not null);
            Assert.Contains(refused ? "in use" : "", error ?? "", StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)]
    public void ImageThatWeUse_IsQemus_OnlyWhereBothRead(bool weRead, bool qemuReads, bool refused)
    {
        using TempImage image = new();
        Assert.Null(BlockStorage.Open(image.Path, "raw", weRead, shared: false, out IBlockStorage? storage));
        using (storage)
        {
            string? error = QemuServer.Start(QemuServer.Program, image.Path, "raw", qemuReads, out QemuServer? qemu);
            qemu?.Dispose();
            Assert.Equal(refused ? $"disk image {image.Path} is in use by another domain or program" : null, error);
        }
    }
}
