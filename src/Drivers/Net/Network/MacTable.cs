namespace Xen.Drivers.Net.Network;

/// <summary>
/// Where addresses were seen last. It is bounded: when it is full and nothing in it is old, a new address is not remembered, and frames to
/// it are flooded. Any thread; the lock is a leaf.
/// </summary>
internal sealed class MacTable(TimeProvider clock, int capacity)
{
    public const int DefaultCapacity = 4096;

    /// <summary>How long an address is remembered; that of Linux's bridge.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);

    // A sweep looks at every entry: a station that keeps inventing addresses gets one a second.
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Entry> _entries = [];
    private long _swept = clock.GetTimestamp();

    public int Count
    {
        get
        {
            lock (_lock)
                return _entries.Count;
        }
    }

    public void Learn(MacAddress address, object port)
    {
        long now = clock.GetTimestamp();
        lock (_lock)
        {
            if (!_entries.ContainsKey(address.Value) && _entries.Count >= capacity && !Sweep(now))
                return;
            _entries[address.Value] = new Entry(port, now);
        }
    }

    public object? Find(MacAddress address)
    {
        lock (_lock)
            return _entries.TryGetValue(address.Value, out Entry entry) && !IsOld(entry, clock.GetTimestamp()) ? entry.Port : null;
    }

    public void Forget(object port)
    {
        lock (_lock)
        {
            foreach ((ulong address, Entry entry) in _entries)
            {
                if (entry.Port == port)
                    _entries.Remove(address);
            }
        }
    }

    private bool Sweep(long now)
    {
        if (clock.GetElapsedTime(_swept, now) < SweepInterval)
            return false;
        _swept = now;
        foreach ((ulong address, Entry entry) in _entries)
        {
            if (IsOld(entry, now))
                _entries.Remove(address);
        }

        return _entries.Count < capacity;
    }

    private bool IsOld(in Entry entry, long now) => clock.GetElapsedTime(entry.Seen, now) > MaxAge;

    private readonly record struct Entry(object Port, long Seen);
}
