using System.Diagnostics;
using System.Security.Cryptography;

namespace Xen.Boot.Tests;

/// <summary>An image file of a test's own, and what the host's tools say about it.</summary>
internal sealed class DiskImage : IDisposable
{
    private const int MiB = 1 << 20;

    private DiskImage(string path) => Path = path;

    public string Path { get; }

    /// <summary>An empty disk.</summary>
    public static DiskImage Empty(int megabytes)
    {
        var image = new DiskImage(NewPath());
        using FileStream file = File.Create(image.Path);
        file.SetLength((long)megabytes * MiB);
        return image;
    }

    /// <summary>A disk with an ext4 file system that is empty.</summary>
    public static DiskImage Ext4(int megabytes)
    {
        DiskImage image = Empty(megabytes);
        Run("mke2fs", "-q", "-F", "-t", "ext4", image.Path);
        return image;
    }

    /// <summary>A copy of a file that scripts/make-debian-image has put into the cache.</summary>
    public static DiskImage CopyOf(string cached)
    {
        var image = new DiskImage(NewPath());
        Run("cp", "--sparse=always", Repository.Cached(cached), image.Path);
        return image;
    }

    /// <summary>The SHA-256 of a file in the image's ext4 file system, as sha256sum prints it.</summary>
    public string HashOf(string file)
    {
        string copy = NewPath();
        try
        {
            Run("debugfs", "-R", $"dump {file} {copy}", Path);
            return Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(copy)));
        }
        finally
        {
            File.Delete(copy);
        }
    }

    /// <summary>Asserts that the ext4 file system needs no repair.</summary>
    public void AssertClean() => Run("e2fsck", "-fn", Path);

    public void Dispose() => File.Delete(Path);

    private static string NewPath() => System.IO.Path.Combine(System.IO.Path.GetTempPath(), "xen-disk-" + Guid.NewGuid().ToString("n") + ".img");

    private static void Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);

        // Tools for file systems are in a folder that is not in everybody's path.
        start.Environment["PATH"] += ":/usr/sbin:/sbin";
        if (File.Exists("/usr/sbin/" + program))
            start.FileName = "/usr/sbin/" + program;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {process.ExitCode}\n{output.Result}{error.Result}");
    }
}
