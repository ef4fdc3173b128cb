using Xen.Toolstack;

namespace Xen.Dom0.Tests.Config;

/// <summary>console= in configuration files and on the command line.</summary>
public sealed class ConsoleConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("xen-config-").FullName;

    public ConsoleConfigTests() => File.WriteAllText(Path.Combine(_folder, "vmlinuz"), "");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("console = ['']")]
    [InlineData("console = []")]
    [InlineData("console = None")]
    public void Nothing_IsOneConsoleWithoutLog(string line) => Assert.Equal([new ConsoleConfig()], Read(line).Consoles);

    [Fact]
    public void Entries_AreConsolesByNumber()
    {
        DomainConfig config = Read("console = ['', 'log', 'log=a/b.log, log_size=64K, name=debug', 'log=/tmp/c.log,log_size=5000']");
        Assert.Equal(
            [
                new ConsoleConfig(), new ConsoleConfig { IsLogged = true },
                new ConsoleConfig { IsLogged = true, LogPath = Path.Combine(_folder, "a/b.log"), LogBytes = 65536, Name = "debug" },
                new ConsoleConfig { IsLogged = true, LogPath = "/tmp/c.log", LogBytes = 5000 },
            ],
            config.Consoles);
        Assert.Equal($"log={_folder}/a/b.log,log_size=65536,name=debug", config.Consoles[2].ToString());
        string sxp = DomainConfigSxp.Write(config);
        Assert.Contains($"(console\n            (name {new StringValue("debug")})\n            (log {new StringValue(_folder + "/a/b.log")})\n            (log_size 65536)\n", sxp, StringComparison.Ordinal);
    }

    [Fact]
    public void CommandLine_NamesFilesInTheCurrentFolder() =>
        Assert.Equal(Path.GetFullPath("x.log"), Read("console = ['', '']", "console=['log=x.log']").Consoles.Single().LogPath);

    [Theory]
    [InlineData("console = ['log=']", "log= needs the path of a file")]
    [InlineData("console = ['log_size=4095']", "log_size must be a size from 4K to 1024G")]
    [InlineData("console = ['log_size=1025G']", "log_size must be")]
    [InlineData("console = ['log_size=99999999999999999999']", "log_size must be")]
    [InlineData("console = ['log_size=9223372036854775807G']", "log_size must be")]
    [InlineData("console = ['log_size=-4K']", "log_size must be")]
    [InlineData("console = ['log_size']", "log_size must be")]
    [InlineData("console = ['name=a/b']", "name must be")]
    [InlineData("console = ['name']", "name must be")]
    [InlineData("console = ['lgo']", "'lgo' is no key of a console")]
    [InlineData("console = 2", "console must be a list of strings")]
    [InlineData("console = ['', '', '', '', '', '', '', '', '']", "8 consoles at most")]
    [InlineData("console = ['log=x', 'log=./x']", "two consoles have the log")]
    public void Wrong_IsOneSentenceWithItsPlace(string line, string expected)
    {
        string message = Assert.Throws<ToolstackException>(() => Read(line)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.StartsWith(Path.Combine(_folder, "guest.cfg") + ":2: ", message, StringComparison.Ordinal);
    }

    private DomainConfig Read(string line, params string[] overrides) =>
        DomainConfigReader.Read(ConfigFile.Parse($"kernel = 'vmlinuz'\n{line}\n", Path.Combine(_folder, "guest.cfg"), overrides));
}
