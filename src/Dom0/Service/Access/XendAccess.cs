namespace Xen.Service;

/// <summary>The ways to xend, who may come by each of them, and the gate behind them all. Read this first.</summary>
/// <remarks>A connection is given its <see cref="Caller"/> by the way that it came by, and every call passes the <see cref="AccessGate"/>, which asks <see cref="CallAccess"/>.</remarks>
internal sealed class XendAccess
{
    public XendAccess(XendOptions options, XendLog log)
    {
        var refusals = new RefusalLog(log);
        Gate = new AccessGate(refusals);
        var shares = new ConnectionShares();
        Unix = new UnixAccess(options.SocketGroup, options.ReadersGroup, shares);
        Tls = options.Tls is { } tls ? new TlsAccess(tls, refusals, shares) : null;
    }

    public AccessGate Gate { get; }

    public UnixAccess Unix { get; }

    /// <summary>Null: TCP is not listened for.</summary>
    public TlsAccess? Tls { get; }
}
