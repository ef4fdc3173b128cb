using Xen.Drivers.Console;
using Xen.Rings;

namespace Xen.Toolstack;

/// <summary>A domain's console over all its lives: the pipe stays, the backend is a new one for each life's rings.</summary>
public sealed class DomainConsole : IDomainConsole, IDisposable
{
    private readonly ConsolePipe _pipe;
    private readonly ConsoleLog? _log;
    private ConsoleBackend? _backend;
    private int _isTaken;

    /// <param name="log">Where output is also written, or null; owned from now on.</param>
    public DomainConsole(ConsoleLog? log = null)
    {
        _log = log;
        _pipe = new ConsolePipe(log);
    }

    /// <summary>Told when a guest broke its console's ring: the reason.</summary>
    public event Action<string>? Faulted;

    /// <summary>What a backend carries bytes to and from.</summary>
    internal ConsolePipe Pipe => _pipe;

    /// <inheritdoc/>
    public IDisposable? TryTake() => Interlocked.Exchange(ref _isTaken, 1) == 0 ? new Hold(this) : null;

    /// <summary>Moves its log, if it has one, to another path.</summary>
    /// <returns>Null, or why it stays where it is: a sentence.</returns>
    public string? MoveLog(string path) => _log?.MoveTo(path);

    /// <summary>Connects the console to a new domain's page and event channel; both are owned from now on. Detaches first.</summary>
    public void Attach(ISharedPage page, IEventPort events)
    {
        Detach();
        _backend = new ConsoleBackend(page, events, _pipe, reason => Faulted?.Invoke(reason));
    }

    /// <summary>Takes the last output and lets go of the domain's page; to be called before its memory is freed.</summary>
    public void Detach()
    {
        _backend?.Dispose();
        _backend = null;
    }

    /// <summary>The domain is gone for good: readers get what is left, then the end.</summary>
    public void End()
    {
        Detach();
        _pipe.End();
    }

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation) => _pipe.ReadAsync(buffer, cancellation);

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => _pipe.WriteAsync(bytes, cancellation);

    public void Dispose()
    {
        End();
        _pipe.Dispose();
    }

    /// <summary>One person's use of the console.</summary>
    private sealed class Hold(DomainConsole console) : IDisposable
    {
        private DomainConsole? _console = console;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _console, null) is not { } held)
                return;
            held._pipe.StopReading();
            Volatile.Write(ref held._isTaken, 0);
        }
    }
}
