using System.ComponentModel;
using System.Diagnostics;
using Xen.Abi;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Protocol;
using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

/// <summary>Disks in qemu's formats, and NBD beneath them. Needs the package qemu-utils.</summary>
public sealed class QemuImageTests
{
    private const int Size = 8 << 20;

    [Theory]
    [InlineData("qcow2", "qcow2")]
    [InlineData("vhd", "vpc")]
    public async Task Image_HoldsWhatAGuestWrote(string format, string qemuFormat)
    {
        using TempImage folder = new(0);
        string path = folder.InFolder("disk." + format), raw = folder.InFolder("disk.raw");
        QemuImg("create", "-q", "-f", qemuFormat, path, "8M");
        byte[] model;
        Assert.Null(BlockStorage.Open(path, format, readOnly: false, shared: false, out IBlockStorage? storage));
        int server = ((QemuImageStorage)storage!).ServerId;
        using (BlockPair pair = new(storage))
        {
            using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { MaxSegments = 64 });
            model = new byte[frontend.Properties.Sectors * 512];
            Assert.InRange(model.Length, Size, Size + (1 << 20));
            await Write(frontend, model);
            Assert.Equal(BlkifStatus.Okay, await frontend.FlushAsync().WaitAsync(BlockPair.Patience));
            Assert.Equal(frontend.Properties.Discard ? BlkifStatus.Okay : BlkifStatus.NotSupported, await frontend.DiscardAsync(0, 2048).WaitAsync(BlockPair.Patience));
            Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(0, model.AsMemory(0, 256 * 1024)).WaitAsync(BlockPair.Patience));
            pair.Close(frontend);
        }

        Assert.True(HasEnded(server), "qemu-nbd is left behind");
        QemuImg("convert", "-f", qemuFormat, "-O", "raw", path, raw);
        byte[] written = File.ReadAllBytes(raw);
        Assert.True(written.AsSpan(0, 256 * 1024).SequenceEqual(model.AsSpan(0, 256 * 1024)));
        Assert.True(written.AsSpan(2 << 20, 4 << 20).SequenceEqual(model.AsSpan(2 << 20, 4 << 20)));
    }

    [Fact]
    public void Image_ThatIsInUse_IsRefused()
    {
        using TempImage folder = new(0);
        string path = folder.InFolder("disk.qcow2");
        QemuImg("create", "-q", "-f", "qcow2", path, "8M");
        using IBlockStorage first = Opened(path);
        Assert.Contains("in use by another domain", Open(path), StringComparison.Ordinal);
    }

    [Fact]
    public void Image_ThatIsOnlyRead_IsNotWritten()
    {
        using TempImage folder = new(0);
        string path = folder.InFolder("disk.qcow2");
        QemuImg("create", "-q", "-f", "qcow2", path, "8M");
        Assert.Null(BlockStorage.Open(path, "qcow2", readOnly: true, shared: false, out IBlockStorage? storage));
        using (storage)
        {
            byte[] memory = GC.AllocateArray<byte>(4096, pinned: true);
            Assert.Equal((true, false), (storage!.ReadOnly, storage.CanDiscard));
            Assert.Equal(XenErrno.OK, storage.Read(0, [IoVector.Of(memory)]));
            Assert.Equal(XenErrno.EROFS, storage.Write(0, [IoVector.Of(memory)]));
        }
    }

    [Fact]
    public void Image_OfAnotherFormat_IsRefused()
    {
        using TempImage image = new();
        Assert.Contains("is not in qcow2 format", Open(image.Path), StringComparison.Ordinal);
    }

    [Fact]
    public void Image_ThatIsNotThere_IsNamed() => Assert.Equal("disk image /no/such.qcow2 does not exist", Open("/no/such.qcow2"));

    [Fact]
    public void Image_SharedForWriting_IsRefused() => Assert.Contains(
        "cannot be shared for writing",
        BlockStorage.Open("/some.qcow2", "qcow2", readOnly: false, shared: true, out _),
        StringComparison.Ordinal);

    [Fact]
    public void ProgramThatIsMissing_IsNamedWithItsPackage()
    {
        using TempImage image = new();
        string? error = QemuImageStorage.Open(image.Path, "qcow2", readOnly: false, out _, "/no/qemu-nbd");
        Assert.Contains("/no/qemu-nbd", error, StringComparison.Ordinal);
        Assert.Contains("qemu-utils", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ServerThatDies_FailsRequestsAndNothingElse()
    {
        using TempImage folder = new(0);
        string path = folder.InFolder("disk.qcow2");
        QemuImg("create", "-q", "-f", "qcow2", path, "8M");
        using IBlockStorage storage = Opened(path);
        byte[] memory = GC.AllocateArray<byte>(4096, pinned: true);
        Assert.Equal(XenErrno.OK, storage.Write(0, [IoVector.Of(memory)]));
        using (Process server = Process.GetProcessById(((QemuImageStorage)storage).ServerId))
        {
            server.Kill();
            server.WaitForExit();
        }

        for (int i = 0; i < 100; i++)
            Assert.Equal(XenErrno.EIO, storage.Write(0, [IoVector.Of(memory)]));
        Assert.Equal(XenErrno.EIO, storage.Flush());
    }

    [Fact]
    public void ManyRequests_AreUnderWayAtOnce()
    {
        using TempImage folder = new(0);
        string path = folder.InFolder("disk.qcow2");
        QemuImg("create", "-q", "-f", "qcow2", path, "8M");
        using IBlockStorage storage = Opened(path);
        Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 8 }, who =>
        {
            byte[] written = GC.AllocateArray<byte>(8192, pinned: true), read = GC.AllocateArray<byte>(8192, pinned: true);
            for (int i = 0; i < 20; i++)
            {
                new Random((who * 100) + i).NextBytes(written);
                long offset = ((who * 20) + i) * 8192;
                Assert.Equal(XenErrno.OK, storage.Write(offset, [IoVector.Of(written.AsSpan(0, 512)), IoVector.Of(written.AsSpan(512))]));
                Assert.Equal(XenErrno.OK, storage.Read(offset, [IoVector.Of(read.AsSpan(0, 4096)), IoVector.Of(read.AsSpan(4096))]));
                Assert.Equal(written, read);
            }
        });
    }

    private static async Task Write(BlockFrontend frontend, byte[] model)
    {
        new Random(5).NextBytes(model);
        List<Task<BlkifStatus>> all = [];
        for (int at = 0; at < Size; at += 256 * 1024)
            all.Add(frontend.WriteAsync(at / 512, model.AsMemory(at, 256 * 1024)));
        Assert.All(await Task.WhenAll(all).WaitAsync(BlockPair.Patience), status => Assert.Equal(BlkifStatus.Okay, status));
        byte[] read = new byte[256 * 1024];
        for (int at = 0; at < Size; at += read.Length)
        {
            Assert.Equal(BlkifStatus.Okay, await frontend.ReadAsync(at / 512, read).WaitAsync(BlockPair.Patience));
            Assert.True(read.AsSpan().SequenceEqual(model.AsSpan(at, read.Length)), $"bytes at {at} differ");
        }
    }

    private static string? Open(string path)
    {
        string? error = BlockStorage.Open(path, "qcow2", readOnly: false, shared: false, out IBlockStorage? storage);
        storage?.Dispose();
        return error;
    }

    private static IBlockStorage Opened(string path)
    {
        Assert.Null(BlockStorage.Open(path, "qcow2", readOnly: false, shared: false, out IBlockStorage? storage));
        return storage!;
    }

    private static bool HasEnded(int process)
    {
        try
        {
            using Process found = Process.GetProcessById(process);
            return found.HasExited;
        }
        catch (ArgumentException)
        {
            return true;
        }
    }

    private static void QemuImg(params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("qemu-img", arguments))!;
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
        catch (Win32Exception)
        {
            Assert.Fail("qemu-img is missing: install the package qemu-utils");
        }
    }
}
