using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>Disks that are copied on write: the image stays as it is, and each domain has its own copy for as long as it lives.</summary>
public sealed class DiskOverlayTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("xen-overlay-");
    private readonly string _image;
    private readonly DiskOverlays _overlays;

    public DiskOverlayTests()
    {
        _image = Path.Combine(_folder.FullName, "base.img");
        File.WriteAllBytes(_image, Enumerable.Repeat((byte)'b', 1 << 20).ToArray());
        _overlays = new DiskOverlays(Path.Combine(_folder.FullName, "overlays"));
    }

    private DiskConfig Disk => DomainConfigReader.ReadDisk($"{_image},raw,xvda,cow");

    [Fact]
    public void Access_IsReadAndWritten()
    {
        Assert.Equal(DiskAccess.CopyOnWrite, Disk.Access);
        Assert.Equal(DiskAccess.CopyOnWrite, DomainConfigReader.ReadDisk($"file:{_image},xvda,cow").Access);
        Assert.Contains("access=cow", Disk.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void EachDomain_HasItsOwnCopy_AndFindsItAgain()
    {
        Guid one = Guid.NewGuid(), other = Guid.NewGuid();
        DiskConfig first = _overlays.Open(one, Disk), second = _overlays.Open(other, Disk);
        Assert.NotEqual(first.Target, second.Target);
        Assert.NotEqual(_image, first.Target);
        Assert.Equal(DiskAccess.ReadWrite, first.Access);
        Assert.Equal(first, _overlays.Open(one, Disk));
        _overlays.Forget(one);
        Assert.False(File.Exists(first.Target));
        Assert.True(File.Exists(second.Target));
    }

    [Fact]
    public void ImageThatHasChanged_IsRefused_WhereTheCopyNeedsIt()
    {
        Guid domain = Guid.NewGuid();
        DiskConfig copy = _overlays.Open(domain, Disk);
        File.AppendAllText(_image, "more");
        if (copy.Format == DiskFormat.Qcow2)
            Assert.Contains("has changed since", Assert.Throws<ToolstackException>(() => _overlays.Open(domain, Disk)).Message, StringComparison.Ordinal);
        else
            Assert.Equal(copy, _overlays.Open(domain, Disk));
    }

    [Fact]
    public void AnotherImage_IsAnotherDisk()
    {
        Guid domain = Guid.NewGuid();
        DiskConfig first = _overlays.Open(domain, Disk);
        File.AppendAllText(first.Target, "what was written to the first");
        string other = Path.Combine(_folder.FullName, "other.img");
        File.WriteAllBytes(other, new byte[1 << 20]);
        DiskConfig second = _overlays.Open(domain, Disk with { Target = other });
        Assert.DoesNotContain("what was written", File.ReadAllText(second.Target), StringComparison.Ordinal);
        Assert.Equal(second, _overlays.Open(domain, Disk with { Target = other }));
    }

    [Fact]
    public void WhatNobodyKeeps_IsRemoved()
    {
        Guid kept = Guid.NewGuid(), runs = Guid.NewGuid(), dead = Guid.NewGuid();
        DiskConfig[] copies = [.. new[] { kept, runs, dead }.Select(domain => _overlays.Open(domain, Disk))];
        var names = new DomainNames();
        names.Take("runs", runs);
        _overlays.ForgetOthers(new HashSet<Guid> { kept }, names);
        Assert.Equal([true, true, false], copies.Select(static copy => File.Exists(copy.Target)));
    }

    [Fact]
    public void WhatCannotBeCopied_IsExplained()
    {
        DiskConfig missing = Disk with { Target = _image + ".none" };
        Assert.Contains("does not exist", Assert.Throws<ToolstackException>(() => _overlays.Open(Guid.NewGuid(), missing)).Message, StringComparison.Ordinal);
        DiskConfig wrong = Disk with { Format = DiskFormat.Qcow2 };
        Assert.Contains("cannot be copied on write", Assert.Throws<ToolstackException>(() => _overlays.Open(Guid.NewGuid(), wrong)).Message, StringComparison.Ordinal);
        Assert.Contains("no place", Assert.Throws<ToolstackException>(() => new DiskOverlays(null).Open(Guid.NewGuid(), Disk)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
