using Xen.Core;

namespace Xen.Toolstack;

/// <summary>Its lives: how one ends, and whether another begins.</summary>
internal sealed partial class RunningDomain
{
    /// <summary>A domain that was restarted less than this ago is not restarted again, so that a broken kernel does not restart for ever.</summary>
    private static readonly TimeSpan ShortestLife = TimeSpan.FromSeconds(10);

    private ulong? _restartedAt;

    public void Destroy() => End(ShutdownReason.Poweroff, destroyed: true, "");

    public void Reset()
    {
        lock (_lock)
        {
            _ = Living();
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
        lock (_lock)
        {
            if (_life?.Domain != domain)
                return;
            var reason = (ShutdownReason)domain.ShutdownReason;
            _host.Dom0.NotifyShutdown(domain.Id);
            ShutdownAction action = ActionOf(reason);
            if (action is ShutdownAction.CoredumpDestroy or ShutdownAction.CoredumpRestart)
                DumpAfterShutdown(domain);
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
        ulong now = _host.Machine.Clock.Now;
        if (_restartedAt is { } before && now - before < (ulong)ShortestLife.TotalNanoseconds)
        {
            Log($"not restarted: the last restart was less than {ShortestLife.TotalSeconds} s ago");
            End(reason, destroyed: false, report);
            return;
        }

        _restartedAt = now;
        if (Renew() is { } fault)
            Finish(reason, destroyed: false, report.Length == 0 ? fault : report);
    }

    /// <summary>Ends its life and begins another, which runs. Under the lock.</summary>
    /// <returns>Null, or why there is no other; it is not finished yet.</returns>
    private string? Renew()
    {
        DomainLife old = _life!;
        _lastStatus = Describe(_host.Control.GetInfo(old.Domain));
        _isChanging = true;
        try
        {
            // What was plugged in and out stays so.
            _config = _config with { Disks = old.Devices.DiskConfigs, Vifs = old.Devices.VifConfigs };
            using MemoryClaim claim = _host.Claims.ClaimAgain(_config.MemoryMiB, old.Domain);
            old.Dispose();
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
