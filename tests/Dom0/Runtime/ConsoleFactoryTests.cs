using Xen.Abi;
using Xen.Core;
using Xen.Drivers.Console;
using Xen.Rings;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Runtime;

/// <summary>What the toolstack makes of console=: nodes, files, and what is left of them.</summary>
public sealed class ConsoleFactoryTests : IDisposable
{
    private const string Front = "/local/domain/7/device/console/2", Back = "/local/domain/0/backend/console/7/2";

    private static readonly DomId Guest = new(7);

    private readonly string _folder = Directory.CreateTempSubdirectory("xen-console-").FullName;
    private readonly Machine _machine = new(new MachineConfig(1024, 1, static _ => new MachinePortsTests.NoEngine()));
    private readonly Dom0Services _dom0;

    public ConsoleFactoryTests() => _dom0 = new Dom0Services(_machine);

    public void Dispose()
    {
        _dom0.Dispose();
        _machine.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Device_HasTheNodesOfXensTools_AndTheGuestWritesOnlyItsOwn()
    {
        using ConsolePipe pipe = new();
        VirtualDevice device = ConsoleFactory.Create(_dom0, Guest, 2, new ConsoleConfig { Name = "debug" }, pipe);
        foreach ((string name, string value) in new[] { ("limit", "1048576"), ("type", "xenconsoled"), ("output", "pty"), ("tty", ""), ("name", "debug") })
        {
            Assert.Equal(value, Read($"{Front}/{name}"));
            Assert.Equal(XenErrno.OK, _dom0.Store.GetPermissions($"{Front}/{name}", out IReadOnlyList<StorePermission> permissions));
            Assert.Equal([new StorePermission(DomId.Dom0, StoreAccess.None), new StorePermission(Guest, StoreAccess.Read)], permissions);
        }

        Assert.Equal(("vt100", "1", Back, "0"), (Read(Front + "/protocol"), Read(Front + "/state"), Read(Front + "/backend"), Read(Front + "/backend-id")));
        Assert.Equal(("vt100", "7", Front, "1", "debug"), (Read(Back + "/protocol"), Read(Back + "/frontend-id"), Read(Back + "/frontend"), Read(Back + "/online"), Read(Back + "/name")));
        _dom0.Store.Write("/local/domain/0/error/backend/console/7/2/error", "22 something");
        device.Dispose();
        foreach (string path in new[] { Front, Back, "/local/domain/0/error/backend/console/7/2" })
            Assert.Equal(XenErrno.ENOENT, _dom0.Store.Read(path, out _));
    }

    [Fact]
    public void Logs_AreWhereTheyAreSaidToBe_OrWhereConsolesLogs()
    {
        DomainConfig config = Config(new ConsoleConfig { IsLogged = true }, new ConsoleConfig { IsLogged = true }, new ConsoleConfig { IsLogged = true, LogPath = Path.Combine(_folder, "own.log") }, new ConsoleConfig());
        string usual = Path.Combine(_folder, "console");
        foreach (DomainConsole console in ConsoleFactory.CreateAll(config, usual, _ => { }))
            console.Dispose();
        Assert.Equal(["guest-web-1.log", "guest-web.log"], Directory.GetFiles(usual).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(["own.log"], Directory.GetFiles(_folder).Select(Path.GetFileName));
    }

    [Fact]
    public void Log_ThatCannotBe_IsOneSentence()
    {
        DomainConfig config = Config(new ConsoleConfig(), new ConsoleConfig { IsLogged = true, LogPath = "/proc/nowhere/x.log" });
        string message = Assert.Throws<ToolstackException>(() => ConsoleFactory.CreateAll(config, _folder, _ => { })).Message;
        Assert.StartsWith("the log of console 1 of domain 'web', /proc/nowhere/x.log, cannot be written: ", message, StringComparison.Ordinal);
        Assert.EndsWith("Correct log= in its entry of console=, or leave it out.", message, StringComparison.Ordinal);
        config = Config(new ConsoleConfig { IsLogged = true });
        Assert.Contains("say log=PATH", Assert.Throws<ToolstackException>(() => ConsoleFactory.CreateAll(config, null, _ => { })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Console_IsForOneAtATime_AndTheGuestWaitsForNobodyAfterwards()
    {
        using DomainConsole console = new();
        IDisposable? hold = console.TryTake();
        Assert.NotNull(hold);
        Assert.Null(console.TryTake());
        hold.Dispose();
        using IDisposable? next = console.TryTake();
        Assert.NotNull(next);

        // The first one's end, once more, is not the second one's.
        hold.Dispose();
        Assert.Null(console.TryTake());
    }

    private static DomainConfig Config(params ConsoleConfig[] consoles) => new() { Name = "web", Kernel = "/vmlinuz", Consoles = consoles };

    private string Read(string path)
    {
        Assert.Equal(XenErrno.OK, _dom0.Store.Read(path, out string value));
        return value;
    }
}
