using System.Net.Sockets;
using Grpc.Net.Client;
using Xen.Contract.V1;

namespace Xen.Contract;

/// <summary>A connection to the xend of this user, over its Unix socket, or to one anywhere, over TCP with TLS.</summary>
public sealed partial class XendConnection : IDisposable
{
    private readonly GrpcChannel _channel;

    private XendConnection(GrpcChannel channel)
    {
        _channel = channel;
        Client = new Xend.XendClient(channel);
    }

    /// <summary>The calls.</summary>
    public Xend.XendClient Client { get; }

    /// <summary>Connects to a socket.</summary>
    /// <returns>Null: nobody listens there.</returns>
    /// <exception cref="IOException">The socket may not be used.</exception>
    public static async Task<XendConnection?> TryOpenAsync(string path, CancellationToken cancellation)
    {
        // The first connection is made here, so that "no xend" and "xend failed" are told apart.
        Socket? first = await TryConnectAsync(path, cancellation).ConfigureAwait(false);
        if (first is null)
            return null;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) =>
            {
                Socket socket = Interlocked.Exchange(ref first, null)
                    ?? await TryConnectAsync(path, stop).ConfigureAwait(false)
                    ?? throw new IOException($"xend no longer listens on {path}");
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return new XendConnection(GrpcChannel.ForAddress("http://xend", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true }));
    }

    public void Dispose() => _channel.Dispose();

    private static async Task<Socket?> TryConnectAsync(string path, CancellationToken cancellation)
    {
        Socket? socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
            Socket connected = socket;
            socket = null;
            return connected;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable || !File.Exists(path))
        {
            return null;
        }
        catch (SocketException e)
        {
            throw new IOException($"xend's socket {path} cannot be used: {e.Message}", e);
        }
        finally
        {
            socket?.Dispose();
        }
    }
}
