using Xen.Rings;

namespace Xen.Drivers.Console;

/// <summary>
/// The backend of a PV console: carries bytes between the guest's two rings and a <see cref="ConsolePipe"/>. It attaches to rings as
/// they are and never initialises them.
/// </summary>
/// <remarks>
/// Carrying happens on whichever thread brings the news: an event from the guest, a reader that made room, somebody who typed.
/// One pass moves at most one ring's content each way: what the guest adds meanwhile comes with an event of its own.
/// </remarks>
public sealed class ConsoleBackend : IDisposable
{
    /// <summary>Guards the rings; taken before the pipe's lock. Notifications are sent after it is released.</summary>
    private readonly Lock _lock = new();
    private readonly ISharedPage _page;
    private readonly IEventPort _events;
    private readonly ConsolePipe _pipe;
    private readonly ByteRing _input;
    private readonly ByteRing _output;
    private readonly Action<string>? _faulted;
    private readonly Action? _written;
    private readonly byte[] _buffer = new byte[ConsoleProtocol.Output.Size];
    private bool _closed;

    /// <summary>Attaches to a console page and takes what the guest printed so far.</summary>
    /// <param name="page">The page; owned from now on.</param>
    /// <param name="events">Our end of the console's event channel; owned from now on.</param>
    /// <param name="pipe">Where bytes come from and go to; not owned.</param>
    /// <param name="faulted">Told once, when the guest has broken a ring: the reason, for the log. On any thread, also before this returns.</param>
    /// <param name="written">Called when the page was written to, before the guest is told; with the rings' lock held.</param>
    public ConsoleBackend(ISharedPage page, IEventPort events, ConsolePipe pipe, Action<string>? faulted = null, Action? written = null)
    {
        _faulted = faulted;
        _written = written;
        _page = page;
        _events = events;
        _pipe = pipe;
        _input = new ByteRing(page, ConsoleProtocol.Input);
        _output = new ByteRing(page, ConsoleProtocol.Output);
        pipe.SetPump(Carry);
        events.SetHandler(Carry);
        Carry();
    }

    /// <summary>Why the device closed by itself (the guest broke a ring), or null.</summary>
    public string? CloseReason { get; private set; }

    /// <summary>Takes the last output and lets go of page and channel.</summary>
    public void Dispose()
    {
        _events.SetHandler(null);
        _pipe.SetPump(null);
        Carry();
        lock (_lock)
        {
            if (_closed)
                return;
            _closed = true;
        }

        // Outside of the lock: this waits for a handler that runs, and that one for the lock; then it finds us closed.
        _events.Dispose();
        _page.Dispose();
    }

    private void Carry()
    {
        bool moved;
        string? fault = null;
        lock (_lock)
        {
            if (_closed || CloseReason is not null)
                return;
            moved = CarryOutput() | CarryInput();
            if (moved)
                _written?.Invoke();
            if (_output.Fault is not null)
                fault = CloseReason = "console out ring: " + _output.Fault;
            else if (_input.Fault is not null)
                fault = CloseReason = "console in ring: " + _input.Fault;
        }

        if (moved)
            _events.Notify();
        if (fault is not null)
            _faulted?.Invoke(fault);
    }

    private bool CarryOutput()
    {
        int count = _output.Read(_buffer.AsSpan(0, Math.Min(_buffer.Length, _pipe.OutputRoom)));
        if (count > 0)
            _pipe.AddOutput(_buffer.AsSpan(0, count));
        return count > 0;
    }

    private bool CarryInput()
    {
        int offered = _pipe.PeekInput(_buffer.AsSpan(0, ConsoleProtocol.Input.Size));
        int count = _input.Write(_buffer.AsSpan(0, offered));
        if (count > 0)
            _pipe.DropInput(count);
        return count > 0;
    }
}
