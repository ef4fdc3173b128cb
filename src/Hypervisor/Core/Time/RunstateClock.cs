using Xen.Abi;

namespace Xen.Core;

/// <summary>How a vCPU has spent its time. The times add up to the machine's time since the vCPU was made. Guarded by the scheduler's lock.</summary>
internal sealed class RunstateClock
{
    private readonly ulong[] _times = new ulong[4];
    private Runstate _state = Runstate.Offline;
    private ulong _since;

    public RunstateClock(ulong now) => _since = now;

    /// <summary>Changes the state; the same one goes on.</summary>
    public void Enter(Runstate state, ulong now)
    {
        if (state == _state)
            return;
        _times[(int)_state] += now - _since;
        _state = state;
        _since = now;
    }

    /// <summary>State and times; the current state's time goes up to <paramref name="now"/>.</summary>
    public VcpuRunstateInfo Read(ulong now)
    {
        var info = new VcpuRunstateInfo { State = _state, StateEntryTime = _since };
        for (int i = 0; i < _times.Length; i++)
            info.Time[i] = _times[i] + (i == (int)_state ? now - _since : 0);
        return info;
    }

    /// <summary>What the guest's own copy shows: the times up to the last change.</summary>
    public VcpuRunstateInfo ReadAtEntry()
    {
        VcpuRunstateInfo info = Read(_since);
        return info;
    }
}
