using System.Text;
using System.Threading.Channels;
using Grpc.Core;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>How a live <c>xm top</c> ended.</summary>
internal enum TopEnd
{
    /// <summary>A person left, or all iterations were shown.</summary>
    Left,

    /// <summary>Ctrl-C was typed.</summary>
    Interrupted,
}

/// <summary>A live <c>xm top</c>: samples, keys and changes of the size come in one queue, and each is drawn. Whatever ends it, the terminal is as before.</summary>
internal sealed class LiveTop(XmContext context, ITerminal terminal, Xend.XendClient client, TopScreen screen, TopPainter painter)
{
    /// <summary>Who presses keys faster than we draw waits.</summary>
    private const int MostWaiting = 64;

    private readonly Channel<Happening> _happenings = Channel.CreateBounded<Happening>(MostWaiting);

    /// <summary>Runs until a person leaves.</summary>
    /// <param name="iterations">How many samples are shown; null: no end.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="RpcException">xend ended.</exception>
    /// <exception cref="OperationCanceledException">It was told to stop.</exception>
    public async Task<TopEnd> RunAsync(int? iterations, CancellationToken stop)
    {
        using CancellationTokenSource leave = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using IDisposable raw = terminal.EnterRaw();
        using IDisposable resize = terminal.OnResize(() => _happenings.Writer.TryWrite(new Happening()));
        await SendAsync(TopPainter.Enter).ConfigureAwait(false);
        try
        {
            // A read from a terminal cannot be cancelled: its thread ends with the process.
            new Thread(() => ReadKeys(leave.Token)) { Name = "top-keys", IsBackground = true }.Start();
            return await ShowAsync(iterations, leave.Token).ConfigureAwait(false);
        }
        finally
        {
            await leave.CancelAsync().ConfigureAwait(false);
            await SendAsync(TopPainter.Leave).ConfigureAwait(false);
        }
    }

    private async Task<TopEnd> ShowAsync(int? iterations, CancellationToken cancellation)
    {
        CancellationTokenSource watch = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            _ = WatchAsync(screen.Delay, watch.Token);
            for (int shown = 0; ;)
            {
                Happening happening = await _happenings.Reader.ReadAsync(cancellation).ConfigureAwait(false);
                if (happening.Fault is { } fault)
                    throw fault;
                if (happening.Sample is { } sample)
                {
                    screen.Sample = TopSample.Of(sample, screen.Sample?.Raw);
                    shown++;
                }

                switch (happening.Key is { } press ? screen.Handle(press) : TopAction.Draw)
                {
                    case TopAction.Quit:
                        return TopEnd.Left;
                    case TopAction.Interrupt:
                        return TopEnd.Interrupted;
                    case TopAction.Delay:
                        await watch.CancelAsync().ConfigureAwait(false);
                        watch.Dispose();
                        watch = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                        _ = WatchAsync(screen.Delay, watch.Token);
                        break;
                    default:
                        break;
                }

                (int columns, int rows) = terminal.Size ?? (80, 24);
                await SendAsync(painter.Draw(screen, columns, rows)).ConfigureAwait(false);
                if (shown >= iterations)
                    return TopEnd.Left;
            }
        }
        finally
        {
            await watch.CancelAsync().ConfigureAwait(false);
            watch.Dispose();
        }
    }

    /// <summary>Puts samples in the queue until that is cancelled; a fault is the last.</summary>
    private async Task WatchAsync(TimeSpan delay, CancellationToken cancellation)
    {
        try
        {
            var request = new WatchStatisticsRequest { IntervalMs = (int)delay.TotalMilliseconds };
            using AsyncServerStreamingCall<StatisticsSample> call = client.WatchStatistics(request, cancellationToken: cancellation);
            while (await call.ResponseStream.MoveNext(cancellation).ConfigureAwait(false))
                await _happenings.Writer.WriteAsync(new Happening(Sample: call.ResponseStream.Current), cancellation).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is OperationCanceledException or RpcException)
        {
            if (!cancellation.IsCancellationRequested)
                await _happenings.Writer.WriteAsync(new Happening(Fault: fault), CancellationToken.None).ConfigureAwait(false);
        }
    }

    private void ReadKeys(CancellationToken cancellation)
    {
        byte[] buffer = new byte[256];
        try
        {
            int count;
            while ((count = context.Input.Read(buffer)) > 0)
            {
                foreach (TopKeyPress press in TopKeys.Decode(buffer.AsMemory(0, count)))
                    _happenings.Writer.WriteAsync(new Happening(press), cancellation).AsTask().GetAwaiter().GetResult();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // We leave, or the terminal has hung up: then writing says so.
        }
    }

    private async Task SendAsync(string text)
    {
        await context.Output.WriteAsync(Encoding.UTF8.GetBytes(text), CancellationToken.None).ConfigureAwait(false);
        await context.Output.FlushAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>A sample, a key, the end of samples; nothing of these: the size has changed.</summary>
    private readonly record struct Happening(TopKeyPress? Key = null, StatisticsSample? Sample = null, Exception? Fault = null);
}
