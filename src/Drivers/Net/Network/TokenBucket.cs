namespace Xen.Drivers.Net.Network;

/// <summary>
/// Keeps senders to a rate. Credit grows with time up to what a window may have; a frame may be sent while there is credit and may take more
/// than there is, which the next ones wait for: so frames larger than a window pass, and the rate is kept over time.
/// </summary>
/// <remarks>Any thread.</remarks>
public sealed class TokenBucket
{
    private readonly Lock _lock = new();
    private readonly RateLimit _limit;
    private readonly TimeProvider _clock;
    private long _last;

    // In bytes times ticks of the clock a second, so that nothing is lost by rounding.
    private Int128 _credit;

    public TokenBucket(RateLimit limit, TimeProvider? clock = null)
    {
        _limit = limit;
        _clock = clock ?? TimeProvider.System;
        _last = _clock.GetTimestamp();
        _credit = Most;
    }

    private Int128 Most => (Int128)_limit.BytesPerWindow * _clock.TimestampFrequency;

    /// <summary>Whether a frame may be sent now.</summary>
    /// <param name="wait">If not: how long until then.</param>
    public bool HasCredit(out TimeSpan wait)
    {
        lock (_lock)
        {
            Refill();
            wait = TimeSpan.Zero;
            if (_credit > 0)
                return true;
            double seconds = (double)(1 - _credit) / _limit.BytesPerSecond / _clock.TimestampFrequency;
            wait = TimeSpan.FromTicks((long)Math.Ceiling(seconds * TimeSpan.TicksPerSecond) + 1);
            return false;
        }
    }

    /// <summary>Takes the credit for a frame that is sent. <b>Units</b>: bytes.</summary>
    public void Charge(int bytes)
    {
        lock (_lock)
            _credit -= (Int128)bytes * _clock.TimestampFrequency;
    }

    private void Refill()
    {
        long now = _clock.GetTimestamp();
        _credit = Int128.Min(Most, _credit + ((Int128)(now - _last) * _limit.BytesPerSecond));
        _last = now;
    }
}
