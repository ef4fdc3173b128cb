using System.Diagnostics;
using System.Globalization;
using System.Text;
using Iced.Intel;
using Xen.Contract;
using Xen.Contract.V1;
using Xen.GuestKit.Assembly;

namespace Xen.Boot.Tests.Service;

/// <summary>The real xend in a process of its own, with folders of a test's own, called as any client does and by the real xm.</summary>
internal sealed class PrivateXend : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("xend-");
    private Process? _process;
    private XendConnection? _connection;

    private PrivateXend()
    {
    }

    public string Folder => _folder.FullName;

    public int ProcessId => _process!.Id;

    public Xend.XendClient Client => _connection!.Client;

    /// <summary>Open files of xend.</summary>
    public int Descriptors => Directory.GetFileSystemEntries($"/proc/{ProcessId}/fd").Length;

    /// <summary>Threads of xend.</summary>
    public int Threads => Directory.GetDirectories($"/proc/{ProcessId}/task").Length;

    /// <summary>Memory of xend that is in RAM, guests included. <b>Units</b>: bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            using var process = Process.GetProcessById(ProcessId);
            return process.WorkingSet64;
        }
    }

    private string Socket => Path.Combine(Folder, "run", "xend.socket");

    public static async Task<PrivateXend> StartAsync(params string[] options)
    {
        var xend = new PrivateXend();
        await xend.RestartAsync(options);
        return xend;
    }

    /// <summary>Starts it, for the first time or again.</summary>
    public async Task RestartAsync(params string[] options)
    {
        ProcessStartInfo start = Prepare(Path.Combine(Repository.XendFolder, "xend"), ["--foreground", .. options]);
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _ = _process.StandardOutput.ReadToEndAsync();

        // It says so when clients are answered.
        StringBuilder said = new();
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            said.AppendLine(line);
            if (!line.Contains("started, process", StringComparison.Ordinal))
                continue;
            _ = _process.StandardError.ReadToEndAsync();
            _connection = await XendConnection.TryOpenAsync(Socket, CancellationToken.None);
            return;
        }

        throw new GuestException("xend does not start: " + said);
    }

    /// <summary>Ends it as a power cut would.</summary>
    public async Task KillAsync()
    {
        _connection?.Dispose();
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Waits until it has ended by itself.</summary>
    public async Task<int> WaitForExitAsync()
    {
        using var patience = new CancellationTokenSource(GuestSession.Patience);
        await _process!.WaitForExitAsync(patience.Token);
        return _process.ExitCode;
    }

    /// <summary>Runs the real xm to its end.</summary>
    public Task<(int Code, string Out, string Error)> XmAsync(params string[] arguments) => RunAsync(Repository.Xm, arguments);

    /// <summary>Runs a program to its end, as the user of this xend would.</summary>
    public async Task<(int Code, string Out, string Error)> RunAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(Prepare(program, arguments))!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(GuestSession.Patience);
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Starts the real xm, and kills it when it has said something.</summary>
    /// <param name="text">What; nothing: at once, wherever it is then.</param>
    /// <param name="arguments">Its arguments.</param>
    public async Task KillXmAsync(string text, params string[] arguments)
    {
        using Process process = Process.Start(Prepare(Repository.Xm, arguments))!;
        using var patience = new CancellationTokenSource(GuestSession.Patience);
        string said = "";
        char[] buffer = new char[4096];
        while (!said.Contains(text, StringComparison.Ordinal))
        {
            int count = await process.StandardOutput.ReadAsync(buffer, patience.Token);
            Assert.True(count > 0, $"xm {string.Join(' ', arguments)} ended by itself: {said}{(count == 0 ? await process.StandardError.ReadToEndAsync() : "")}");
            said += new string(buffer, 0, count);
        }

        process.Kill();
        await process.WaitForExitAsync(patience.Token);
    }

    /// <summary>How many nodes xenstore has.</summary>
    public async Task<int> CountStoreNodesAsync()
    {
        (int code, string nodes, string error) = await RunAsync("xenstore-ls", "-f");
        return code == 0 ? nodes.Count(static c => c == '\n') : throw new GuestException(error);
    }

    /// <summary>What xend has logged.</summary>
    public Task<string> ReadLogAsync() => File.ReadAllTextAsync(Path.Combine(Folder, "log", "xend.log"));

    /// <summary>Writes a tiny guest.</summary>
    /// <returns>Its file.</returns>
    public string WriteKernel(string name, Action<GuestAssembler> program)
    {
        var guest = new GuestAssembler();
        program(guest);
        string path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, guest.Build().Elf);
        return path;
    }

    /// <summary>Writes a configuration of Debian's kernel with the busybox initramfs.</summary>
    /// <param name="more">Its other lines.</param>
    /// <returns>Its file.</returns>
    public string WriteDebianConfig(string more)
    {
        string path = Path.Combine(Folder, "debian.cfg");
        string[] lines = [$"kernel = '{Repository.Cached("vmlinuz-cloud")}'", $"ramdisk = '{Repository.Cached("initramfs.cpio.gz")}'", "extra = 'console=hvc0 nodhcp'", more];
        File.WriteAllLines(path, lines);
        return path;
    }

    /// <summary>Waits until a domain of this name is there.</summary>
    public async Task WhenRunningAsync(string name)
    {
        using var patience = new CancellationTokenSource(GuestSession.Patience);
        using Grpc.Core.AsyncServerStreamingCall<DomainEvent> events = Client.WatchDomains(new WatchDomainsRequest(), cancellationToken: patience.Token);
        await events.ResponseHeadersAsync;
        while ((await ListAsync()).All(domain => domain.Name != name))
            Assert.True(await events.ResponseStream.MoveNext(patience.Token));
    }

    /// <summary>A tiny guest that waits for ever.</summary>
    public string WriteIdleKernel() => WriteKernel("idle", Idle);

    /// <summary>Emits a loop that waits for ever.</summary>
    public static void Idle(GuestAssembler guest)
    {
        Label again = guest.Code.CreateLabel();
        guest.Code.Label(ref again);
        guest.Block();
        guest.Code.jmp(again);
    }

    /// <summary>A tiny guest that computes for ever.</summary>
    public string WriteBusyKernel() => WriteKernel("busy", static guest =>
    {
        Label again = guest.Code.CreateLabel();
        guest.Code.Label(ref again);
        guest.Code.inc(AssemblerRegisters.rax);
        guest.Code.jmp(again);
    });

    /// <summary>Creates a domain of 64 MiB.</summary>
    public async Task<Domain> CreateAsync(string name, string kernel, bool paused = false, params string[] overrides)
    {
        var request = new CreateDomainRequest
        {
            Config = $"kernel = '{kernel}'\nmemory = 64\non_crash = 'destroy'\n",
            Source = "tiny.cfg",
            WorkingFolder = Folder,
            StartPaused = paused,
            Overrides = { "name=" + name, overrides },
        };
        return (await Client.CreateDomainAsync(request)).Domain;
    }

    /// <summary>Ends a domain, and waits until it is gone.</summary>
    public async Task DestroyAsync(Domain domain)
    {
        await Client.DestroyDomainAsync(new DomainRequest { Domain = domain.Name });
        await Client.WaitDomainAsync(new WaitDomainRequest { Handle = domain.Handle });
    }

    /// <summary>The domains that there are, without Domain-0.</summary>
    public async Task<IReadOnlyList<Domain>> ListAsync() =>
        [.. (await Client.ListDomainsAsync(new ListDomainsRequest())).Domains.Where(static domain => domain.Id != 0)];

    public async ValueTask DisposeAsync()
    {
        if (!_process!.HasExited)
            await KillAsync();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private ProcessStartInfo Prepare(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Folder };
        start.Environment["XEN_RUNTIME_DIR"] = Path.Combine(Folder, "run");
        start.Environment["XEN_LOG_DIR"] = Path.Combine(Folder, "log");
        start.Environment["XEN_STATE_DIR"] = Path.Combine(Folder, "state");
        start.Environment["XEN_CONFIG_DIR"] = Path.Combine(Folder, "etc");
        start.Environment["XENSTORED_PATH"] = Path.Combine(Folder, "run", "xenstored.socket");
        return start;
    }
}
