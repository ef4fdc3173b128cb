using System.Net.Sockets;
using Xen.Abi;
using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

public sealed class StorageTests
{
    [Fact]
    public void Open_OfWhatIsNotThere_SaysSo() => Assert.Equal("disk image /no/such.img does not exist", Open("/no/such.img"));

    [Fact]
    public void Open_OfADirectory_SaysSo()
    {
        using TempImage image = new();
        string folder = Path.GetDirectoryName(image.Path)!;
        Assert.Equal($"disk image {folder} is a directory", Open(folder));
        Assert.Equal($"disk image {folder} is a directory", BlockStorage.Open(folder, "raw", readOnly: true, shared: false, out _));
        Assert.Equal($"disk image {folder} is a directory", BlockStorage.Open(folder, "qcow2", readOnly: true, shared: false, out _));
    }

    [Fact]
    public void Open_OfNothing_SaysSo()
    {
        using TempImage image = new(0);
        Assert.Contains("is empty", Open(image.Path), StringComparison.Ordinal);
        Assert.Contains("no target", Open(""), StringComparison.Ordinal);
        Assert.Contains("is empty", BlockStorage.Open("/dev/zero", null, readOnly: true, shared: false, out _), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OfASocket_SaysThatItIsNoFile()
    {
        using TempImage image = new(0);
        string path = image.InFolder("socket");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        Assert.Contains(path, Open(path), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_OfAnUnknownFormat_ListsTheKnown()
    {
        using TempImage image = new();
        string? error = BlockStorage.Open(image.Path, "floppy", readOnly: false, shared: false, out IBlockStorage? storage);
        Assert.Contains("raw, qcow, qcow2", error, StringComparison.Ordinal);
        Assert.Null(storage);
    }

    [Fact]
    public void Image_IsWrittenByOneOnly()
    {
        using TempImage image = new();
        using (IBlockStorage first = Opened(image.Path))
        {
            Assert.Contains("in use by another domain", Open(image.Path), StringComparison.Ordinal);
            Assert.Contains("in use for writing", BlockStorage.Open(image.Path, "raw", readOnly: true, shared: false, out _), StringComparison.Ordinal);
            Assert.Null(BlockStorage.Open(image.Path, "raw", readOnly: false, shared: true, out IBlockStorage? shared));
            shared!.Dispose();
        }

        Opened(image.Path).Dispose();
    }

    [Fact]
    public void Image_IsReadByMany_AndNotWrittenMeanwhile()
    {
        using TempImage image = new();
        using IBlockStorage first = Opened(image.Path, readOnly: true), second = Opened(image.Path, readOnly: true);
        Assert.Contains("in use by another domain", Open(image.Path), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ThatFailed_HoldsNoLock()
    {
        using TempImage image = new(100);
        Assert.Contains("is empty", Open(image.Path), StringComparison.Ordinal);
        File.WriteAllBytes(image.Path, new byte[4096]);
        Opened(image.Path).Dispose();
    }

    [Fact]
    public void Size_IsWholeSectorsOnly()
    {
        using TempImage image = new((512 * 9) + 100);
        using (RawFileStorage storage = image.Open())
            Assert.Equal(512 * 9, storage.Size);
        using (RawFileStorage storage = image.Open(sectorSize: 4096))
            Assert.Equal(4096, storage.Size);
    }

    [Fact]
    public void Raw_IsHonouredWhateverTheMagic()
    {
        using TempImage image = new();
        using (FileStream file = new(image.Path, FileMode.Open))
            file.Write("QFI\xfb"u8);
        using IBlockStorage storage = Opened(image.Path);
        Assert.Equal(1 << 20, storage.Size);
    }

    [Fact]
    public void Vectors_AreReadAndWrittenInOrder()
    {
        using TempImage image = new();
        using RawFileStorage storage = image.Open();
        byte[] memory = GC.AllocateArray<byte>(16384, pinned: true);
        IoVector[] vectors = [IoVector.Of(memory.AsSpan(8192, 512)), IoVector.Of(memory.AsSpan(0, 4096)), IoVector.Of(memory.AsSpan(4096, 1024))];
        Assert.Equal(XenErrno.OK, storage.Read(1024, vectors));
        Assert.Equal(image.Content[1024..1536], memory[8192..8704]);
        Assert.Equal(image.Content[1536..(1536 + 5120)], memory[..5120]);
        Assert.Equal(XenErrno.OK, storage.Write(100 * 512, vectors));
        Assert.Equal(image.Content[1024..(1024 + 5632)], File.ReadAllBytes(image.Path)[(100 * 512)..((100 * 512) + 5632)]);
        Assert.Equal(XenErrno.OK, storage.Flush());
    }

    private static string? Open(string path)
    {
        string? error = BlockStorage.Open(path, null, readOnly: false, shared: false, out IBlockStorage? storage);
        Assert.Equal(error is null, storage is not null);
        storage?.Dispose();
        return error;
    }

    private static IBlockStorage Opened(string path, bool readOnly = false)
    {
        Assert.Null(BlockStorage.Open(path, "raw", readOnly, shared: false, out IBlockStorage? storage));
        return storage!;
    }
}
