using System.IO.Compression;
using Xen.Builder.Images;

namespace Xen.Dom0.Tests.Builder;

/// <summary>Files that are no kernel are refused by name, cause and remedy.</summary>
public sealed class ImageFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xen-images-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Load_ReadsAKernelFile()
    {
        var path = Put("kernel", Kernels.Elf());

        Assert.Equal(path, KernelImage.Load(path).Name);
    }

    [Fact]
    public void Load_ReadsAGzippedKernelFile()
    {
        var path = Put("kernel.gz", Gzip(Kernels.Elf()));

        Assert.Equal(Kernels.Image().Entry, KernelImage.Load(path).Entry);
    }

    [Fact]
    public void Missing_IsSaid() => Refused(Path.Combine(_folder, "none"), "no such file");

    [Fact]
    public void MissingFolder_IsSaid() => Refused(Path.Combine(_folder, "none", "vmlinuz"), "no such file");

    [Fact]
    public void Directory_IsSaid() => Refused(_folder, "is a directory");

    [Fact]
    public void Empty_IsSaid() => Refused(Put("empty", []), "empty");

    [Fact]
    public void Device_IsSaid() => Refused("/dev/null", "empty");

    [Fact]
    public void NameWithNul_IsSaid() => Refused("a\0b", "cannot be read");

    [Fact]
    public void TooLarge_IsSaid()
    {
        var path = Put("large", []);
        using (var file = File.OpenWrite(path))
        {
            file.SetLength(ImageFile.MaxSize + 1);
        }

        Refused(path, "more than the 512 MiB");
    }

    [Fact]
    public void Text_IsNoKernel() => Refused(Put("text", "#!/bin/sh\n"u8.ToArray()), "not a kernel (neither an ELF file nor a bzImage)");

    [Fact]
    public void XzFile_IsSaidToBeOne() => Refused(Put("k.xz", [0xFD, .. "7zXZ\0"u8, 1, 2, 3]), "is xz-compressed data");

    [Fact]
    public void GzipOfSomethingElse_IsSaid() => Refused(
        Put("text.gz", Gzip("hello"u8.ToArray())), "gzip file of something that is not an ELF kernel");

    [Fact]
    public void Hostile_GzipCutShort_IsDamaged()
    {
        var gzip = Gzip(Kernels.Elf());

        foreach (var length in new[] { 3, 12, gzip.Length / 2, gzip.Length - 1 })
        {
            Refused(Put("cut.gz", gzip[..length]), "gzip payload is damaged");
        }
    }

    private static byte[] Gzip(byte[] content)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    private static void Refused(string path, string cause)
    {
        var refusal = Assert.Throws<ImageException>(() => KernelImage.Load(path));
        Assert.Contains(cause, refusal.Message, StringComparison.Ordinal);
        Assert.StartsWith(path + ": ", refusal.Message, StringComparison.Ordinal);
        Assert.NotEmpty(refusal.Remedy);
    }

    private string Put(string name, byte[] content)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
