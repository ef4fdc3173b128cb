using Xen.Dom0.Tests.Builder;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>A domain's images are read while it is made: when they cannot be used, nothing of it is left.</summary>
public sealed class DomainImagesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xen-domain-").FullName;
    private readonly LocalToolstack _toolstack = LocalToolstack.Start(new MachineOptions(64));

    public void Dispose()
    {
        _toolstack.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("none", null, "none: there is no such file")]
    [InlineData("kernel", "none", "none: there is no such file")]
    [InlineData("damaged", "ramdisk", "the image is truncated")]
    [InlineData("kernel", "large", "too little for this kernel and its ramdisk")]
    public void Images_ThatCannotBeUsed_LeaveNothing(string kernel, string? ramdisk, string cause)
    {
        byte[] elf = Kernels.Elf();
        Put("kernel", elf);
        Put("damaged", elf[..^5000]);
        Put("ramdisk", new byte[5000]);
        using (FileStream large = File.Create(Path.Combine(_folder, "large")))
            large.SetLength(64 << 20);
        int free = _toolstack.Info.FreeMemoryMiB;

        ToolstackException refusal = Assert.Throws<ToolstackException>(() => _toolstack.CreateDomain(Config(kernel, ramdisk)));

        Assert.Contains(cause, refusal.Message, StringComparison.Ordinal);
        Assert.Empty(_toolstack.Domains);
        Assert.Equal(free, _toolstack.Info.FreeMemoryMiB);

        using IRunningDomain next = _toolstack.CreateDomain(Config("kernel", "ramdisk"));
        Assert.Single(_toolstack.Domains);
    }

    private DomainConfig Config(string kernel, string? ramdisk) => new()
    {
        Name = "guest", Kernel = Path.Combine(_folder, kernel), Ramdisk = ramdisk is null ? null : Path.Combine(_folder, ramdisk),
        CpuEngine = "interpreter", MemoryMiB = 64, MaxMemoryMiB = 64, Vcpus = 1, MaxVcpus = 1,
    };

    private void Put(string name, byte[] content) => File.WriteAllBytes(Path.Combine(_folder, name), content);
}
