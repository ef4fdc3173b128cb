namespace Xen.Drivers.Console;

/// <summary>
/// The host's end of a console: what the guest printed waits here for a reader, what was typed waits for the guest. It outlives
/// the rings: a domain that is rebuilt attaches a new <see cref="ConsoleBackend"/> to the same pipe.
/// </summary>
/// <remarks>
/// Both directions are bounded. While somebody reads, output that does not fit stays in the ring and the guest waits; while nobody
/// does, the oldest output is lost. Typing waits for room. All members may be called from any thread.
/// </remarks>
public sealed class ConsolePipe : IDisposable
{
    /// <summary>Output kept for a reader. <b>Units</b>: bytes.</summary>
    public const int OutputCapacity = 64 * 1024;

    /// <summary>Typed bytes kept for the guest, beside those in its ring. <b>Units</b>: bytes.</summary>
    public const int InputCapacity = 4 * 1024;

    /// <summary>Guards everything below; a leaf: nothing is called while it is held.</summary>
    private readonly Lock _lock = new();
    private readonly ByteQueue _output = new(OutputCapacity);
    private readonly ByteQueue _input = new(InputCapacity);
    private readonly ConsoleLog? _log;
    private bool _reading;
    private bool _ended;
    private long _lost;
    private Action? _pump;
    private TaskCompletionSource _changed = NewSignal();

    /// <param name="log">Where output is also written; owned by this object.</param>
    public ConsolePipe(ConsoleLog? log = null) => _log = log;

    /// <summary>Output bytes lost because nobody read.</summary>
    public long LostBytes
    {
        get
        {
            lock (_lock)
                return _lost;
        }
    }

    /// <summary>Reads what the guest printed, waiting for the first byte. From the first call on the guest waits for its reader, until one is cancelled or <see cref="StopReading"/>.</summary>
    /// <returns>The number of bytes; 0 after <see cref="End"/> when all was read.</returns>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        while (true)
        {
            int count;
            Task changed;
            lock (_lock)
            {
                _reading = true;
                count = _output.Peek(buffer.Span);
                _output.Drop(count);
                if (count == 0 && (_ended || buffer.Length == 0))
                    return 0;
                changed = _changed.Task;
            }

            if (count > 0)
            {
                Pump();
                return count;
            }

            await WaitAsync(changed, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>There is no reader any more: the guest does not wait for one.</summary>
    public void StopReading()
    {
        lock (_lock)
            _reading = false;

        // What waited for the reader may be needed no longer.
        Pump();
    }

    /// <summary>Types into the console, waiting for room. Bytes typed after <see cref="End"/> are dropped.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (bytes.Length > 0)
        {
            Task changed;
            lock (_lock)
            {
                if (_ended)
                    return;
                bytes = bytes[_input.Add(bytes.Span)..];
                changed = _changed.Task;
            }

            Pump();
            if (bytes.Length > 0)
                await changed.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>No more output will come: readers get what is left, then 0.</summary>
    public void End()
    {
        lock (_lock)
            _ended = true;
        Signal();
    }

    public void Dispose()
    {
        End();
        _log?.Dispose();
    }

    /// <summary>Sets what carries bytes between rings and pipe; it is called when there is input to take or room for output.</summary>
    internal void SetPump(Action? pump)
    {
        lock (_lock)
            _pump = pump;
    }

    /// <summary>How much output fits now: all of it while nobody reads.</summary>
    internal int OutputRoom
    {
        get
        {
            lock (_lock)
                return _reading ? _output.Free : OutputCapacity;
        }
    }

    /// <summary>Takes output from the guest: never more than <see cref="OutputRoom"/> said.</summary>
    internal void AddOutput(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if (_output.Free < bytes.Length)
            {
                int lost = bytes.Length - _output.Free;
                _output.Drop(lost);
                _lost += lost;
            }

            _output.Add(bytes);
        }

        _log?.Write(bytes);
        Signal();
    }

    /// <summary>Copies the oldest typed bytes for the ring; <see cref="DropInput"/> removes those that fitted.</summary>
    internal int PeekInput(Span<byte> into)
    {
        lock (_lock)
            return _input.Peek(into);
    }

    internal void DropInput(int count)
    {
        lock (_lock)
            _input.Drop(count);
        Signal();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async ValueTask WaitAsync(Task changed, CancellationToken cancellation)
    {
        try
        {
            await changed.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            StopReading();
            throw;
        }
    }

    private void Pump()
    {
        Action? pump;
        lock (_lock)
            pump = _pump;
        pump?.Invoke();
    }

    private void Signal()
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            changed = _changed;
            _changed = NewSignal();
        }

        changed.SetResult();
    }
}
