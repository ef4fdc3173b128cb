using Xen.Abi;

namespace Xen.Core;

/// <summary>A domain's watchdogs (SCHEDOP_watchdog): one that is not poked in time shuts the domain down.</summary>
internal sealed class DomainWatchdogs
{
    /// <summary>How many a domain may have.</summary>
    private const int Count = 2;

    private const ulong NanosecondsPerSecond = 1_000_000_000;

    private readonly Lock _lock = new();
    private readonly MachineTimer[] _timers = new MachineTimer[Count];
    private readonly bool[] _used = new bool[Count];
    private readonly MachineClock _clock;

    public DomainWatchdogs(Domain domain)
    {
        _clock = domain.Machine.Clock;
        for (int i = 0; i < Count; i++)
        {
            _timers[i] = new MachineTimer(domain.Machine.Timers, () =>
            {
                domain.Machine.Log.WriteGuest(domain.Id, "watchdog expired");
                domain.Shutdown(ShutdownReason.Watchdog);
            });
        }
    }

    /// <summary>Makes, pokes or ends a watchdog.</summary>
    /// <param name="id">0 makes a new one.</param>
    /// <param name="timeout">0 ends it. <b>Units</b>: seconds.</param>
    /// <returns>The new one's number, 0, or EINVAL: no such watchdog; ENOSPC: all are in use.</returns>
    public HypercallResult Set(uint id, uint timeout)
    {
        lock (_lock)
        {
            if (id > Count)
                return XenErrno.EINVAL;
            if (id == 0)
                return timeout == 0 ? XenErrno.EINVAL : Start(timeout);
            int index = (int)id - 1;
            if (!_used[index])
                return XenErrno.EINVAL;
            _used[index] = timeout != 0;
            if (timeout == 0)
                _timers[index].Cancel();
            else
                _timers[index].Set(DeadlineOf(timeout));
            return XenErrno.OK;
        }
    }

    /// <summary>Ends all.</summary>
    public void Cancel()
    {
        foreach (MachineTimer timer in _timers)
            timer.Cancel();
    }

    private HypercallResult Start(uint timeout)
    {
        int index = Array.IndexOf(_used, false);
        if (index < 0)
            return XenErrno.ENOSPC;
        _used[index] = true;
        _timers[index].Set(DeadlineOf(timeout));
        return index + 1L;
    }

    private ulong DeadlineOf(uint timeout) => _clock.Now + (timeout * NanosecondsPerSecond);
}
