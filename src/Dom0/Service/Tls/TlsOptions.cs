using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using Xen.Contract;

namespace Xen.Service;

/// <summary>Where and as whom to listen for TLS.</summary>
/// <param name="EndPoint">The address; port 0: one that is free.</param>
/// <param name="Identity">Our certificate, and the CAs of clients.</param>
internal sealed record TlsOptions(IPEndPoint EndPoint, TlsIdentity Identity)
{
    /// <summary>Reads <c>ADDRESS:PORT</c>. The address is one of this host's in digits, <c>localhost</c>, or <c>*</c> for all of them; of IPv6 in brackets.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        endPoint = null;
        int colon = text.LastIndexOf(':');
        if (colon < 0 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port > IPEndPoint.MaxPort)
            return false;
        string host = text[..colon];
        bool bracketed = host.StartsWith('[') && host.EndsWith(']');
        IPAddress? address = host switch
        {
            "*" => IPAddress.IPv6Any,
            "localhost" => IPAddress.Loopback,
            _ when IPAddress.TryParse(bracketed ? host[1..^1] : host, out IPAddress? read) && bracketed == host.Contains(':', StringComparison.Ordinal) => read,
            _ => null,
        };
        if (address is null)
            return false;
        endPoint = new IPEndPoint(address, port);
        return true;
    }
}
