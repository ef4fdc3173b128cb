using Xen.Drivers.Block.Storage;

namespace Xen.Drivers.Tests.Block;

/// <summary>A folder with a disk image in it, which goes with the test.</summary>
internal sealed class TempImage : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("blk-");

    public TempImage(int size = 1 << 20, int seed = 1)
    {
        Content = new byte[size];
        new Random(seed).NextBytes(Content);
        File.WriteAllBytes(Path, Content);
    }

    public string Path => InFolder("disk.img");

    /// <summary>What was in it at first.</summary>
    public byte[] Content { get; }

    public string InFolder(string name) => System.IO.Path.Combine(_folder.FullName, name);

    public RawFileStorage Open(bool readOnly = false, int sectorSize = 0)
    {
        Assert.Null(RawFileStorage.Open(Path, readOnly, shared: false, out RawFileStorage? storage, sectorSize));
        return storage!;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
