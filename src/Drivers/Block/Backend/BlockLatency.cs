using System.Diagnostics;
using System.Numerics;

namespace Xen.Drivers.Block.Backend;

/// <summary>How long requests took, in powers of two of microseconds. Plain fields, written under the engine's lock; a reader sees each of them whole.</summary>
public sealed class BlockLatency
{
    /// <summary>Entries: the last counts everything above half an hour, too.</summary>
    public const int Buckets = 32;

    private readonly long[] _counts = new long[Buckets];

    /// <summary>Copies the counts: entry 0 is what took less than 1 µs, entry n what took 2^(n-1) µs up to 2^n.</summary>
    public long[] Read()
    {
        var copy = new long[Buckets];
        for (int i = 0; i < Buckets; i++)
            copy[i] = Volatile.Read(ref _counts[i]);
        return copy;
    }

    /// <summary>Counts a request; the engine's lock is held.</summary>
    /// <param name="since">When it was taken, as <see cref="Stopwatch.GetTimestamp"/> says.</param>
    internal void Add(long since) => Add(Stopwatch.GetElapsedTime(since));

    internal void Add(TimeSpan time) => _counts[BucketOf(time)]++;

    internal static int BucketOf(TimeSpan time)
    {
        ulong microseconds = time <= TimeSpan.Zero ? 0 : (ulong)time.Ticks / TimeSpan.TicksPerMicrosecond;
        return Math.Min(64 - BitOperations.LeadingZeroCount(microseconds), Buckets - 1);
    }
}
