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
    private readonly XendConnection _connection;

    private RunningXend(DirectoryInfo folder, XendHost host, XendConnection connection) => (_folder, Host, _connection) = (folder, host, connection);

    public XendHost Host { get; }

    public Xend.XendClient Client => _connection.Client;

    public string Folder => _folder.FullName;

    public XenPaths Paths => PathsIn(_folder.FullName);

    public static async Task<RunningXend> StartAsync(int memoryMiB = 256)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("xend-");
        XendHost host = await StartIn(folder.FullName, memoryMiB);
        XendConnection connection = (await XendConnection.TryOpenAsync(PathsIn(folder.FullName).ServiceSocket, CancellationToken.None))!;
        return new RunningXend(folder, host, connection);
    }

    public static Task<XendHost> StartIn(string folder, int memoryMiB = 256) =>
        XendHost.StartAsync(new XendOptions(PathsIn(folder)) { MemoryMiB = memoryMiB }, LocalToolstack.Start, watched: null);

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

    /// <summary>Emits a loop that waits for ever.</summary>
    public static void Idle(GuestAssembler guest)
    {
        Label again = guest.Code.CreateLabel();
        guest.Code.Label(ref again);
        guest.Block();
        guest.Code.jmp(again);
    }

    /// <summary>Creates a domain of 64 MiB.</summary>
    public async Task<CreateDomainReply> CreateAsync(string name, string kernel, bool paused = false)
    {
        var request = new CreateDomainRequest
        {
            Config = $"kernel = '{kernel}'\nmemory = 64\non_crash = 'destroy'\non_reboot = 'destroy'\n",
            Source = "test.cfg",
            WorkingFolder = Folder,
            StartPaused = paused,
        };
        request.Overrides.Add("name=" + name);
        return await Client.CreateDomainAsync(request);
    }

    public async ValueTask DisposeAsync()
    {
        _connection.Dispose();
        await Host.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static XenPaths PathsIn(string folder) => new(Path.Combine(folder, "run"), Path.Combine(folder, "log"), []);
}
