namespace Xen.Service;

/// <summary>Signals are this program's to handle, not a web server's.</summary>
internal sealed class OwnLifetime : Microsoft.Extensions.Hosting.IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
