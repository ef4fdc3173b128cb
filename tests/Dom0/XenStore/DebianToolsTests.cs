using System.Diagnostics;
using Xen.Abi;
using Xen.XenStore;

namespace Xen.Dom0.Tests.XenStore;

/// <summary>Debian's xenstore-utils, unmodified, are clients of the store.</summary>
public sealed class DebianToolsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xst").FullName;
    private readonly StoreServer _server = new();
    private readonly StoreSocketServer _sockets;

    public DebianToolsTests() => _sockets = new StoreSocketServer(_server, Path.Combine(_folder, "socket"));

    public void Dispose()
    {
        _sockets.Dispose();
        _server.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void WriteReadListExistsAndRm_WorkTogether()
    {
        Assert.Equal("", Run("xenstore-write", "/a/b", "hello", "/a/c", "two words"));
        Assert.Equal("hello\ntwo words\n", Run("xenstore-read", "/a/b", "/a/c"));
        Assert.Equal("b\nc\n", Run("xenstore-list", "/a"));
        Assert.Equal(0, Exit("xenstore-exists", "/a/b"));
        Assert.Equal(1, Exit("xenstore-exists", "/a/x"));
        Run("xenstore-rm", "/a/b");
        Assert.Equal(1, Exit("xenstore-exists", "/a/b"));
        Assert.Equal("c\n", Run("xenstore-list", "/a"));
        Run("xenstore-rm", "-t", "/a/c");
        Assert.Equal(1, Exit("xenstore-exists", "/a"));
        Assert.Equal(1, Exit("xenstore-read", "/none"));
    }

    [Fact]
    public void Ls_ShowsTheTreeWithPermissions()
    {
        Run("xenstore-write", "/a/b", "1", "/a/c/d", "2");
        Run("xenstore-chmod", "/a/b", "n5", "r6");
        Assert.Equal("b = \"1\"\nc = \"\"\n d = \"2\"\n", Run("xenstore-ls", "/a"));
        Assert.Equal("/a/b = \"1\"   (n5,r6)\n/a/c = \"\"   (n0)\n/a/c/d = \"2\"   (n0)\n", Run("xenstore-ls", "-f", "-p", "/a"));
    }

    [Fact]
    public void Chmod_ChangesAllBelowInATransaction()
    {
        Run("xenstore-write", "/a/b/c", "1");
        Run("xenstore-chmod", "-r", "/a", "r7");
        using LocalStorePort port = _server.OpenPort(new DomId(8));
        Assert.Equal(XenErrno.OK, port.Read("/a/b/c", out string value));
        Assert.Equal("1", value);
    }

    [Fact]
    public void Ls_OfALongList_IsComplete()
    {
        using LocalStorePort port = _server.OpenPort(DomId.Dom0);
        string[] names = [.. Enumerable.Range(0, 2000).Select(i => $"child{i:d5}")];
        foreach (string name in names)
            port.Write("/long/" + name, "x");
        Assert.Equal(names, Run("xenstore-list", "/long").Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(2000, Run("xenstore-ls", "/long").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public void Watch_PrintsChanges()
    {
        using LocalStorePort port = _server.OpenPort(DomId.Dom0);
        using Process watch = Start("xenstore-watch", "-n", "3", "/a");
        Assert.Equal("/a", watch.StandardOutput.ReadLine());
        port.Write("/a/b", "1");
        Assert.Equal("/a/b", watch.StandardOutput.ReadLine());
        port.Remove("/a");
        Assert.Equal("/a", watch.StandardOutput.ReadLine());
        Assert.True(watch.WaitForExit(30_000));
        Assert.Equal(0, watch.ExitCode);
    }

    private string Run(string tool, params string[] arguments)
    {
        using Process process = Start(tool, arguments);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{tool} {string.Join(' ', arguments)}: {errors.Result}");
        return text;
    }

    private int Exit(string tool, params string[] arguments)
    {
        using Process process = Start(tool, arguments);
        _ = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }

    private Process Start(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["XENSTORED_PATH"] = _sockets.Path;
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException($"{tool} cannot be run: install Debian's package xenstore-utils.", e);
        }
    }
}
