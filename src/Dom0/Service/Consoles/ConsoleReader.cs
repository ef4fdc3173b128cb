namespace Xen.Service;

/// <summary>One reader of a console, with what it has not read yet.</summary>
/// <param name="hub">Of the console.</param>
/// <param name="holdsGuest">The guest waits for it.</param>
internal sealed class ConsoleReader(ConsoleHub hub, bool holdsGuest) : IDisposable
{
    /// <summary>What may wait for it. <b>Units</b>: bytes.</summary>
    private const int BacklogBytes = 1 << 20;

    private readonly Lock _lock = new();
    private readonly ConsoleBacklog _backlog = new(BacklogBytes);
    private TaskCompletionSource? _waiting;
    private bool _ended;
    private bool _isStuck;

    /// <summary>Whether the guest waits for it, as long as it goes on reading: an operator's. Whoever may only look changes nothing of a domain, its pace neither.</summary>
    public bool HoldsGuest => holdsGuest;

    /// <summary>Whether half of what may wait does.</summary>
    public bool IsFull
    {
        get
        {
            lock (_lock)
                return _backlog.Count > BacklogBytes / 2;
        }
    }

    /// <summary>Took nothing for long: the guest does not wait for it, until it reads again.</summary>
    public bool IsStuck
    {
        get => Volatile.Read(ref _isStuck);
        set => Volatile.Write(ref _isStuck, value);
    }

    /// <summary>Reads what is there, waiting for the first byte.</summary>
    /// <returns>How many bytes, and how many were lost before them; 0 bytes: the console has ended.</returns>
    public async ValueTask<(int Count, long Lost)> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        while (true)
        {
            if (TryRead(buffer.Span, out int count, out long lost, out Task some))
            {
                IsStuck = false;
                hub.NoteRead();
                return (count, lost);
            }

            await some.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            _backlog.Append(bytes);
            _waiting?.TrySetResult();
        }
    }

    public void End()
    {
        lock (_lock)
        {
            _ended = true;
            _waiting?.TrySetResult();
        }
    }

    public void Dispose() => hub.Leave(this);

    private bool TryRead(Span<byte> buffer, out int count, out long lost, out Task some)
    {
        lock (_lock)
        {
            lost = _backlog.TakeLost();
            count = _backlog.Take(buffer);
            some = Task.CompletedTask;
            if (count > 0 || _ended)
                return true;
            _waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            some = _waiting.Task;
            return false;
        }
    }
}
