using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Xen.Contract;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>
/// The way by TCP: TLS 1.2 or 1.3, to which both ends bring certificates. The client's must be from our CA and for clients, and says in its subject's OU
/// what it may do. Who brings none gets nothing, and nothing of what he sends is looked at beyond the handshake.
/// </summary>
internal sealed class TlsAccess(TlsOptions options, RefusalLog refusals, ConnectionShares shares)
{
    /// <summary>Handshakes under way.</summary>
    private const int MostHandshakes = 128;

    private static readonly TimeSpan HandshakePatience = TimeSpan.FromSeconds(10);

    /// <summary>Looking after connections on which nothing is said: a client whose network is gone does not say so. <b>Units</b>: seconds.</summary>
    private const int KeepAliveTime = 60, KeepAliveInterval = 10, KeepAliveRetries = 5;

    private readonly YoungestConnections _handshakes = new(MostHandshakes);
    private ListenOptions? _listener;

    /// <summary>Where it listens, with the port that it got.</summary>
    public IPEndPoint? Bound => _listener?.IPEndPoint;

    /// <summary>Handshakes under way now.</summary>
    public int Handshakes => _handshakes.Count;

    /// <summary>Has sockets made in a way that a failure names the address.</summary>
    public static void Prepare(IWebHostBuilder builder) => builder.ConfigureServices(static services => services.Configure<SocketTransportOptions>(static transport =>
        transport.CreateBoundListenSocket = static endPoint =>
        {
            try
            {
                return SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
            }
            catch (SocketException e) when (endPoint is IPEndPoint)
            {
                throw new ToolstackException($"{endPoint} cannot be listened on: {e.Message}; --listen takes an address of this host and a free port.", e);
            }
        }));

    public void AddTo(KestrelServerOptions server)
    {
        if (options.EndPoint.Address.Equals(IPAddress.IPv6Any))
            server.ListenAnyIP(options.EndPoint.Port, Configure);
        else
            server.Listen(options.EndPoint, Configure);
    }

    private void Configure(ListenOptions listener)
    {
        _listener = listener;
        listener.Protocols = HttpProtocols.Http2;
        ((IConnectionBuilder)listener).Use(Watch);
        listener.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(NewServerOptions()), HandshakeTimeout = HandshakePatience });
        ((IConnectionBuilder)listener).Use(Recognise);
    }

    private SslServerAuthenticationOptions NewServerOptions() => new()
    {
        ServerCertificateContext = options.Identity.Context,
        ClientCertificateRequired = true,
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        CertificateChainPolicy = options.Identity.NewPolicy(TlsIdentity.ClientAuthentication),
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        AllowRenegotiation = false,

        // A resumed session would not show its certificate again, which may have expired meanwhile.
        AllowTlsResume = false,
        RemoteCertificateValidationCallback = static (_, certificate, _, errors) =>
            errors == SslPolicyErrors.None && certificate is X509Certificate2 client && TlsIdentity.IsFor(client, TlsIdentity.ClientAuthentication),
    };

    /// <summary>Before the handshake.</summary>
    private ConnectionDelegate Watch(ConnectionDelegate next) => async connection =>
    {
        var handshake = new Handshake(_handshakes.Enter(connection));
        connection.Features.Set(handshake);
        try
        {
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            _handshakes.Leave(handshake.Node);
            if (!handshake.IsDone)
                refusals.Write($"a client at {connection.RemoteEndPoint}: no TLS, or no certificate for clients from the CA in {options.Identity.Files.Authority}");
        }
    };

    /// <summary>After it.</summary>
    private ConnectionDelegate Recognise(ConnectionDelegate next) => connection =>
    {
        Handshake handshake = connection.Features.GetRequiredFeature<Handshake>();
        handshake.IsDone = true;
        _handshakes.Leave(handshake.Node);
        KeepAlive(connection.Features.Get<IConnectionSocketFeature>()?.Socket);
        return shares.ServeAsync(connection, CertificateRole.Decide(connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate, connection.RemoteEndPoint), next);
    };

    private static void KeepAlive(Socket? socket)
    {
        try
        {
            socket?.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket?.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveTime);
            socket?.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveInterval);
            socket?.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveRetries);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client has left already.
        }
    }

    private sealed class Handshake(LinkedListNode<ConnectionContext> node)
    {
        public LinkedListNode<ConnectionContext> Node => node;

        public bool IsDone { get; set; }
    }
}
