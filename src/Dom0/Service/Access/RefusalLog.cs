using System.Diagnostics;
using System.Globalization;

namespace Xen.Service;

/// <summary>Says who was refused. Whoever is refused can come back at once, so most of many are only counted.</summary>
internal sealed class RefusalLog(XendLog log)
{
    /// <summary>Lines within <see cref="Period"/>.</summary>
    private const int MostLines = 10;

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long _began;
    private int _lines;
    private int _untold;

    public void Write(string reason)
    {
        lock (_lock)
        {
            if (_lines == 0 || Stopwatch.GetElapsedTime(_began) > Period)
                (_began, _lines) = (Stopwatch.GetTimestamp(), 0);
            if (_lines == MostLines)
            {
                _untold++;
                return;
            }

            _lines++;
            string more = _untold > 0 ? string.Create(CultureInfo.InvariantCulture, $" ({_untold} refusals before this one are not listed)") : "";
            _untold = 0;
            log.Write("refused: " + reason + more);
        }
    }
}
