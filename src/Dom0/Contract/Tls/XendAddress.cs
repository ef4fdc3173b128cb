using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Xen.Contract;

/// <summary>Where a xend listens for TLS, and as whom to come: <c>[tls://][NAME@]HOST:PORT</c>.</summary>
/// <param name="Host">A name or an IP address, without brackets. The server's certificate must be for it.</param>
/// <param name="Port">From 1 to 65535.</param>
/// <param name="Client">Whose certificate to show: NAME.crt in the folder of certificates.</param>
public sealed record XendAddress(string Host, int Port, string Client)
{
    private const string Scheme = "tls://";

    /// <summary>Reads one.</summary>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse(string text, [NotNullWhen(true)] out XendAddress? address)
    {
        address = null;
        if (text.StartsWith(Scheme, StringComparison.Ordinal))
            text = text[Scheme.Length..];
        string client = TlsFiles.PresetClient;
        int at = text.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
            (client, text) = (text[..at], text[(at + 1)..]);
        int colon = text.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port is < 1 or > 65535)
            return false;
        string host = text[..colon];
        bool bracketed = host.StartsWith('[') && host.EndsWith(']');
        if (bracketed)
            host = host[1..^1];
        if (!IsFileName(client) || Uri.CheckHostName(host) is UriHostNameType.Unknown or UriHostNameType.Basic || bracketed != host.Contains(':', StringComparison.Ordinal))
            return false;
        address = new XendAddress(host, port, client);
        return true;
    }

    /// <summary>Whether a name is one that a client's files may have: letters, digits, <c>.</c>, <c>-</c> and <c>_</c>, not beginning with a dot or a dash.</summary>
    public static bool IsFileName(string name) =>
        name.Length is > 0 and <= 64 && name[0] is not ('.' or '-') && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');

    /// <summary>HOST:PORT, as in a URL.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");
}
