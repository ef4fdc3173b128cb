using System.Diagnostics;
using System.Numerics;

namespace Xen.Rings;

/// <summary>
/// How long things took that a driver did, in powers of two of microseconds. Plain fields with one writer at a time (the driver's lock or worker); a
/// reader sees each of them whole, and the sum may be of a moment later than the counts.
/// </summary>
public sealed class LatencyCounts
{
    /// <summary>Entries: the last counts everything above half an hour, too.</summary>
    public const int Buckets = 32;

    private readonly long[] _counts = new long[Buckets];
    private long _ticks;

    /// <summary>All times together.</summary>
    public TimeSpan Sum => TimeSpan.FromTicks(Volatile.Read(ref _ticks));

    /// <summary>Copies the counts: entry 0 is what took less than 1 µs, entry n what took 2^(n-1) µs up to 2^n.</summary>
    public long[] Read()
    {
        var copy = new long[Buckets];
        AddTo(copy);
        return copy;
    }

    /// <summary>Adds the counts to those of others, such as of a device's other queues.</summary>
    /// <param name="counts">At least <see cref="Buckets"/> entries.</param>
    public void AddTo(Span<long> counts)
    {
        for (int i = 0; i < Buckets; i++)
            counts[i] += Volatile.Read(ref _counts[i]);
    }

    /// <summary>Counts what ends now.</summary>
    /// <param name="since">When it began, as <see cref="Stopwatch.GetTimestamp"/> says.</param>
    /// <returns>Now, as <see cref="Stopwatch.GetTimestamp"/> says: where the next thing begins, the clock is read once.</returns>
    public long Add(long since)
    {
        long now = Stopwatch.GetTimestamp();
        Add(Stopwatch.GetElapsedTime(since, now));
        return now;
    }

    /// <summary>Counts a time; a negative one is none.</summary>
    public void Add(TimeSpan time)
    {
        long ticks = Math.Max(time.Ticks, 0);
        _counts[BucketOf(ticks)]++;
        Volatile.Write(ref _ticks, _ticks + ticks);
    }

    private static int BucketOf(long ticks) => Math.Min(64 - BitOperations.LeadingZeroCount((ulong)ticks / TimeSpan.TicksPerMicrosecond), Buckets - 1);
}
