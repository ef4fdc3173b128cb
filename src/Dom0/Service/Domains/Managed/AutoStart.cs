using Xen.Contract;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>Starts with xend what shall start with it: managed domains that say so (on_xend_start), then the configurations in auto/.</summary>
internal sealed class AutoStart(XenPaths paths, DomainRegistry domains, XendLog log)
{
    /// <summary>The longest configuration. <b>Units</b>: bytes.</summary>
    private const int MostBytes = 1 << 20;

    private readonly Lock _lock = new();
    private bool _begun;

    /// <summary>Completes when all that shall be started has been, or could not be; at once before <see cref="Begin"/>.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Begins to start them, the first time that it is called; clients need not wait for it.</summary>
    public void Begin()
    {
        lock (_lock)
        {
            if (_begun)
                return;
            _begun = true;
            Completion = Task.Factory.StartNew(() => domains.Hold(Run), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
    }

    /// <summary>Starts them one after the other, by name; one that cannot be started is said in the log.</summary>
    private void Run()
    {
        foreach (DomainDefinition definition in domains.Definitions.All.Where(static definition => definition.StartsWithXend))
            Start(definition.Name, () => domains.Start(definition.Name, out _));
        foreach (string file in Files())
            Start(file, () => StartFile(file));
    }

    private IReadOnlyList<string> Files()
    {
        try
        {
            return paths.AutoFolder is { } folder && Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder).Where(IsConfiguration).Order(StringComparer.Ordinal)] : [];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            log.Write($"the domains of {paths.AutoFolder} are not started: {fault.Message}");
            return [];
        }
    }

    /// <summary>Not what editors and package managers leave behind.</summary>
    private static bool IsConfiguration(string path) =>
        Path.GetFileName(path) is var name && !name.StartsWith('.') && !name.EndsWith('~') && !name.Contains(".dpkg-", StringComparison.Ordinal);

    private ManagedDomain? StartFile(string path)
    {
        if (new FileInfo(path).Length > MostBytes)
            throw new ToolstackException("it is no configuration, but too long.");

        // As a shell would see it that follows the link: paths in it begin beside the file itself.
        string file = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        DomainConfig config = DomainConfigReader.Read(ConfigFile.Parse(File.ReadAllText(file), file, [], Path.GetDirectoryName(file)));
        if (domains.TryFind(config.Name) is not null)
            return null;
        return domains.Definitions.Find(config.Name) is null ? domains.Create(config) : domains.Start(config.Name, out _);
    }

    private void Start(string what, Func<ManagedDomain?> start)
    {
        try
        {
            if (start() is not { } domain)
                return;
            domain.Domain.Unpause();
            log.Write($"domain '{domain.Name}' ({domain.Domain.Id}) started with xend");
        }
        catch (Exception fault) when (fault is ToolstackException or NotFoundException or StoppingException or IOException or UnauthorizedAccessException)
        {
            log.Write($"{what} is not started: {fault.Message}");
        }
    }
}
