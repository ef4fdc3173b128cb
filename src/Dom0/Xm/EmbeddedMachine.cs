using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>
/// A machine inside this process, made for one domain: holds the domain's name, keeps the hypervisor's log, answers other terminals.
/// A service takes this over one day; commands that ask about domains need not notice.
/// </summary>
internal sealed class EmbeddedMachine : IAsyncDisposable
{
    private readonly IToolstack _toolstack;
    private readonly DomainNameLock _nameLock;
    private readonly HypervisorLogFile? _log;
    private ControlServer? _control;

    private EmbeddedMachine(IToolstack toolstack, DomainNameLock nameLock, HypervisorLogFile? log)
    {
        _toolstack = toolstack;
        _nameLock = nameLock;
        _log = log;
    }

    /// <summary>The domain; there once <see cref="StartAsync"/> has returned.</summary>
    public IRunningDomain Domain { get; private set; } = null!;

    /// <summary>Starts a machine and builds the domain in it, paused.</summary>
    /// <exception cref="ToolstackException">The name is taken, or the domain cannot be built. Nothing is left behind.</exception>
    public static async Task<EmbeddedMachine> StartAsync(XmContext context, DomainConfig config)
    {
        XmPaths.MakePrivate(context.Paths.RuntimeFolder);
        DomainNameLock nameLock = DomainNameLock.Take(context.Paths.LockOf(config.Name), config.Name);
        EmbeddedMachine? machine = null;
        try
        {
            IToolstack toolstack = context.StartMachine(
                new MachineOptions(config.MaxMemoryMiB, config.CpuEngine)
                {
                    CodeCacheMiB = config.CodeCacheMiB,
                    TrunkFolder = context.Paths.RuntimeFolder, ConsoleLogFolder = context.Paths.ConsoleLogFolder,
                });
            machine = new EmbeddedMachine(toolstack, nameLock, OpenLog(context, toolstack, config.Name));
            OfferStore(context, toolstack, config.Name);
            machine.Domain = machine._toolstack.CreateDomain(config);
            var requests = new DomainRequests(toolstack, machine.Domain);
            machine._control = new ControlServer(context.Paths.SocketOf(config.Name), requests.AnswerAsync, requests.TryBegin);
            return machine;
        }
        catch
        {
            if (machine is not null)
                await machine.DisposeAsync().ConfigureAwait(false);
            else
                nameLock.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Its consoles end with it: who is at one sees the rest.
        Domain?.Destroy();
        if (_control is not null)
            await _control.DisposeAsync().ConfigureAwait(false);
        Domain?.Dispose();
        _toolstack.Dispose();
        _log?.Dispose();
        _nameLock.Dispose();
    }

    /// <summary>Offers the machine's xenstore by the domain's name, and where xenstore's tools look by themselves if no other machine does.</summary>
    private static void OfferStore(XmContext context, IToolstack toolstack, string name)
    {
        toolstack.ListenForStore(context.Paths.StoreSocketOf(name));
        if (context.Paths.DefaultStoreSocket is not { } path)
            return;
        try
        {
            XmPaths.MakePrivate(Path.GetDirectoryName(path)!);
            toolstack.ListenForStore(path);
        }
        catch (ToolstackException)
        {
            // Another machine's, then.
        }
    }

    private static HypervisorLogFile? OpenLog(XmContext context, IToolstack toolstack, string name)
    {
        string path = context.Paths.HypervisorLogOf(name);
        try
        {
            XmPaths.MakePrivate(context.Paths.LogFolder);
            return new HypervisorLogFile(toolstack, path);
        }
        catch (Exception e) when (e is ToolstackException or IOException or UnauthorizedAccessException)
        {
            context.Say($"warning: no log is kept, because {path} cannot be written: {e.Message}");
            return null;
        }
    }
}
