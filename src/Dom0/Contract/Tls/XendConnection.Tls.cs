using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;

namespace Xen.Contract;

/// <summary>The way by TCP, where both ends show certificates.</summary>
public sealed partial class XendConnection
{
    /// <summary>How long it may take until TLS is spoken.</summary>
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(20);

    /// <summary>Connects to a xend that listens for TLS.</summary>
    /// <param name="address">Where.</param>
    /// <param name="identity">As whom, and which CA the server's certificate must be from.</param>
    /// <param name="cancellation">Ends the attempt.</param>
    /// <exception cref="IOException">Nobody is there, or it is not the xend that was meant: the message says why.</exception>
    public static async Task<XendConnection> OpenTlsAsync(XendAddress address, TlsIdentity identity, CancellationToken cancellation)
    {
        Stream? first = await ConnectTlsAsync(address, identity, cancellation).ConfigureAwait(false);
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) => Interlocked.Exchange(ref first, null) ?? await ConnectTlsAsync(address, identity, stop).ConfigureAwait(false),
        };
        return new XendConnection(GrpcChannel.ForAddress("https://" + address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true }));
    }

    private static async Task<Stream> ConnectTlsAsync(XendAddress address, TlsIdentity identity, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(ConnectPatience);
        Socket? socket = null;
        SslStream? stream = null;
        string? wrong = null;
        try
        {
            socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(address.Host, address.Port, patience.Token).ConfigureAwait(false);
            stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await stream.AuthenticateAsClientAsync(Options(address, identity, reason => wrong = reason), patience.Token).ConfigureAwait(false);
            SslStream connected = stream;
            (socket, stream) = (null, null);
            return connected;
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new IOException($"{address} does not answer: is it a xend that was started with --listen, and does no firewall stand between?", e);
        }
        catch (SocketException e)
        {
            throw new IOException($"no xend can be reached at {address}: {e.Message}", e);
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            throw new IOException(wrong ?? $"{address} and xm do not agree on TLS, or it is no xend that was started with --listen: {(e.InnerException ?? e).Message}", e);
        }
        finally
        {
            if (stream is not null)
                await stream.DisposeAsync().ConfigureAwait(false);
            socket?.Dispose();
        }
    }

    private static SslClientAuthenticationOptions Options(XendAddress address, TlsIdentity identity, Action<string> isWrong) => new()
    {
        TargetHost = address.Host,
        ClientCertificateContext = identity.Context,
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        CertificateChainPolicy = identity.NewPolicy(TlsIdentity.ServerAuthentication),
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
        {
            if (WhatIsWrong(address, identity, certificate as X509Certificate2, chain, errors) is not { } wrong)
                return true;
            isWrong(wrong);
            return false;
        },
    };

    private static string? WhatIsWrong(XendAddress address, TlsIdentity identity, X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (certificate is null)
            return $"{address} shows no certificate, and so is no xend.";
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            X509ChainStatusFlags all = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, static (sum, one) => sum | one.Status) ?? X509ChainStatusFlags.NoError;
            return (all & ~X509ChainStatusFlags.NotTimeValid) == 0
                ? $"the certificate of {address} has expired, or a clock is wrong: xm cert --server makes another there."
                : all.HasFlag(X509ChainStatusFlags.NotValidForUsage)
                ? $"the certificate of {address} is not one for servers, so it may be somebody else who listens there."
                : $"the certificate of {address} is not from the CA in {identity.Files.Authority}: if it is the right xend, copy its ca.crt there.";
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            IEnumerable<string> names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>()
                .SelectMany(static san => san.EnumerateDnsNames().Concat(san.EnumerateIPAddresses().Select(static ip => ip.ToString())));
            return $"the certificate of {address} is not for {address.Host} but for {string.Join(", ", names)}: connect by one of these names, or have one made there by xm cert --server --name {address.Host}.";
        }

        return errors == SslPolicyErrors.None && TlsIdentity.IsFor(certificate, TlsIdentity.ServerAuthentication) ? null
            : $"the certificate of {address} is not one for servers, so it may be somebody else who listens there.";
    }
}
