using Grpc.Core;

namespace Xen.Xm;

/// <summary>How a console session ended.</summary>
internal enum ConsoleEnd
{
    DomainEnded,

    /// <summary>Ctrl-] was typed.</summary>
    Left,

    /// <summary>Nobody reads our output any more, or the terminal hung up.</summary>
    HungUp,

    /// <summary>We were told to stop.</summary>
    Stopped,
}

/// <summary>
/// A person, or a pipe, at a domain's console: bytes go both ways until the domain ends or the person leaves. A pipe that
/// ends is not a person who leaves: the domain works on what it was told.
/// </summary>
internal sealed class ConsoleSession(XmContext context, RemoteConsole console)
{
    /// <summary>Ctrl-], as telnet and xm have it.</summary>
    private const byte Escape = 0x1D;

    private readonly TaskCompletionSource<ConsoleEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte _lastPrinted = (byte)'\n';

    /// <summary>Runs until the domain has ended or the session does.</summary>
    /// <param name="started">Called when the terminal is ready for the first output.</param>
    /// <param name="stop">Ends the session.</param>
    /// <exception cref="RpcException">xend ended, or refuses the console.</exception>
    public async Task<ConsoleEnd> RunAsync(Func<Task> started, CancellationToken stop)
    {
        ConsoleEnd end = await CarryAsync(started, stop).ConfigureAwait(false);

        // What we say next shall not stand behind the guest's prompt.
        if (context.Terminal is not null && end != ConsoleEnd.HungUp && _lastPrinted != '\n')
            await context.Error.WriteLineAsync().ConfigureAwait(false);
        return end;
    }

    private async Task<ConsoleEnd> CarryAsync(Func<Task> started, CancellationToken stop)
    {
        using IDisposable? raw = context.Terminal?.EnterRaw();
        using CancellationTokenSource leave = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await started().ConfigureAwait(false);
        Task output = CopyOutputAsync(leave.Token);

        // A read from a terminal cannot be cancelled: its thread ends with the process.
        new Thread(() => CopyInput(leave.Token)) { Name = "console-input", IsBackground = true }.Start();
        Task stopped = Task.Delay(Timeout.Infinite, leave.Token);
        await Task.WhenAny(_end.Task, output, stopped).ConfigureAwait(false);

        // Told to stop, all three may end at once: then it is that.
        bool told = stop.IsCancellationRequested;
        if (!told && _end.Task.IsCompleted)
            await console.FinishAsync(output).ConfigureAwait(false);
        await leave.CancelAsync().ConfigureAwait(false);
        await output.ConfigureAwait(false);
        return told ? ConsoleEnd.Stopped : _end.Task.IsCompleted ? await _end.Task.ConfigureAwait(false) : ConsoleEnd.DomainEnded;
    }

    private async Task CopyOutputAsync(CancellationToken cancellation)
    {
        byte[] buffer = new byte[16 * 1024];
        try
        {
            int count;
            while ((count = await console.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0)
            {
                await context.Output.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None).ConfigureAwait(false);
                await context.Output.FlushAsync(CancellationToken.None).ConfigureAwait(false);
                _lastPrinted = buffer[count - 1];
            }
        }
        catch (OperationCanceledException)
        {
            // The session ends.
        }
        catch (IOException)
        {
            _end.TrySetResult(ConsoleEnd.HungUp);
        }
    }

    private void CopyInput(CancellationToken cancellation)
    {
        byte[] buffer = new byte[4 * 1024];
        try
        {
            int count;
            while ((count = context.Input.Read(buffer)) > 0)
            {
                // Only a person leaves by a key; in a pipe the byte is data.
                int escape = context.Terminal is null ? -1 : buffer.AsSpan(0, count).IndexOf(Escape);
                console.WriteAsync(buffer.AsMemory(0, escape < 0 ? count : escape), cancellation).AsTask().GetAwaiter().GetResult();
                if (escape >= 0)
                {
                    _end.TrySetResult(ConsoleEnd.Left);
                    return;
                }
            }

            if (context.Terminal is not null)
                _end.TrySetResult(ConsoleEnd.HungUp);
        }
        catch (OperationCanceledException)
        {
            // The session ends.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            if (context.Terminal is not null)
                _end.TrySetResult(ConsoleEnd.HungUp);
        }
    }
}
