using Xen.Core;

namespace Xen.Toolstack;

/// <summary>A domain over all its lives. Read this first: what it is made of; its lives, what is asked of its guest, its processors and its memory have files of their own.</summary>
/// <remarks>Threads: any. One thing at a time is done to a domain, under the lock; what follows a shutdown is done on a thread of the machine's own for that.</remarks>
internal sealed partial class RunningDomain : IRunningDomain
{
    private readonly Lock _lock = new();
    private readonly DomainHost _host;
    private readonly IReadOnlyList<DomainConsole> _consoles;
    private readonly TaskCompletionSource<DomainOutcome> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Written under the lock, as all of these; null when it has ended.</summary>
    private volatile DomainLife? _life;
    private volatile DomainConfig _config;
    private volatile DomainDevices _devices;
    private volatile DomainStatus _lastStatus = new(0, 0, DomainState.None, TimeSpan.Zero);

    /// <summary>One life ends or another begins, which takes a while: who only wants to look does not wait.</summary>
    private volatile bool _isChanging;
    private volatile int _id;
    private long _startTicks;

    /// <summary>Builds it. Its name is its own from now on, and free again when it has ended.</summary>
    /// <exception cref="ToolstackException">It cannot be built; nothing is left.</exception>
    public RunningDomain(DomainHost host, DomainConfig config)
    {
        _host = host;
        _config = config;
        host.Names.Take(config.Name, config.Uuid);
        try
        {
            using MemoryClaim claim = host.Claims.Claim(config.Name, config.MemoryMiB);
            _consoles = ConsoleFactory.CreateAll(config, host.Options.ConsoleLogFolder, Log);
            _consoles[0].Faulted += Log;
            Begin(DomainLife.Build(host, config, _consoles, claim));
        }
        catch
        {
            if (!config.KeepsDisks)
                host.Overlays.Forget(config.Uuid);
            host.Names.Release(config.Name, config.Uuid);
            DisposeConsoles();
            throw;
        }

        _devices = _life!.Devices;
    }

    /// <summary>What is kept of another's life, which has shut down.</summary>
    private RunningDomain(DomainHost host, DomainConfig config, DomainLife life)
    {
        _host = host;
        _config = config;
        _consoles = life.Consoles;
        _life = life;
        _id = life.Domain.Id.Value;
        _devices = life.Devices;
        _startTicks = DateTimeOffset.UtcNow.Ticks;
        _isKept = true;
    }

    public event Action? Restarted;

    public event Action<IRunningDomain>? Kept;

    public int Id => _id;

    public DomainConfig Config => _config;

    public DateTimeOffset StartTime => new(Interlocked.Read(ref _startTicks), TimeSpan.Zero);

    public IReadOnlyList<IDomainConsole> Consoles => _consoles;

    public IDomainDevices Devices => _devices;

    public Task<DomainOutcome> Completion => _completion.Task;

    public DomainStatus Status
    {
        get
        {
            if (_isChanging)
                return _lastStatus;
            lock (_lock)
                return _life is { } life ? Describe(_host.Control.GetInfo(life.Domain)) : _lastStatus;
        }
    }

    public void Pause() => With(static domain => domain.Pause());

    public void Unpause() => With(static domain => domain.Unpause());

    public string DescribeCounters()
    {
        lock (_lock)
            return _life is { } life ? string.Join('\n', CounterText.Describe(life.Domain.SumCounters())) : "";
    }

    public void Dispose()
    {
        Destroy();
        DisposeConsoles();
    }

    /// <summary>Whether this is the life it has now.</summary>
    internal bool Owns(Domain domain) => _life?.Domain == domain;

    private void DisposeConsoles()
    {
        foreach (DomainConsole console in _consoles ?? [])
            console.Dispose();
    }

    private void With(Action<Domain> action)
    {
        lock (_lock)
        {
            if (_life is { } life)
                action(life.Domain);
        }
    }

    /// <summary>Its life, for what only a living domain can be asked. Under the lock.</summary>
    /// <exception cref="ToolstackException">It has ended.</exception>
    private DomainLife Living() => _life ?? throw new ToolstackException($"domain '{_config.Name}' has ended.");

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
        return new DomainStatus((int)(info.Pages >> 8), info.OnlineVcpus, state, TimeOf(info.CpuTime));
    }

    private static TimeSpan TimeOf(ulong nanoseconds) => TimeSpan.FromTicks((long)(nanoseconds / TimeSpan.NanosecondsPerTick));

    private void Log(string text) => _host.Machine.Log.Write($"{_config.Name}: {text}");
}
