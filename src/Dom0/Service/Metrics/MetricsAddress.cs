using System.Globalization;
using System.Net;

namespace Xen.Service;

/// <summary>Where metrics are offered, as <c>--metrics</c> says it.</summary>
internal static class MetricsAddress
{
    /// <summary>Reads <c>127.0.0.1:9090</c>, <c>[::1]:9090</c> or <c>localhost:9090</c>. Port 0 is any that is free.</summary>
    /// <param name="text">The option's value.</param>
    /// <param name="any">Whether others than this machine may reach it.</param>
    /// <param name="address">The address.</param>
    /// <returns>Null, or one sentence that says what is wrong.</returns>
    public static string? TryParse(string text, bool any, out IPEndPoint? address)
    {
        address = null;
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "" : text[..colon];
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            return $"--metrics is ADDRESS:PORT, such as 127.0.0.1:9090 or [::1]:9090, with a port from 0 to 65535, and is '{text}'.";
        bool isBracketed = host is ['[', .., ']'];
        if (host == "localhost")
            host = "127.0.0.1";
        if (!IPAddress.TryParse(isBracketed ? host[1..^1] : host, out IPAddress? ip) || isBracketed != host.Contains(':', StringComparison.Ordinal))
            return $"--metrics needs an IP address before the port, an IPv6 one in brackets, such as 127.0.0.1:9090 or [::1]:9090, and is '{text}'.";
        if (!any && !IPAddress.IsLoopback(ip))
            return $"--metrics {text} could be read by other machines, without a password: use 127.0.0.1, or say --metrics-any, too, if that is meant.";
        address = new IPEndPoint(ip, port);
        return null;
    }
}
