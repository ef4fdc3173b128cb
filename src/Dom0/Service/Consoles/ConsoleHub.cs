using Xen.Toolstack;

namespace Xen.Service;

/// <summary>
/// A console for any number of readers: reads what the guest writes all the time, keeps the last of it, and hands it to who is there. The guest waits for the
/// fastest of its operators, as long as that one goes on reading; who is slower loses the oldest, and so does whoever may only look.
/// </summary>
internal sealed class ConsoleHub : IAsyncDisposable
{
    /// <summary>What of the past is kept. <b>Units</b>: bytes.</summary>
    private const int HistoryBytes = 64 * 1024;

    private const int BufferBytes = 16 * 1024;

    /// <summary>How long the guest waits for a reader that takes nothing.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>How long handing out the last of an ended domain may take.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly IDomainConsole _console;
    private readonly IDisposable? _hold;
    private readonly ConsoleBacklog _history = new(HistoryBytes);
    private readonly List<ConsoleReader> _readers = [];
    private readonly SemaphoreSlim _typing = new(1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;
    private TaskCompletionSource _someRead = NewSignal();
    private bool _ended;

    /// <param name="console">Nobody else reads it from now on.</param>
    public ConsoleHub(IDomainConsole console)
    {
        _console = console;
        _hold = console.TryTake();

        // On the pool, and with turns: a guest can write all the time, and what it writes would never make us wait.
        _reading = Task.Run(ReadAsync);
    }

    /// <summary>Comes to the console.</summary>
    /// <param name="history">Whether what was shown last is to be read first.</param>
    /// <param name="holdsGuest">Whether the guest waits for it.</param>
    public ConsoleReader Join(bool history, bool holdsGuest = true)
    {
        lock (_lock)
        {
            var reader = new ConsoleReader(this, holdsGuest);
            if (history)
                reader.Append(_history.Peek());
            if (_ended)
                reader.End();
            else
                _readers.Add(reader);
            return reader;
        }
    }

    /// <summary>Types; completes when the guest has room for it. What two type at once is not mixed within a call.</summary>
    public async Task TypeAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        await _typing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            await _console.WriteAsync(bytes, cancellation).ConfigureAwait(false);
        }
        finally
        {
            _typing.Release();
        }
    }

    /// <summary>Hands out what the domain, which has ended, wrote last, and lets go of the console.</summary>
    public async ValueTask DisposeAsync()
    {
        _stop.CancelAfter(LastWords);
        await _reading.ConfigureAwait(false);
        _hold?.Dispose();
        _stop.Dispose();
    }

    internal void Leave(ConsoleReader reader)
    {
        lock (_lock)
            _readers.Remove(reader);
        NoteRead();
    }

    /// <summary>A reader has taken something.</summary>
    internal void NoteRead()
    {
        lock (_lock)
            _someRead.TrySetResult();
    }

    private async Task ReadAsync()
    {
        byte[] buffer = new byte[BufferBytes];
        try
        {
            int count;
            while ((count = await _console.ReadAsync(buffer, _stop.Token).ConfigureAwait(false)) > 0)
            {
                HandOut(buffer.AsSpan(0, count));
                await WaitForRoomAsync().ConfigureAwait(false);

                // Behind everything else that waits for the pool.
                await Task.Yield();
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed of before the domain's last words.
        }

        lock (_lock)
        {
            _ended = true;
            foreach (ConsoleReader reader in _readers)
                reader.End();
            _readers.Clear();
        }
    }

    private void HandOut(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            _history.Append(bytes);
            foreach (ConsoleReader reader in _readers)
                reader.Append(bytes);
        }
    }

    private async Task WaitForRoomAsync()
    {
        while (true)
        {
            Task read;
            lock (_lock)
            {
                if (_readers.TrueForAll(static reader => !reader.HoldsGuest || reader.IsStuck) || _readers.Exists(static reader => reader.HoldsGuest && !reader.IsFull))
                    return;
                if (_someRead.Task.IsCompleted)
                    _someRead = NewSignal();
                read = _someRead.Task;
            }

            try
            {
                await read.WaitAsync(Patience, _stop.Token).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                lock (_lock)
                    _readers.ForEach(static reader => reader.IsStuck = reader.IsFull);
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
