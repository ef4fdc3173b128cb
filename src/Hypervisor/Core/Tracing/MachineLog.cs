using System.Globalization;
using Xen.Abi;

namespace Xen.Core;

/// <summary>
/// The hypervisor's console: the last lines, as <c>xm dmesg</c> shows them. Bounded: old lines go first, and of what guests cause
/// only so many lines per second and domain are kept.
/// </summary>
/// <remarks>Any thread. The sink is called under the log's lock, so lines arrive in order; it must not log.</remarks>
public sealed class MachineLog
{
    /// <summary>Lines kept.</summary>
    public const int Capacity = 4096;

    /// <summary>Longest line kept. <b>Units</b>: characters.</summary>
    public const int LineLength = 512;

    /// <summary>Lines that one domain may cause per <see cref="GuestWindow"/>.</summary>
    public const int GuestLines = 20;

    /// <summary>The window of the guests' limit. <b>Units</b>: ns.</summary>
    public const ulong GuestWindow = 1_000_000_000;

    private readonly Lock _lock = new();
    private readonly MachineClock _clock;
    private readonly Action<string>? _sink;
    private readonly Queue<string> _lines = new();
    private readonly Dictionary<DomId, GuestBudget> _guests = [];

    internal MachineLog(MachineClock clock, Action<string>? sink)
    {
        _clock = clock;
        _sink = sink;
    }

    /// <summary>Writes a line that no guest can cause at will.</summary>
    public void Write(string line)
    {
        lock (_lock)
            Append(line);
    }

    /// <summary>Writes a line that a guest causes; beyond the domain's limit it is dropped and counted.</summary>
    public void WriteGuest(DomId domain, string line)
    {
        lock (_lock)
        {
            ulong now = _clock.Now;
            if (!_guests.TryGetValue(domain, out GuestBudget budget) || now - budget.Start >= GuestWindow)
            {
                if (budget.Dropped > 0)
                    Append($"({domain}) {budget.Dropped} lines dropped");
                budget = new GuestBudget(now, 0, 0);
            }

            bool keep = budget.Written < GuestLines;
            _guests[domain] = keep ? budget with { Written = budget.Written + 1 } : budget with { Dropped = budget.Dropped + 1 };
            if (keep)
                Append($"({domain}) {line}");
        }
    }

    /// <summary>The lines, oldest first.</summary>
    public IReadOnlyList<string> Read()
    {
        lock (_lock)
            return [.. _lines];
    }

    /// <summary>Forgets all lines (<c>xm dmesg -c</c>).</summary>
    public void Clear()
    {
        lock (_lock)
            _lines.Clear();
    }

    /// <summary>Forgets a dead domain's limit.</summary>
    internal void Forget(DomId domain)
    {
        lock (_lock)
            _guests.Remove(domain);
    }

    private void Append(string line)
    {
        ulong now = _clock.Now;
        if (line.Length > LineLength)
            line = line[..LineLength];
        line = OneLine(line);
        string stamped = string.Create(CultureInfo.InvariantCulture, $"(XEN) [{now / 1_000_000_000,5}.{now / 1000 % 1_000_000:d6}] {line}");
        if (_lines.Count == Capacity)
            _lines.Dequeue();
        _lines.Enqueue(stamped);
        _sink?.Invoke(stamped);
    }

    /// <summary>Whatever somebody else's text is in it, it is one line, and does nothing to a terminal.</summary>
    private static string OneLine(string line) =>
        line.AsSpan().IndexOfAnyInRange('\0', '\x1f') < 0 && line.AsSpan().IndexOfAnyInRange('\x7f', '\x9f') < 0
            ? line
            : string.Create(line.Length, line, static (to, from) =>
            {
                for (int i = 0; i < to.Length; i++)
                    to[i] = char.IsControl(from[i]) ? (from[i] == '\t' ? ' ' : '?') : from[i];
            });

    private readonly record struct GuestBudget(ulong Start, int Written, int Dropped);
}
