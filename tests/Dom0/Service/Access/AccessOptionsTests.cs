using Xen.Service;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Service;

/// <summary>What xend refuses to start with, before it touches anything.</summary>
public sealed class AccessOptionsTests
{
    [Theory]
    [InlineData(2, "'nonsense' is not ADDRESS:PORT", "--listen", "nonsense")]
    [InlineData(2, "'example.org:1' is not ADDRESS:PORT", "--listen=example.org:1")]
    [InlineData(2, "--tls-key is for --listen", "--tls-key", "x")]
    [InlineData(1, "there is no /none/server.crt: xm cert makes", "--listen=127.0.0.1:0", "--tls-cert=/none/server.crt")]
    [InlineData(1, "there is no group 'no-such-group'", "--socket-group=no-such-group")]
    [InlineData(1, "there is no group 'no-such-group'", "--readers-group=no-such-group")]
    public async Task WrongOptions_AreExplained(int code, string said, params string[] arguments)
    {
        StringWriter output = new(), error = new();
        Assert.Equal(code, await new XendCommandLine(output, error).RunAsync(["--foreground", .. arguments]));
        Assert.StartsWith("xend: " + said, error.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, error.ToString().Count(static c => c == '\n'));
    }

    [Fact]
    public void FolderThatTheGroupCannotReach_IsSaid()
    {
        DirectoryInfo closed = Directory.CreateTempSubdirectory("xend-");
        try
        {
            string folder = closed.CreateSubdirectory("run").FullName;
            ToolstackException fault = Assert.Throws<ToolstackException>(() => new UnixAccess(UnixGroup.Find("0"), null).OpenFolder(folder));
            Assert.Equal($"{folder} is out of reach for the group '0', for {closed.FullName} is closed to it: set XEN_RUNTIME_DIR to another folder.", fault.Message);
            new UnixAccess(null, null).OpenFolder(folder);
        }
        finally
        {
            closed.Delete(recursive: true);
        }
    }
}
