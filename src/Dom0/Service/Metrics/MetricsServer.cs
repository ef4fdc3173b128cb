using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Xen.Toolstack;

namespace Xen.Service;

/// <summary>
/// Offers metrics to Prometheus: <c>GET /metrics</c> over HTTP/1.1, on a listener of its own that has nothing else to offer. It has no
/// password, and changes nothing.
/// </summary>
internal sealed class MetricsServer : IAsyncDisposable
{
    private const string Path = "/metrics";
    private const int MostConnections = 32, MostHeaderBytes = 8 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10), LastCalls = TimeSpan.FromSeconds(1);

    private readonly WebApplication _web;
    private readonly StatisticsSampler _sampler;

    // Scrapes one after the other: many at once would cost as much as many samples.
    private readonly SemaphoreSlim _turn = new(1);

    private MetricsServer(WebApplication web, StatisticsSampler sampler) => (_web, _sampler) = (web, sampler);

    /// <summary>Where it is reached, with the port that was chosen.</summary>
    public string Url => _web.Urls.First() + Path;

    /// <summary>Starts it.</summary>
    /// <exception cref="ToolstackException">The address cannot be used.</exception>
    public static async Task<MetricsServer> StartAsync(IPEndPoint address, StatisticsSampler sampler)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.AddSingleton<Microsoft.Extensions.Hosting.IHostLifetime, OwnLifetime>();
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(server =>
        {
            server.AddServerHeader = false;
            server.Limits.MaxConcurrentConnections = MostConnections;
            server.Limits.MaxRequestBodySize = 0;
            server.Limits.MaxRequestHeadersTotalSize = MostHeaderBytes;
            server.Limits.RequestHeadersTimeout = Patience;
            server.Listen(address, static listener => listener.Protocols = HttpProtocols.Http1);
        });
        var metrics = new MetricsServer(builder.Build(), sampler);
        metrics._web.Run(metrics.AnswerAsync);
        try
        {
            await metrics._web.StartAsync().ConfigureAwait(false);
            return metrics;
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            await metrics.DisposeAsync().ConfigureAwait(false);
            string why = (e.GetBaseException() as System.Net.Sockets.SocketException)?.Message ?? e.Message;
            throw new ToolstackException($"metrics cannot be offered at {address}: {why.TrimEnd('.')}; give --metrics another address or port, 0 for any port.", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(LastCalls);
        await _web.StopAsync(patience.Token).ConfigureAwait(false);
        await _web.DisposeAsync().ConfigureAwait(false);
        _turn.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        HttpResponse response = context.Response;
        if (context.Request.Path != Path)
        {
            await SayAsync(response, StatusCodes.Status404NotFound, "Metrics are at " + Path + ".\n").ConfigureAwait(false);
            return;
        }

        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            response.Headers.Allow = "GET, HEAD";
            await SayAsync(response, StatusCodes.Status405MethodNotAllowed, "Metrics can only be read.\n").ConfigureAwait(false);
            return;
        }

        string text = await WriteAsync(context.RequestAborted).ConfigureAwait(false);
        response.ContentType = MetricsText.ContentType;
        await SendAsync(response, text).ConfigureAwait(false);
    }

    private async Task<string> WriteAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // A sample may have to wait for a domain: not on a thread of the pool.
            return await Task.Factory.StartNew(
                () => XendMetrics.Write(_sampler.Sample(), ProcessFigures.Read()), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private static Task SayAsync(HttpResponse response, int status, string text)
    {
        response.StatusCode = status;
        response.ContentType = "text/plain; charset=utf-8";
        return SendAsync(response, text);
    }

    private static Task SendAsync(HttpResponse response, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        response.ContentLength = bytes.Length;
        return HttpMethods.IsHead(response.HttpContext.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(bytes).AsTask();
    }
}
