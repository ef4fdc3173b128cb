namespace Xen.Core;

/// <summary>The thread that makes a machine's timers elapse, as precisely as the host's clock allows.</summary>
internal sealed class TimerThread : IDisposable
{
    private readonly MachineClock _clock;
    private readonly TimerQueue _queue;
    private readonly PreciseWait _wait = new();
    private readonly Thread _thread;
    private bool _stopping;

    public TimerThread(MachineClock clock, TimerQueue queue)
    {
        _clock = clock;
        _queue = queue;
        _queue.Advanced = _wait.Wake;
        _thread = new Thread(Loop) { Name = "timers", IsBackground = true };
    }

    public void Start() => _thread.Start();

    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        _wait.Wake();
        if (_thread.IsAlive)
            _thread.Join();
        _queue.Advanced = null;
        _wait.Dispose();
    }

    private void Loop()
    {
        while (!Volatile.Read(ref _stopping))
        {
            ulong next = _queue.RunDue(_clock.Now);
            ulong now = _clock.Now;
            if (next > now)
                _wait.Wait(next == ulong.MaxValue ? ulong.MaxValue : next - now);
        }
    }
}
