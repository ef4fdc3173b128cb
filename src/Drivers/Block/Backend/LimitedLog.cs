using System.Globalization;

namespace Xen.Drivers.Block.Backend;

/// <summary>Tells the operator, but no more than a few sentences per interval, whatever a guest does.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class LimitedLog(Action<string>? log, TimeProvider? clock = null)
{
    private const int MostPerInterval = 5;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private readonly Lock _lock = new();
    private long _start;
    private int _said;
    private long _unsaid;

    /// <summary>Whether a sentence would be heard; counts it if not. Ask before making one.</summary>
    public bool IsOpen()
    {
        if (log is null)
            return false;
        lock (_lock)
        {
            if (_said > 0 && _clock.GetElapsedTime(_start) >= Interval)
                _said = 0;
            if (_said == 0)
                _start = _clock.GetTimestamp();
            if (_said < MostPerInterval)
            {
                _said++;
                return true;
            }

            _unsaid++;
            return false;
        }
    }

    /// <summary>Says what no guest can make us say often.</summary>
    public void Always(string sentence) => log?.Invoke(sentence);

    /// <summary>Says a sentence, after <see cref="IsOpen"/>.</summary>
    public void Say(string sentence)
    {
        long unsaid;
        lock (_lock)
        {
            unsaid = _unsaid;
            _unsaid = 0;
        }

        log?.Invoke(unsaid == 0 ? sentence : sentence + string.Create(CultureInfo.InvariantCulture, $" ({unsaid} more like this before)"));
    }
}
