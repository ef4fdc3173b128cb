namespace Xen.Core;

/// <summary>What a trace event tells; the words' meaning is beside each.</summary>
public enum TraceKind : byte
{
    None,

    /// <summary>Number, first argument, second argument.</summary>
    Hypercall,

    /// <summary>Number, rax.</summary>
    HypercallReturn,

    /// <summary>Vector, error code, rip; the guest is given an exception.</summary>
    Exception,

    /// <summary>Vector, error code, rip; the page fault's address follows as <see cref="Cr2"/>.</summary>
    PageFault,

    /// <summary>Address, rip.</summary>
    Cr2,

    /// <summary><see cref="Core.EmulatedInstruction"/>, operand, rip.</summary>
    EmulatedInstruction,

    /// <summary>Machine address, value.</summary>
    PageTableWrite,

    /// <summary>Port, result.</summary>
    EventSend,

    /// <summary>Selector word, rip.</summary>
    Upcall,

    /// <summary>Physical CPU, priority.</summary>
    ScheduleIn,

    /// <summary>Physical CPU, new run state.</summary>
    ScheduleOut,

    /// <summary>Deadline.</summary>
    TimerSet,

    /// <summary>Reason.</summary>
    Shutdown,
}

/// <summary>One trace event. <b>Units</b>: <paramref name="Time"/> in ns of the machine's clock.</summary>
public readonly record struct TraceEvent(ulong Time, TraceKind Kind, ulong Word1, ulong Word2, ulong Word3)
{
    public override string ToString() =>
        string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{Time / 1_000_000_000,5}.{Time % 1_000_000_000:d9} {Kind,-19} {Word1:x} {Word2:x} {Word3:x}");
}

/// <summary>The last events of one vCPU. Written by the thread that runs it, without allocation or lock; a reader on another thread may see the newest ones torn.</summary>
public sealed class TraceRing
{
    /// <summary>How many events are kept.</summary>
    public const int Capacity = 4096;

    private readonly MachineClock _clock;
    private readonly TraceEvent[] _events = new TraceEvent[Capacity];
    private ulong _next;

    internal TraceRing(MachineClock clock) => _clock = clock;

    /// <summary>Records an event, now.</summary>
    public void Record(TraceKind kind, ulong word1 = 0, ulong word2 = 0, ulong word3 = 0)
    {
        _events[_next % Capacity] = new TraceEvent(_clock.Now, kind, word1, word2, word3);
        _next++;
    }

    /// <summary>The last events, oldest first.</summary>
    public IReadOnlyList<TraceEvent> Last(int count)
    {
        ulong end = Volatile.Read(ref _next);
        ulong wanted = Math.Min((ulong)Math.Clamp(count, 0, Capacity), end);
        var events = new TraceEvent[wanted];
        for (ulong i = 0; i < wanted; i++)
            events[i] = _events[(end - wanted + i) % Capacity];
        return events;
    }
}
