using System.Net.Sockets;

namespace Xen.XenStore;

/// <summary>A client on the socket. Its requests are read only while its answers go out.</summary>
internal sealed class StoreSocketConnection(StoreServer server, StoreSocketServer owner, StoreDomain domain, Socket socket)
    : StoreClient(domain), IThreadPoolWorkItem, IDisposable
{
    private const int BufferSize = 8 * 1024;

    /// <summary>Answers that wait before they are sent, though more requests have come.</summary>
    private const int Batch = 32;

    private readonly CancellationTokenSource _stop = new();
    private readonly PacketAssembler _packet = new();

    /// <summary>Who has it sends.</summary>
    private readonly SemaphoreSlim _sending = new(1);
    private readonly byte[] _input = new byte[BufferSize];
    private readonly byte[] _output = new byte[BufferSize];
    private int _woken;
    private int _overflowed;

    protected override int EventLimit => owner.EventBytes;

    public void Start() => _ = Task.Run(ServeAsync);

    /// <summary>Ends the connection, soon.</summary>
    public void Stop()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Takes the connection down; what it still tries to send fails.</summary>
    public void Dispose()
    {
        server.Disconnect(this);
        owner.Forget(this);
        socket.Dispose();
        _stop.Dispose();
    }

    public override void Wake()
    {
        if (Interlocked.Exchange(ref _woken, 1) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute() => _ = FlushWokenAsync();

    /// <summary>The client does not read, and the limit of what waits for it is reached: it may connect again.</summary>
    protected override void OnEventsFull(StoreWatch watch)
    {
        if (Interlocked.Exchange(ref _overflowed, 1) == 0)
            ThreadPool.UnsafeQueueUserWorkItem(static client => client.Stop(), this, preferLocal: false);
    }

    private static bool IsEnd(Exception e) => e is SocketException or OperationCanceledException or ObjectDisposedException;

    private async Task ServeAsync()
    {
        try
        {
            while (!_packet.IsBroken)
            {
                int count = await socket.ReceiveAsync(_input, _stop.Token).ConfigureAwait(false);
                if (count == 0)
                    return;
                for (int at = 0; at < count && !_packet.IsBroken;)
                {
                    at += Handle(_input.AsSpan(at, count - at));
                    await FlushAsync(woken: false).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The client is gone, or we are told to end.
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>Handles requests until the bytes end or a batch of answers waits.</summary>
    /// <returns>The number of bytes used.</returns>
    private int Handle(ReadOnlySpan<byte> bytes)
    {
        int used = 0;
        for (int handled = 0; used < bytes.Length && handled < Batch;)
        {
            Span<byte> wanted = _packet.Wanted;
            int count = Math.Min(wanted.Length, bytes.Length - used);
            bytes.Slice(used, count).CopyTo(wanted);
            used += count;
            _packet.Took(count);
            if (_packet.IsBroken)
                break;
            if (!_packet.IsComplete)
                continue;
            server.Requests.Handle(this, _packet.Header, _packet.Payload);
            _packet.Restart();
            handled++;
        }

        return used;
    }

    private async Task FlushWokenAsync()
    {
        try
        {
            await FlushAsync(woken: true).ConfigureAwait(false);
        }
        catch (Exception e) when (IsEnd(e))
        {
            // The reading side ends the connection.
            Stop();
        }
    }

    private async ValueTask FlushAsync(bool woken)
    {
        await _sending.WaitAsync(_stop.Token).ConfigureAwait(false);
        try
        {
            // From here on a new event needs a new turn: it may come after we looked. Not before, or turns would queue up.
            if (woken)
                Interlocked.Exchange(ref _woken, 0);
            while (true)
            {
                int count = Fill();
                if (count == 0)
                    return;
                for (int sent = 0; sent < count;)
                    sent += await socket.SendAsync(_output.AsMemory(sent, count - sent), SocketFlags.None, _stop.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    private int Fill()
    {
        int count = 0;
        while (count < _output.Length)
        {
            ReadOnlySpan<byte> bytes = Outbox.Peek();
            if (bytes.IsEmpty)
                break;
            int part = Math.Min(bytes.Length, _output.Length - count);
            bytes[..part].CopyTo(_output.AsSpan(count));
            Outbox.Sent(part);
            count += part;
        }

        return count;
    }
}
