using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Block.Frontend;
using Xen.Drivers.Block.Protocol;
using Xen.Drivers.Block.Storage;
using Xunit.Abstractions;

namespace Xen.Drivers.Tests.Block;

/// <summary>Block devices of the host (phy:), on a loop device. That needs root and a kernel with loop devices; otherwise the output says why not.</summary>
public sealed class HostDeviceTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public async Task Device_HoldsWhatAGuestWrote(int sectorSize)
    {
        using TempImage image = new();
        using Loop? loop = Loop.Of(image.Path, output, "--sector-size", sectorSize.ToString(CultureInfo.InvariantCulture));
        if (loop is null)
            return;
        Assert.Null(BlockStorage.Open(loop.Path, null, readOnly: false, shared: false, out IBlockStorage? storage));
        Assert.Equal((sectorSize, 1 << 20), (storage!.SectorSize, storage.Size));
        byte[] written = new byte[64 * 1024], read = new byte[written.Length];
        new Random(7).NextBytes(written);
        using (BlockPair pair = new(storage))
        {
            using BlockFrontend frontend = pair.Connect(new BlockFrontendOptions { MaxSegments = 32 });
            Assert.Equal(sectorSize, frontend.Properties.SectorSize);
            Assert.Equal(BlkifStatus.Okay, await frontend.WriteAsync(64, written).WaitAsync(BlockPair.Patience));
            Assert.Equal(BlkifStatus.Okay, await frontend.FlushAsync().WaitAsync(BlockPair.Patience));
            Assert.Equal(BlkifStatus.Okay, await frontend.ReadAsync(64, read).WaitAsync(BlockPair.Patience));
            Assert.Equal(written, read);
            if (frontend.Properties.Discard)
            {
                Assert.Equal(BlkifStatus.Okay, await frontend.DiscardAsync(1024, 512).WaitAsync(BlockPair.Patience));
                Assert.Equal(BlkifStatus.Okay, await frontend.ReadAsync(1024, read).WaitAsync(BlockPair.Patience));
                Assert.True(read.AsSpan().IndexOfAnyExcept((byte)0) < 0);
            }

            pair.Close(frontend);
        }

        Assert.Equal(written, File.ReadAllBytes(image.Path)[(64 * 512)..((64 * 512) + written.Length)]);
    }

    [Fact]
    public void Device_IsWrittenByOneOnly()
    {
        using TempImage image = new();
        using Loop? loop = Loop.Of(image.Path, output);
        if (loop is null)
            return;
        Assert.Null(BlockStorage.Open(loop.Path, null, readOnly: false, shared: false, out IBlockStorage? first));
        using (first)
            Assert.Contains("is in use by", BlockStorage.Open(loop.Path, null, readOnly: false, shared: false, out _), StringComparison.Ordinal);
        Assert.Null(BlockStorage.Open(loop.Path, null, readOnly: false, shared: false, out IBlockStorage? second));
        second!.Dispose();
    }

    [Fact]
    public void Device_ThatGrows_IsSeen()
    {
        using TempImage image = new();
        using Loop? loop = Loop.Of(image.Path, output);
        if (loop is null)
            return;
        Assert.Null(BlockStorage.Open(loop.Path, null, readOnly: false, shared: false, out IBlockStorage? storage));
        using (storage)
        {
            using (FileStream file = new(image.Path, FileMode.Open))
                file.SetLength(2 << 20);
            Assert.Equal("", Loop.Setup("--set-capacity", loop.Path).Output);
            Assert.True(storage!.Refresh());
            Assert.Equal(2 << 20, storage.Size);
        }
    }

    [Fact]
    public void Device_ThatIsReadOnly_IsRefusedForWriting()
    {
        using TempImage image = new();
        using Loop? loop = Loop.Of(image.Path, output, "--read-only");
        if (loop is null)
            return;
        Assert.Contains($"{loop.Path} is read-only", BlockStorage.Open(loop.Path, null, readOnly: false, shared: false, out IBlockStorage? none), StringComparison.Ordinal);
        Assert.Null(none);
        Assert.Null(BlockStorage.Open(loop.Path, null, readOnly: true, shared: false, out IBlockStorage? storage));
        using (storage)
        {
            byte[] memory = GC.AllocateArray<byte>(4096, pinned: true);
            Assert.Equal(XenErrno.OK, storage!.Read(0, [IoVector.Of(memory)]));
            Assert.Equal(image.Content[..4096], memory);
        }
    }

    [Fact]
    public void Device_WithNothingBehindIt_IsNamed()
    {
        using TempImage image = new();
        using Loop? loop = Loop.Of(image.Path, output);
        if (loop is null)
            return;
        string path = loop.Path;
        loop.Dispose();
        string? error = BlockStorage.Open(path, null, readOnly: false, shared: false, out IBlockStorage? storage);
        storage?.Dispose();
        Assert.Contains(path, error, StringComparison.Ordinal);
    }

    /// <summary>A loop device of the test's own.</summary>
    private sealed class Loop : IDisposable
    {
        private bool _disposed;

        private Loop(string path) => Path = path;

        public string Path { get; }

        public static Loop? Of(string file, ITestOutputHelper output, params string[] options)
        {
            (int code, string text) = Setup(["--find", "--show", .. options, file]);
            if (code == 0)
                return new Loop(text.Trim());
            output.WriteLine("skipped: no loop device, which needs root: " + text.Trim());
            return null;
        }

        public static (int Code, string Output) Setup(params string[] arguments)
        {
            try
            {
                ProcessStartInfo start = new("losetup", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
                using Process process = Process.Start(start)!;
                string text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
                process.WaitForExit();
                return (process.ExitCode, text);
            }
            catch (Win32Exception e)
            {
                return (127, e.Message);
            }
        }

        public void Dispose()
        {
            if (!_disposed)
                Setup("--detach", Path);
            _disposed = true;
        }
    }
}
