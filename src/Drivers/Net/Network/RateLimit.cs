using System.Globalization;

namespace Xen.Drivers.Net.Network;

/// <summary>How fast a guest may send.</summary>
/// <param name="BytesPerSecond"><b>Units</b>: bytes a second.</param>
/// <param name="Window">In how short a time the rate has to be kept; so much can be sent at once.</param>
public readonly record struct RateLimit(long BytesPerSecond, TimeSpan Window)
{
    /// <summary>The window where none is given.</summary>
    public static readonly TimeSpan DefaultWindow = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan LongestWindow = TimeSpan.FromSeconds(10);

    // A terabyte a second, so that no product overflows.
    private const long MostBytesPerSecond = 1_000_000_000_000;

    /// <summary>What may be sent in a window. <b>Units</b>: bytes.</summary>
    public long BytesPerWindow => Math.Max(1, (long)(BytesPerSecond * Window.TotalSeconds));

    /// <summary>The value of the backend's "rate" node: bytes, then the window in microseconds.</summary>
    public string ToNode() => string.Create(CultureInfo.InvariantCulture, $"{BytesPerWindow},{(long)Window.TotalMicroseconds}");

    /// <summary>
    /// Reads "10Mb/s", "1MB/s@20ms": a number, G, M or K (powers of 1000) or none, b for bits or B for bytes, "/s"; then perhaps a window
    /// in us, ms or s.
    /// </summary>
    /// <returns>Null, or one sentence that says what is wrong.</returns>
    public static string? TryParse(string text, out RateLimit limit)
    {
        ArgumentNullException.ThrowIfNull(text);
        limit = default;
        string[] parts = text.Trim().Split('@');
        if (parts.Length > 2 || !TryRate(parts[0], out long rate))
            return $"rate '{text}' is not of the form 10Mb/s or 1MB/s@20ms";
        TimeSpan window = DefaultWindow;
        if (parts.Length == 2 && !TryWindow(parts[1], out window))
            return $"the window '{parts[1]}' of rate '{text}' is not of the form 20ms, 500us or 1s, 10s being the longest";
        limit = new RateLimit(rate, window);
        return null;
    }

    private static bool TryRate(string text, out long bytesPerSecond)
    {
        bytesPerSecond = 0;
        int digits = Digits(text);
        if (!long.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out long value) || value > MostBytesPerSecond)
            return false;
        string unit = text[digits..];
        long factor = unit.Length == 4 ? unit[0] switch { 'G' => 1_000_000_000, 'M' => 1_000_000, 'K' or 'k' => 1000, _ => 0 } : 1;
        if (unit.Length is not (3 or 4) || unit[^2..] != "/s" || unit[^3] is not ('b' or 'B') || factor == 0 || value > MostBytesPerSecond * 8 / factor)
            return false;
        bytesPerSecond = unit[^3] == 'b' ? value * factor / 8 : value * factor;
        return bytesPerSecond is > 0 and <= MostBytesPerSecond;
    }

    private static bool TryWindow(string text, out TimeSpan window)
    {
        window = default;
        int digits = Digits(text);
        if (!uint.TryParse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out uint value))
            return false;
        window = text[digits..] switch
        {
            "us" => TimeSpan.FromMicroseconds(value),
            "ms" => TimeSpan.FromMilliseconds(value),
            "s" => TimeSpan.FromSeconds(value),
            _ => default,
        };
        return window > TimeSpan.Zero && window <= LongestWindow;
    }

    private static int Digits(string text)
    {
        int count = 0;
        while (count < text.Length && char.IsAsciiDigit(text[count]))
            count++;
        return count;
    }
}
