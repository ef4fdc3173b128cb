using Xen.Core;

namespace Xen.Toolstack;

/// <summary>Its lives: how one ends, and whether another begins.</summary>
internal sealed partial class RunningDomain
{
    /// <summary>A domain that was restarted less than this ago is not restarted again, so that a broken kernel does not restart for ever.</summary>
    private static readonly TimeSpan ShortestLife = TimeSpan.FromSeconds(10);

    /// <summary>It is what was kept of another, and has no devices: it cannot live again.</summary>
    private readonly bool _isKept;

    private ulong? _restartedAt;
    private volatile bool _isLast;

    /// <summary>What is to be told of when the lock is given back.</summary>
    private RunningDomain? _kept;

    public void Destroy() => End(ShutdownReason.Poweroff, destroyed: true, "");

    public void EndWithThisLife() => _isLast = true;

    public void Reset()
    {
        lock (_lock)
        {
            _ = Living();
            if (_isKept)
                throw new ToolstackException($"'{_config.Name}' is what was kept of a domain that was restarted, and cannot live again: 'xm dump-core' writes its memory, 'xm destroy' ends it.");
            Log("reset");
            if (Renew() is { } fault)
            {
                Finish(ShutdownReason.Reboot, destroyed: false, fault);
                throw new ToolstackException($"domain '{_config.Name}' has ended, because it cannot be started again: {fault}");
            }
        }
    }

    /// <summary>Applies what the configuration says about a shutdown.</summary>
    internal void HandleShutdown(Domain domain)
    {
        RunningDomain? kept;
        lock (_lock)
        {
            if (_life?.Domain != domain)
                return;
            Apply(domain);
            (kept, _kept) = (_kept, null);
        }

        if (kept is not null)
            Kept?.Invoke(kept);
    }

    private void Apply(Domain domain)
    {
        var reason = (ShutdownReason)domain.ShutdownReason;
        _host.Dom0.NotifyShutdown(domain.Id);
        ShutdownAction action = ActionOf(reason);
        if (action is ShutdownAction.CoredumpDestroy or ShutdownAction.CoredumpRestart)
            DumpAfterShutdown(domain);
        if (_isLast || action is ShutdownAction.Destroy or ShutdownAction.CoredumpDestroy)
            End(reason, destroyed: false, domain.CrashReport);
        else if (action == ShutdownAction.Preserve)
            Log("preserved: xm destroy ends it");
        else
            Restart(reason, domain.CrashReport, keep: action == ShutdownAction.RenameRestart);
    }

    private void Restart(ShutdownReason reason, string report, bool keep)
    {
        ulong now = _host.Machine.Clock.Now;
        if (_restartedAt is { } before && now - before < (ulong)ShortestLife.TotalNanoseconds)
        {
            Log($"not restarted: the last restart was less than {ShortestLife.TotalSeconds} s ago");
            End(reason, destroyed: false, report);
            return;
        }

        _restartedAt = now;
        if (Renew(keep ? ClaimBeside() : null) is { } fault)
            Finish(reason, destroyed: false, report.Length == 0 ? fault : report);
    }

    /// <summary>Memory for another life beside the one that has shut down; null: there is not enough for both.</summary>
    private MemoryClaim? ClaimBeside()
    {
        try
        {
            return _host.Claims.Claim(_config.Name, _config.MemoryMiB);
        }
        catch (ToolstackException fault)
        {
            Log("restarted, and what has shut down is not kept: " + fault.Message);
            return null;
        }
    }

    /// <summary>Ends its life, or gives it away, and begins another, which runs. Under the lock.</summary>
    /// <param name="beside">Memory for the other while the one is kept; null: the one ends.</param>
    /// <returns>Null, or why there is no other; it is not finished yet.</returns>
    private string? Renew(MemoryClaim? beside = null)
    {
        DomainLife old = _life!;
        _lastStatus = Describe(_host.Control.GetInfo(old.Domain));
        _lastVcpus = DescribeVcpus(old);
        _isChanging = true;
        try
        {
            // What was plugged in and out stays so.
            _config = _config with { Disks = old.Devices.DiskConfigs, Vifs = old.Devices.VifConfigs };
            using MemoryClaim claim = beside ?? _host.Claims.ClaimAgain(_config.MemoryMiB, old.Domain);
            if (beside is null)
                old.Dispose();
            else
                Keep(old);
            _life = null;
            Begin(DomainLife.Build(_host, _config, _consoles, claim));
            _life!.Domain.Unpause();
            ThreadPool.QueueUserWorkItem(_ => Restarted?.Invoke());
            return null;
        }
        catch (Exception fault) when (fault is ToolstackException or InsufficientMemoryException)
        {
            _lastStatus = _lastStatus with { State = DomainState.Dying };
            Log("cannot be restarted: " + fault.Message);
            return fault.Message;
        }
        finally
        {
            _isChanging = false;
        }
    }

    /// <summary>Makes a domain of its own of a life that has shut down; it is there until somebody destroys it.</summary>
    private void Keep(DomainLife old)
    {
        DomainConfig config = _config with
        {
            Name = _host.Names.TakeNumbered(_config.Name, out Guid uuid), Uuid = uuid, Disks = [], Vifs = [], Consoles = [new()], KeepsDisks = false,
        };
        var kept = new RunningDomain(_host, config, old.KeepAs(_host, config));
        Log($"what has shut down is kept as {config.Name}: xm destroy {config.Name} ends it");
        _kept = kept;
    }

    private void Begin(DomainLife life)
    {
        _life = life;
        _id = life.Domain.Id.Value;
        _devices = life.Devices;
        Interlocked.Exchange(ref _startTicks, DateTimeOffset.UtcNow.Ticks);
    }

    private void End(ShutdownReason reason, bool destroyed, string report)
    {
        lock (_lock)
        {
            if (_life is not { } life)
                return;
            _lastStatus = Describe(_host.Control.GetInfo(life.Domain)) with { State = DomainState.Dying };
            _isChanging = true;
            life.Dispose();
            _life = null;
            _isChanging = false;
            Finish(reason, destroyed, report);
        }
    }

    private void Finish(ShutdownReason reason, bool destroyed, string report)
    {
        foreach (DomainConsole console in _consoles)
            console.End();
        if (!_config.KeepsDisks)
            _host.Overlays.Forget(_config.Uuid);
        _host.Names.Release(_config.Name, _config.Uuid);
        _completion.TrySetResult(new DomainOutcome(reason, destroyed, report));
    }

    private ShutdownAction ActionOf(ShutdownReason reason) => reason switch
    {
        ShutdownReason.Reboot => _config.OnReboot,
        ShutdownReason.Crash => _config.OnCrash,
        ShutdownReason.Watchdog => _config.OnWatchdog,
        _ => _config.OnPoweroff,
    };
}
