using System.Globalization;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>A running xend: the machine, its domains, and the socket that clients reach them by. Read this first.</summary>
internal sealed class XendHost : IAsyncDisposable
{
    private readonly ServiceLock _lock, _stateLock;
    private readonly IToolstack _toolstack;
    private readonly HypervisorLogFile _hypervisorLog;
    private readonly XendState _state;
    private readonly XendLog _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly IdleWatch _idle;
    private readonly XendAccess _access;
    private ControlServer? _control;
    private MetricsServer? _metrics;

    private XendHost(XendOptions options, XendLog log, ServiceLock serviceLock, ServiceLock stateLock, Func<MachineOptions, IToolstack> startMachine)
    {
        _log = log;
        (_lock, _stateLock) = (serviceLock, stateLock);
        _toolstack = startMachine(new MachineOptions(options.MemoryMiB)
        {
            TrunkFolder = options.Paths.RuntimeFolder,
            ConsoleLogFolder = options.Paths.ConsoleLogFolder,
            CoreDumpFolder = options.Paths.DumpFolder,
            OverlayFolder = options.Paths.OverlayFolder,
        });
        try
        {
            _hypervisorLog = new HypervisorLogFile(_toolstack, options.Paths.HypervisorLog);
            _state = new XendState(options.Paths, _toolstack, log, _stopping.Token);
        }
        catch
        {
            _hypervisorLog?.Dispose();
            _toolstack.Dispose();
            _stopping.Dispose();
            throw;
        }

        _idle = new IdleWatch(options.IdleExit, () => _state.Domains.IsBusy, StopIfIdle);
        _state.Domains.BusyChanged += _idle.Look;
        _access = new XendAccess(options, log);
    }

    /// <summary>Where it listens for TLS, with the port that it got; null: nowhere.</summary>
    public System.Net.IPEndPoint? TlsEndPoint => _access.Tls?.Bound;

    /// <summary>Starts: when this returns, clients are answered.</summary>
    /// <param name="options">What it was told.</param>
    /// <param name="startMachine">Makes the machine.</param>
    /// <param name="watched">Where it says what happens, beside its log.</param>
    /// <exception cref="ToolstackException">Another xend runs, a folder or socket cannot be used, or the host has no room for a machine.</exception>
    public static async Task<XendHost> StartAsync(XendOptions options, Func<MachineOptions, IToolstack> startMachine, TextWriter? watched)
    {
        PrivateFolder.Make(options.Paths.RuntimeFolder, "XEN_RUNTIME_DIR");
        ServiceLock serviceLock = ServiceLock.Take(options.Paths.ServiceLock, "XEN_RUNTIME_DIR");
        ServiceLock? stateLock = null;
        XendLog? log = null;
        XendHost? host = null;
        try
        {
            PrivateFolder.Make(options.Paths.StateFolder, "XEN_STATE_DIR");
            stateLock = ServiceLock.Take(options.Paths.StateLock, "XEN_STATE_DIR");
            PrivateFolder.Make(options.Paths.LogFolder, "XEN_LOG_DIR");
            log = new XendLog(new LogFile(options.Paths.ServiceLog), watched);
            if (serviceLock.DiedHolder is { } died)
                log.Write(string.Create(CultureInfo.InvariantCulture, $"the xend before (process {died}) did not end by itself: its domains ended as by a power cut"));
            host = new XendHost(options, log, serviceLock, stateLock, startMachine);
            host._state.Domains.ForgetDisks();
            host.OfferStore();
            await host.OfferMetricsAsync(options.Metrics).ConfigureAwait(false);
            host._control = await ControlServer.StartAsync(host._state, host._access, host._idle).ConfigureAwait(false);
            log.Write(string.Create(CultureInfo.InvariantCulture, $"started, process {Environment.ProcessId}, {options.MemoryMiB} MiB for guests"));
            if (host.TlsEndPoint is { } listens)
                log.Write($"listens on {listens} for clients with certificates");
            if (options.StartsDomains)
                host._state.AutoStart.Begin();
            return host;
        }
        catch (Exception fault)
        {
            if (host is not null)
                await host.DisposeAsync().ConfigureAwait(false);
            log?.Dispose();
            stateLock?.Dispose();
            serviceLock.Dispose();
            if (fault is IOException or UnauthorizedAccessException)
                throw new ToolstackException($"xend cannot start: {fault.Message.TrimEnd('.')}; its files must be its user's own, or XEN_RUNTIME_DIR, XEN_LOG_DIR and XEN_STATE_DIR others.", fault);
            throw;
        }
    }

    /// <summary>Where metrics are offered; null if they are not.</summary>
    public string? MetricsUrl => _metrics?.Url;

    /// <summary>Completes when xend shall end, with the reason.</summary>
    public Task<string> StopRequested => _state.StopRequested;

    /// <summary>Works until somebody wants it to end, and has the domains shut down then.</summary>
    public async Task RunAsync(StopSignals signals)
    {
        string reason;
        try
        {
            reason = await StopRequested.WaitAsync(signals.Stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            reason = "a signal said so";
        }

        _log.Write($"stopping: {reason}");
        SystemdNotify.Send("STOPPING=1");
        try
        {
            await _state.ShutDownDomainsAsync(patience: null, signals.AtOnce).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _log.Write("not waiting for the domains any longer");
        }
    }

    /// <summary>Ends what is still there, and leaves nothing behind.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _state.Domains.Close();
        await _state.AutoStart.Completion.ConfigureAwait(false);
        if (_metrics is not null)
            await _metrics.DisposeAsync().ConfigureAwait(false);
        await _state.Domains.DisposeAsync().ConfigureAwait(false);
        if (_control is not null)
            await _control.DisposeAsync().ConfigureAwait(false);
        _toolstack.Dispose();
        _hypervisorLog.Dispose();
        _stateLock.Dispose();
        _lock.Dispose();
        _log.Write("ended");
        _log.Dispose();
        _stopping.Dispose();

        // All those that tell it something have ended.
        _idle.Dispose();
    }

    private void StopIfIdle()
    {
        if (_state.Domains.TryCloseIdle())
            _state.RequestStop("there has been nothing to do for a while");
    }

    private async Task OfferMetricsAsync(System.Net.IPEndPoint? address)
    {
        if (address is null)
            return;
        _metrics = await MetricsServer.StartAsync(address, _state.Statistics).ConfigureAwait(false);
        _log.Write($"metrics are at {_metrics.Url}");
    }

    /// <summary>Offers the machine's xenstore, also where xenstore's tools look by themselves if no other machine does.</summary>
    private void OfferStore()
    {
        _toolstack.ListenForStore(_state.Paths.StoreSocket);
        if (_state.Paths.DefaultStoreSocket is not { } path)
            return;
        try
        {
            PrivateFolder.Make(Path.GetDirectoryName(path)!, "XEN_RUNTIME_DIR");
            _toolstack.ListenForStore(path);
        }
        catch (ToolstackException fault)
        {
            _log.Write($"xenstore's tools need XENSTORED_PATH={_state.Paths.StoreSocket}: {fault.Message}");
        }
    }
}
