namespace Xen.Service;

/// <summary>Tells when there has been nothing to do for a while: no domain, and no call.</summary>
internal sealed class IdleWatch : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TimeSpan? _patience;
    private readonly Func<bool> _hasDomains;
    private readonly Timer _timer;
    private int _calls;

    /// <param name="patience">How long; null: it is never told.</param>
    /// <param name="hasDomains">Whether there is a domain.</param>
    /// <param name="idle">Told once or more, on a thread of the pool.</param>
    public IdleWatch(TimeSpan? patience, Func<bool> hasDomains, Action idle)
    {
        (_patience, _hasDomains) = (patience, hasDomains);
        _timer = new Timer(_ =>
        {
            if (IsIdle)
                idle();
        });
        Look();
    }

    private bool IsIdle
    {
        get
        {
            lock (_lock)
                return _calls == 0 && !_hasDomains();
        }
    }

    /// <summary>A call begins.</summary>
    public void Enter()
    {
        lock (_lock)
            _calls++;
    }

    /// <summary>A call has ended.</summary>
    public void Leave()
    {
        lock (_lock)
            _calls--;
        Look();
    }

    /// <summary>Something has changed.</summary>
    public void Look()
    {
        if (_patience is { } patience && IsIdle)
            _timer.Change(patience, Timeout.InfiniteTimeSpan);
    }

    public void Dispose() => _timer.Dispose();
}
