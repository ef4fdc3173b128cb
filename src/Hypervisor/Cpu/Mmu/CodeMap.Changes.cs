using Xen.Abi;

namespace Xen.Cpu;

/// <summary>Written code.</summary>
/// <param name="Frame">The frame.</param>
/// <param name="Lines">The lines of it that were written, as in <see cref="CodeMap.LinesIn"/>.</param>
internal readonly record struct CodeChange(Mfn Frame, ulong Lines)
{
    /// <summary>Everything is taken to be written.</summary>
    public const ulong AllLines = ulong.MaxValue;
}

/// <summary>The log of written code, for engines whose code does not compare words: they are told that there is something, and read what.</summary>
public sealed partial class CodeMap
{
    private const int LogSize = 1024;

    private readonly Lock _logGate = new();
    private readonly CodeChange[] _log = new CodeChange[LogSize];
    private VcpuState[] _subscribers = [];
    private long _changeCount;

    /// <summary>How many frames with code were written so far.</summary>
    internal long ChangeCount
    {
        get
        {
            lock (_logGate)
                return _changeCount;
        }
    }

    /// <summary>Whether more than one vCPU is told.</summary>
    internal bool HasSeveralReaders => Volatile.Read(ref _subscribers).Length > 1;

    /// <summary>From now on the vCPU is told of written code.</summary>
    internal void Subscribe(VcpuState state)
    {
        lock (_logGate)
            _subscribers = [.. _subscribers, state];
    }

    internal void Unsubscribe(VcpuState state)
    {
        lock (_logGate)
            _subscribers = [.. _subscribers.Where(other => other != state)];
    }

    /// <summary>What was written since the reader looked last.</summary>
    /// <param name="seen">How many changes it has seen; moved on.</param>
    /// <param name="changes">Receives it.</param>
    /// <returns>How many; negative: it has missed some, and must take it that all were written.</returns>
    internal int ReadChanges(ref long seen, Span<CodeChange> changes)
    {
        lock (_logGate)
        {
            if (_changeCount - seen > LogSize)
            {
                seen = _changeCount;
                return -1;
            }

            int count = 0;
            while (seen < _changeCount && count < changes.Length)
                changes[count++] = _log[seen++ % LogSize];
            return count;
        }
    }

    private void Publish(Mfn frame, ulong lines)
    {
        lock (_logGate)
        {
            if (_subscribers.Length == 0)
                return;
            _log[_changeCount++ % LogSize] = new CodeChange(frame, lines);
            foreach (VcpuState state in _subscribers)
                state.RequestCodeCheck();
        }
    }
}
