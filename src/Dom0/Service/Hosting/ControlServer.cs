using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>Where clients come in: gRPC over HTTP/2, on the control socket and, where xend was told so, over TCP.</summary>
internal sealed class ControlServer : IAsyncDisposable
{
    /// <summary>Connections at once; one that comes when there are so many is closed at once. See <see cref="ConnectionShares"/>.</summary>
    internal const int MostConnections = 512;

    /// <summary>Calls of one connection at once.</summary>
    private const int MostCalls = 128;

    /// <summary>The longest request; a configuration is the longest there is. <b>Units</b>: bytes.</summary>
    private const int MostRequestBytes = 2 << 20;

    /// <summary>How long calls may take to end when xend stops.</summary>
    private static readonly TimeSpan LastCalls = TimeSpan.FromSeconds(5);

    private readonly string _socket;
    private readonly XendAccess _access;
    private readonly IdleWatch _idle;
    private readonly CallLanes _lanes = new();
    private readonly WebApplication _web;

    /// <summary>What is at the socket's path, if anything, is ours.</summary>
    private bool _hasSocket;

    private ControlServer(XendState state, XendAccess access, IdleWatch idle)
    {
        (_socket, _access, _idle) = (state.Paths.ServiceSocket, access, idle);
        _web = Build(state);
    }

    /// <summary>Starts: when this returns, clients are answered.</summary>
    /// <param name="state">What their calls work on.</param>
    /// <param name="access">The ways, and who may come by them.</param>
    /// <param name="idle">Told of calls.</param>
    /// <exception cref="ToolstackException">The socket cannot be made, or the address cannot be used.</exception>
    public static async Task<ControlServer> StartAsync(XendState state, XendAccess access, IdleWatch idle)
    {
        access.Unix.OpenFolder(state.Paths.RuntimeFolder);
        var server = new ControlServer(state, access, idle);
        try
        {
            await server.ListenAsync().ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(LastCalls);
        await _web.StopAsync(patience.Token).ConfigureAwait(false);
        await _web.DisposeAsync().ConfigureAwait(false);
        if (_hasSocket)
            File.Delete(_socket);
        _lanes.Dispose();
    }

    private WebApplication Build(XendState state)
    {
        // Nothing but what is named here: the other builders watch folders for configuration files.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.AddSingleton(state);
        builder.Services.AddSingleton(state.Log);
        builder.Services.AddSingleton(_lanes);
        builder.Services.AddSingleton(new ConsoleSeats());
        builder.Services.AddSingleton<Microsoft.Extensions.Hosting.IHostLifetime, OwnLifetime>();
        builder.Services.AddGrpc(static options =>
        {
            options.MaxReceiveMessageSize = MostRequestBytes;
            options.Interceptors.Add<FaultInterceptor>();
        });
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelCore();
        TlsAccess.Prepare(builder.WebHost);
        builder.WebHost.ConfigureKestrel(Configure);
        WebApplication web = builder.Build();
        web.Use(CountAsync);
        web.Use(_access.Gate.PassAsync);
        web.MapGrpcService<XendService>();
        return web;
    }

    private void Configure(KestrelServerOptions server)
    {
        server.AddServerHeader = false;
        server.Limits.MaxConcurrentConnections = MostConnections;
        server.Limits.Http2.MaxStreamsPerConnection = MostCalls;
        server.ListenUnixSocket(_socket, listener =>
        {
            listener.Protocols = HttpProtocols.Http2;
            ((IConnectionBuilder)listener).Use(_access.Unix.Recognise);
        });
        _access.Tls?.AddTo(server);
    }

    private async Task CountAsync(HttpContext context, RequestDelegate next)
    {
        _idle.Enter();
        try
        {
            await next(context).ConfigureAwait(false);
        }
        finally
        {
            _idle.Leave();
        }
    }

    private async Task ListenAsync()
    {
        try
        {
            // Whoever holds the lock may remove what another left behind.
            File.Delete(_socket);
            _hasSocket = true;
            await _web.StartAsync().ConfigureAwait(false);
            _access.Unix.OpenSocket(_socket);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ToolstackException($"the control socket {_socket} cannot be made: {e.Message} Set XEN_RUNTIME_DIR to a short path of your own.", e);
        }
    }
}
