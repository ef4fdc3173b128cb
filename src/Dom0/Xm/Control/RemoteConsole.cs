using System.Net.Sockets;
using Xen.Toolstack;

namespace Xen.Xm;

/// <summary>A console of a domain that another process runs: the other end of <see cref="ConsoleRelay"/>.</summary>
internal sealed class RemoteConsole(Socket socket) : IConsoleStream, IDisposable
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when there is nothing more to read: the domain has ended.</summary>
    public Task Ended => _ended.Task;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        int count;
        try
        {
            count = await socket.ReceiveAsync(buffer, cancellation).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            count = 0;
        }

        if (count == 0)
            _ended.TrySetResult();
        return count;
    }

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        try
        {
            while (bytes.Length > 0)
                bytes = bytes[await socket.SendAsync(bytes, cancellation).ConfigureAwait(false)..];
        }
        catch (SocketException)
        {
            // The domain has ended; reading says so.
        }
    }

    public void Dispose() => socket.Dispose();
}
