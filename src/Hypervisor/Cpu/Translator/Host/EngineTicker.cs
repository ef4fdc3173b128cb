namespace Xen.Cpu;

/// <summary>
/// The clock by which emitted code is interrupted: every two milliseconds each vCPU that is in its guest is asked to come out. One thread for the
/// process, which sleeps when nobody runs.
/// </summary>
#pragma warning disable CA1001 // there is one, for the life of the process
internal sealed class EngineTicker
#pragma warning restore CA1001
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(2);
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _awake = new(false, spinCount: 0);
    private VcpuState[] _states = [];
    private Thread? _thread;

    private EngineTicker()
    {
    }

    /// <summary>The process's ticker.</summary>
    public static EngineTicker Instance { get; } = new();

    /// <summary>Begins to tick for a vCPU.</summary>
    public void Add(VcpuState state)
    {
        lock (_gate)
        {
            _states = [.. _states, state];
            if (_thread is not null)
                return;
            _thread = new Thread(Tick) { IsBackground = true, Name = "engine ticker" };
            _thread.Start();
        }
    }

    public void Remove(VcpuState state)
    {
        lock (_gate)
            _states = [.. _states.Where(other => other != state)];
    }

    /// <summary>Says that a vCPU runs.</summary>
    public void Wake()
    {
        if (!_awake.IsSet)
            _awake.Set();
    }

    private void Tick()
    {
        while (true)
        {
            _awake.Wait();
            Thread.Sleep(Period);
            if (TickOnce())
                continue;

            // Who starts to run from here on either sees the event reset, or is seen by the second look.
            _awake.Reset();
            if (TickOnce())
                _awake.Set();
        }
    }

    /// <summary>Returns whether anybody runs.</summary>
    private bool TickOnce()
    {
        bool busy = false;
        foreach (VcpuState state in Volatile.Read(ref _states))
            busy |= state.RequestTickIfRunning();
        return busy;
    }
}
