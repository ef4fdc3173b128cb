using System.Globalization;
using Xen.Abi;
using Xen.Drivers.Console;

namespace Xen.Toolstack;

/// <summary>Makes consoles: their host's end for the life of a domain's name, and the devices of those beyond the first.</summary>
internal static class ConsoleFactory
{
    /// <summary>What a frontend finds in its folder and the toolstack alone writes, as Xen's tools do. <b>Source</b>: libxl, console devices.</summary>
    private static readonly (string Name, string Value)[] ToolstackNodes =
        [("limit", DomainNodes.ConsoleLimit), ("type", DomainNodes.ConsoleType), ("output", "pty"), ("tty", "")];

    /// <summary>Makes the host's end of each console of a domain.</summary>
    /// <param name="config">The domain.</param>
    /// <param name="logFolder">Where logs are that have no path of their own, or null for nowhere.</param>
    /// <param name="log">Told what the operator should know, in sentences.</param>
    /// <exception cref="ToolstackException">A log cannot be opened.</exception>
    public static IReadOnlyList<DomainConsole> CreateAll(DomainConfig config, string? logFolder, Action<string> log)
    {
        List<DomainConsole> made = [];
        try
        {
            for (int number = 0; number < config.Consoles.Count; number++)
            {
                string who = $"console {DomainNodes.Text(number)}: ";
                made.Add(new DomainConsole(OpenLog(config, number, logFolder, sentence => log(who + sentence))));
            }

            return made;
        }
        catch
        {
            made.ForEach(static console => console.Dispose());
            throw;
        }
    }

    /// <summary>Gives a domain a console beyond its first.</summary>
    /// <exception cref="ToolstackException">The store refuses.</exception>
    public static VirtualDevice Create(Dom0Services dom0, DomId domain, int number, ConsoleConfig config, ConsolePipe pipe)
    {
        (string Name, string Value)[] name = config.Name is null ? [] : [("name", config.Name)];
        return VirtualDevice.Create(
            dom0,
            new DeviceNodes(ConsoleDevice.Kind, domain, number),
            new ConsoleDevice(pipe),
            null,
            [("protocol", ConsoleDevice.Protocol), .. name],
            [("protocol", ConsoleDevice.Protocol)],
            [.. ToolstackNodes, .. name]);
    }

    /// <summary>Moves the logs that are called like their domain to its new name. One that cannot be moved stays where it is.</summary>
    /// <param name="consoles">The domain's consoles.</param>
    /// <param name="config">The domain, with its new name.</param>
    /// <param name="folder">Where such logs are.</param>
    /// <param name="log">Told what the operator should know, in sentences.</param>
    public static void RenameLogs(IReadOnlyList<DomainConsole> consoles, DomainConfig config, string? folder, Action<string> log)
    {
        for (int number = 0; number < consoles.Count; number++)
        {
            if (config.Consoles[number].LogPath is null && folder is not null && consoles[number].MoveLog(PathOf(config.Name, number, folder)) is { } fault)
                log(fault);
        }
    }

    private static string PathOf(string domain, int number, string folder) =>
        Path.Combine(folder, number == 0 ? $"guest-{domain}.log" : string.Create(CultureInfo.InvariantCulture, $"guest-{domain}-{number}.log"));

    private static ConsoleLog? OpenLog(DomainConfig config, int number, string? folder, Action<string> told)
    {
        ConsoleConfig console = config.Consoles[number];
        if (!console.IsLogged)
            return null;
        string what = string.Create(CultureInfo.InvariantCulture, $"the log of console {number} of domain '{config.Name}'");
        if (console.LogPath is null && folder is null)
            throw new ToolstackException($"{what} has no folder to be in: say log=PATH.");
        string path = console.LogPath ?? PathOf(config.Name, number, folder!);
        try
        {
            if (console.LogPath is null)
                Directory.CreateDirectory(folder!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return new ConsoleLog(path, console.LogBytes, told);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ToolstackException($"{what}, {path}, cannot be written: {e.Message.TrimEnd('.')}. Correct log= in its entry of console=, or leave it out.", e);
        }
    }
}
