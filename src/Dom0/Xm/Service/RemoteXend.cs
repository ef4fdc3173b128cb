using Xen.Contract;

namespace Xen.Xm;

/// <summary>A xend that is reached over TCP. xm does not start it, and paths in requests are paths of its host.</summary>
/// <param name="Address">Where it listens.</param>
/// <param name="Files">As whom we come.</param>
internal sealed record RemoteXend(XendAddress Address, TlsFiles Files)
{
    /// <summary>What a connection that ends means. With TLS 1.3 a server refuses a client's certificate when the client already thinks that it is in.</summary>
    public string Lost =>
        $"{Address} ended the connection: it has ended itself, or it does not accept the certificate {Files.Certificate}, which must be from the CA that xend was started with.";

    /// <exception cref="XmException">Our certificates are not fit for use, or the other end is not what it should be.</exception>
    public async Task<XendConnection> OpenAsync(CancellationToken cancellation)
    {
        try
        {
            return await XendConnection.OpenTlsAsync(Address, TlsIdentity.Load(Files, TlsIdentity.ClientAuthentication), cancellation).ConfigureAwait(false);
        }
        catch (IOException fault)
        {
            throw new XmException(fault.Message, fault);
        }
    }
}
