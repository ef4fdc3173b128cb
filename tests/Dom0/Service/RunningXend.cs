using Iced.Intel;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.GuestKit.Assembly;
using Xen.Service;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Service;

/// <summary>A xend in this process, with folders of its own, and a client of it.</summary>
internal sealed class RunningXend : IAsyncDisposable
{
    /// <summary>How long anything may take on a slow, busy machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly DirectoryInfo _folder;
    private readonly bool _ownsFolder;
    private readonly XendConnection _connection;

    private RunningXend(DirectoryInfo folder, bool ownsFolder, XendHost host, XendConnection connection) =>
        (_folder, _ownsFolder, Host, _connection) = (folder, ownsFolder, host, connection);

    public XendHost Host { get; }

    public Xend.XendClient Client => _connection.Client;

    public string Folder => _folder.FullName;

    public XenPaths Paths => PathsIn(_folder.FullName);

    /// <param name="memoryMiB">Memory for guests.</param>
    /// <param name="configure">Changes what it is told.</param>
    /// <param name="reachable">Whether its folder is open to other users.</param>
    public static Task<RunningXend> StartAsync(int memoryMiB = 256, Func<XendOptions, XendOptions>? configure = null, bool reachable = false)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("xend-");
        if (reachable)
            folder.UnixFileMode |= UnixFileMode.GroupExecute | UnixFileMode.OtherExecute | UnixFileMode.OtherRead;
        return StartAsync(folder, ownsFolder: true, memoryMiB, configure);
    }

    /// <summary>Starts one in folders that outlive it.</summary>
    public static Task<RunningXend> StartAsync(string folder, int memoryMiB, Func<XendOptions, XendOptions>? configure) =>
        StartAsync(new DirectoryInfo(folder), ownsFolder: false, memoryMiB, configure);

    private static async Task<RunningXend> StartAsync(DirectoryInfo folder, bool ownsFolder, int memoryMiB, Func<XendOptions, XendOptions>? configure)
    {
        XendHost host = await StartIn(folder.FullName, memoryMiB, configure);
        XendConnection connection = (await XendConnection.TryOpenAsync(PathsIn(folder.FullName).ServiceSocket, CancellationToken.None))!;
        return new RunningXend(folder, ownsFolder, host, connection);
    }

    public static Task<XendHost> StartIn(string folder, int memoryMiB = 256, Func<XendOptions, XendOptions>? configure = null)
    {
        var options = new XendOptions(PathsIn(folder)) { MemoryMiB = memoryMiB };
        return XendHost.StartAsync(configure?.Invoke(options) ?? options, LocalToolstack.Start, watched: null);
    }

    /// <summary>Another client.</summary>
    public async Task<XendConnection> ConnectAsync() => (await XendConnection.TryOpenAsync(Paths.ServiceSocket, CancellationToken.None))!;

    /// <summary>Writes a kernel.</summary>
    /// <returns>Its file.</returns>
    public string WriteKernel(string name, Action<GuestAssembler> program)
    {
        var guest = new GuestAssembler();
        program(guest);
        string path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, guest.Build().Elf);
        return path;
    }

    /// <summary>A kernel that does nothing, for ever.</summary>
    public string WriteIdleKernel() => WriteKernel("idle", static guest => Idle(guest));

    /// <summary>A kernel that prints a line on its console and waits for ever.</summary>
    public string WriteTalker(string line) => WriteKernel("talker", guest =>
    {
        guest.PrintRing(line + "\r\n");
        Idle(guest);
    });

    /// <summary>Emits a loop that waits for ever.</summary>
    public static void Idle(GuestAssembler guest)
    {
        Label again = guest.Code.CreateLabel();
        guest.Code.Label(ref again);
        guest.Block();
        guest.Code.jmp(again);
    }

    /// <summary>Creates a domain of 64 MiB.</summary>
    public async Task<CreateDomainReply> CreateAsync(string name, string kernel, bool paused = false) => await Client.CreateDomainAsync(Request(name, kernel, paused));

    /// <summary>What xend has logged so far.</summary>
    public Task<string> ReadLogAsync() => File.ReadAllTextAsync(Paths.ServiceLog);

    /// <summary>Waits until xend has logged something.</summary>
    public async Task WhenLoggedAsync(string text)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var changes = new FileSystemWatcher(Paths.LogFolder);
        using var changed = new SemaphoreSlim(0);
        changes.Changed += (_, _) => changed.Release();
        changes.EnableRaisingEvents = true;
        while (!(await ReadLogAsync()).Contains(text, StringComparison.Ordinal))
            await changed.WaitAsync(patience.Token);
    }

    /// <summary>Asks for a domain of 64 MiB.</summary>
    public CreateDomainRequest Request(string name, string kernel, bool paused = false)
    {
        var request = new CreateDomainRequest
        {
            Config = $"kernel = '{kernel}'\nmemory = 64\non_crash = 'destroy'\non_reboot = 'destroy'\n",
            Source = "test.cfg",
            WorkingFolder = Folder,
            StartPaused = paused,
        };
        request.Overrides.Add("name=" + name);
        return request;
    }

    public async ValueTask DisposeAsync()
    {
        _connection.Dispose();
        await Host.DisposeAsync();
        if (_ownsFolder)
            _folder.Delete(recursive: true);
    }

    private static XenPaths PathsIn(string folder) => new(Path.Combine(folder, "run"), Path.Combine(folder, "log"), [Path.Combine(folder, "etc")])
    {
        StateFolder = Path.Combine(folder, "state"),
    };
}
