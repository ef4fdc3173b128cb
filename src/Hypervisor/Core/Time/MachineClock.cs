namespace Xen.Core;

/// <summary>
/// The machine's time: nanoseconds since it started, monotonic. It is Xen's system time and the guests' time-stamp counter at once,
/// so that the conversion a guest computes is exact.
/// </summary>
public sealed class MachineClock
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly ulong _frequency;

    public MachineClock(TimeProvider time)
    {
        _time = time;
        _start = time.GetTimestamp();
        _frequency = (ulong)time.TimestampFrequency;
        WallClockAtStart = (ulong)(time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100;
    }

    /// <summary>The time. <b>Units</b>: ns since the machine started.</summary>
    public ulong Now
    {
        get
        {
            ulong ticks = (ulong)(_time.GetTimestamp() - _start);
            return _frequency == NanosecondsPerSecond ? ticks : (ulong)((UInt128)ticks * NanosecondsPerSecond / _frequency);
        }
    }

    /// <summary>The civil time at which <see cref="Now"/> was 0. <b>Units</b>: ns since 1970, UTC.</summary>
    public ulong WallClockAtStart { get; }
}
