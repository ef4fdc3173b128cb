namespace Xen.Boot.Tests;

/// <summary>Where things lie: the checkout, the program under test, the cache of fetched kernels.</summary>
internal static class Repository
{
    /// <summary>The folder with Xen.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The xm that was built with these tests, the one that people run: a release build compiles it ahead of time.</summary>
    public static string Xm => IsDebug ? Path.Combine(Root, "src/Dom0/Xm/bin/Debug/net10.0/xm") : Path.Combine(Root, "src/Dom0/bin/ready/xm");

    /// <summary>The folder of its xend. A release has both in one.</summary>
    public static string XendFolder => Path.Combine(Root, IsDebug ? "src/Dom0/Service/bin/Debug/net10.0" : "src/Dom0/bin/ready");

    private static bool IsDebug => AppContext.BaseDirectory.Contains("/Debug/", StringComparison.Ordinal);

    /// <summary>A file that scripts/fetch-guests or scripts/make-initramfs has put into the cache.</summary>
    public static string Cached(string name)
    {
        string cache = Environment.GetEnvironmentVariable("XEN_SLN_CACHE") is { Length: > 0 } set ? set : Path.Combine(Root, ".cache");
        string path = Path.Combine(cache, name);
        Assert.True(File.Exists(path), $"{path} is missing: run scripts/fetch-guests all and scripts/make-initramfs");
        return path;
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Xen.sln")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("the tests do not run inside of the checkout");
    }
}
