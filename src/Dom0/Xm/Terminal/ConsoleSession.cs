using Xen.Toolstack;

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
internal sealed class ConsoleSession(XmContext context, IConsoleStream console)
{
    /// <summary>Ctrl-], as telnet and xm have it.</summary>
    private const byte Escape = 0x1D;

    /// <summary>How long we wait for the rest of the output of a domain that has ended.</summary>
    private static readonly TimeSpan LastOutput = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource<ConsoleEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte _lastPrinted = (byte)'\n';

    /// <summary>Runs until the domain has ended or the session does.</summary>
    /// <param name="domainEnded">Completes when the domain has.</param>
    /// <param name="started">Called when the terminal is ready for the first output.</param>
    /// <param name="stop">Ends the session.</param>
    public async Task<ConsoleEnd> RunAsync(Task domainEnded, Action started, CancellationToken stop)
    {
        ConsoleEnd end = await CarryAsync(domainEnded, started, stop).ConfigureAwait(false);
        // What we say next shall not stand behind the guest's prompt.
        if (context.Terminal is not null && end != ConsoleEnd.HungUp && _lastPrinted != '\n')
            await context.Error.WriteLineAsync().ConfigureAwait(false);
        return end;
    }

    private async Task<ConsoleEnd> CarryAsync(Task domainEnded, Action started, CancellationToken stop)
    {
        using IDisposable? raw = context.Terminal?.EnterRaw();
        using CancellationTokenSource leave = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task output = CopyOutputAsync(leave.Token);
        // A read from a terminal cannot be cancelled: its thread ends with the process.
        new Thread(() => CopyInput(leave.Token)) { Name = "console-input", IsBackground = true }.Start();
        started();

        Task stopped = Task.Delay(Timeout.Infinite, leave.Token);
        Task first = await Task.WhenAny(domainEnded, _end.Task, stopped).ConfigureAwait(false);
        ConsoleEnd end = first == domainEnded ? ConsoleEnd.DomainEnded
            : first == _end.Task ? await _end.Task.ConfigureAwait(false)
            : ConsoleEnd.Stopped;
        if (end == ConsoleEnd.DomainEnded)
            await Task.WhenAny(output, Task.Delay(LastOutput, stop)).ConfigureAwait(false);
        await leave.CancelAsync().ConfigureAwait(false);
        await output.ConfigureAwait(false);
        return end;
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
