using Xen.Core;

namespace Xen.Toolstack;

/// <summary>A domain over all its lives: applies its <c>on_</c> actions when it shuts down.</summary>
/// <remarks>Threads: any. What follows a shutdown is done on a thread of the pool, one at a time, under the lock.</remarks>
internal sealed class RunningDomain : IRunningDomain
{
    /// <summary>A domain that was restarted less than this ago is not restarted again, so that a broken kernel does not restart for ever.</summary>
    private static readonly TimeSpan ShortestLife = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly DomainControl _control;
    private readonly Dom0Services _dom0;
    private readonly IReadOnlyList<DomainConsole> _consoles;
    private readonly TaskCompletionSource<DomainOutcome> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DomainLife? _life;
    private DomainDevices _devices;
    private DomainStatus _lastStatus = new(0, 0, DomainState.None, TimeSpan.Zero);
    private ulong? _restartedAt;
    private int _id;

    /// <exception cref="ToolstackException">It cannot be built.</exception>
    public RunningDomain(DomainControl control, Dom0Services dom0, DomainConfig config, string? consoleLogFolder)
    {
        _control = control;
        _dom0 = dom0;
        Config = config;
        _consoles = ConsoleFactory.CreateAll(config, consoleLogFolder, Log);
        _consoles[0].Faulted += Log;
        try
        {
            _life = DomainLife.Build(control, dom0, config, _consoles);
        }
        catch
        {
            DisposeConsoles();
            throw;
        }

        _id = _life.Domain.Id.Value;
        _devices = _life.Devices;
    }

    public int Id => Volatile.Read(ref _id);

    public DomainConfig Config { get; }

    public IReadOnlyList<IDomainConsole> Consoles => _consoles;

    public IDomainDevices Devices => Volatile.Read(ref _devices);

    public Task<DomainOutcome> Completion => _completion.Task;

    public DomainStatus Status
    {
        get
        {
            lock (_lock)
                return _life is null ? _lastStatus : Describe(_control.GetInfo(_life.Domain));
        }
    }

    public void Pause() => With(static domain => domain.Pause());

    public void Unpause() => With(static domain => domain.Unpause());

    public void Destroy() => End(ShutdownReason.Poweroff, destroyed: true, "");

    public string DescribeCounters()
    {
        lock (_lock)
            return _life is null ? "" : string.Join('\n', CounterText.Describe(_life.Domain.SumCounters()));
    }

    public void Dispose()
    {
        Destroy();
        DisposeConsoles();
    }

    /// <summary>Whether this is the life it has now.</summary>
    internal bool Owns(Domain domain)
    {
        lock (_lock)
            return _life?.Domain == domain;
    }

    /// <summary>Applies what the configuration says about a shutdown.</summary>
    internal void HandleShutdown(Domain domain)
    {
        lock (_lock)
        {
            if (_life?.Domain != domain)
                return;
            var reason = (ShutdownReason)domain.ShutdownReason;
            _dom0.NotifyShutdown(domain.Id);
            ShutdownAction action = ActionOf(reason);
            if (action is ShutdownAction.CoredumpDestroy or ShutdownAction.CoredumpRestart)
                Log("core dumps are not written; the rest of the action is done");
            if (action == ShutdownAction.Preserve)
                Log("preserved: xm destroy ends it");
            else if (action is ShutdownAction.Destroy or ShutdownAction.CoredumpDestroy)
                End(reason, destroyed: false, domain.CrashReport);
            else
                Restart(reason, domain.CrashReport);
        }
    }

    private void Restart(ShutdownReason reason, string report)
    {
        ulong now = _control.Machine.Clock.Now;
        if (_restartedAt is { } before && now - before < (ulong)ShortestLife.TotalNanoseconds)
        {
            Log($"not restarted: the last restart was less than {ShortestLife.TotalSeconds} s ago");
            End(reason, destroyed: false, report);
            return;
        }

        _restartedAt = now;
        _life!.Dispose();
        try
        {
            _life = DomainLife.Build(_control, _dom0, Config, _consoles);
            Volatile.Write(ref _id, _life.Domain.Id.Value);
            Volatile.Write(ref _devices, _life.Devices);
            _life.Domain.Unpause();
        }
        catch (ToolstackException fault)
        {
            _life = null;
            Log("cannot be restarted: " + fault.Message);
            Finish(reason, destroyed: false, report.Length == 0 ? fault.Message : report);
        }
    }

    private void End(ShutdownReason reason, bool destroyed, string report)
    {
        lock (_lock)
        {
            if (_life is null)
                return;
            _lastStatus = Describe(_control.GetInfo(_life.Domain)) with { State = DomainState.Dying };
            _life.Dispose();
            _life = null;
            Finish(reason, destroyed, report);
        }
    }

    private void Finish(ShutdownReason reason, bool destroyed, string report)
    {
        foreach (DomainConsole console in _consoles)
            console.End();
        _completion.TrySetResult(new DomainOutcome(reason, destroyed, report));
    }

    private void DisposeConsoles()
    {
        foreach (DomainConsole console in _consoles)
            console.Dispose();
    }

    private void With(Action<Domain> action)
    {
        lock (_lock)
        {
            if (_life is not null)
                action(_life.Domain);
        }
    }

    private ShutdownAction ActionOf(ShutdownReason reason) => reason switch
    {
        ShutdownReason.Reboot => Config.OnReboot,
        ShutdownReason.Crash => Config.OnCrash,
        ShutdownReason.Watchdog => Config.OnWatchdog,
        _ => Config.OnPoweroff,
    };

    private static DomainStatus Describe(DomainInfo info)
    {
        DomainState state = DomainState.None;
        if (info.IsRunning && !info.IsPaused && !info.IsShutDown)
            state |= DomainState.Running;
        if (info.IsBlocked)
            state |= DomainState.Blocked;
        if (info.IsPaused)
            state |= DomainState.Paused;
        if (info.IsShutDown)
            state |= info.Reason == Abi.ShutdownReason.Crash ? DomainState.Crashed : DomainState.Shutdown;
        if (info.IsDying)
            state |= DomainState.Dying;
        return new DomainStatus((int)(info.Pages >> 8), info.OnlineVcpus, state, TimeSpan.FromTicks((long)(info.CpuTime / 100)));
    }

    private void Log(string text) => _control.Machine.Log.Write($"{Config.Name}: {text}");
}
