namespace Xen.Cpu;

/// <summary>
/// The clock by which emitted code is interrupted: once a millisecond every vCPU that is in its guest is asked to come out. One thread for the
/// process, which sleeps when nobody runs.
/// </summary>
internal static class EngineTicker
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(1);
    private static readonly Lock Gate = new();
    private static readonly ManualResetEventSlim Awake = new(false, spinCount: 0);
    private static VcpuState[] _states = [];
    private static Thread? _thread;

    /// <summary>Begins to tick for a vCPU.</summary>
    public static void Add(VcpuState state)
    {
        lock (Gate)
        {
            _states = [.. _states, state];
            if (_thread is not null)
                return;
            _thread = new Thread(Tick) { IsBackground = true, Name = "engine ticker" };
            _thread.Start();
        }
    }

    public static void Remove(VcpuState state)
    {
        lock (Gate)
            _states = [.. _states.Where(other => other != state)];
    }

    /// <summary>Says that a vCPU runs.</summary>
    public static void Wake()
    {
        if (!Awake.IsSet)
            Awake.Set();
    }

    private static void Tick()
    {
        while (true)
        {
            Awake.Wait();
            Thread.Sleep(Period);
            if (TickOnce())
                continue;

            // Who starts to run from here on either sees the event reset, or is seen by the second look.
            Awake.Reset();
            if (TickOnce())
                Awake.Set();
        }
    }

    /// <summary>Returns whether anybody runs.</summary>
    private static bool TickOnce()
    {
        bool busy = false;
        foreach (VcpuState state in Volatile.Read(ref _states))
            busy |= state.RequestTickIfRunning();
        return busy;
    }
}
