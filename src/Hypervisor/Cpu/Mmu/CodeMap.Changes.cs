using Xen.Abi;

namespace Xen.Cpu;

/// <summary>The log of written code, for engines whose code does not compare words: they are told that there is something, and read what.</summary>
public sealed partial class CodeMap
{
    private const int LogSize = 1024;

    private readonly Lock _logGate = new();
    private readonly ulong[] _log = new ulong[LogSize];
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

    /// <summary>The frames that were written since the reader looked last.</summary>
    /// <param name="seen">How many changes it has seen; moved on.</param>
    /// <param name="frames">Receives them.</param>
    /// <returns>How many; negative: it has missed some, and must take it that all were written.</returns>
    internal int ReadChanges(ref long seen, Span<ulong> frames)
    {
        lock (_logGate)
        {
            if (_changeCount - seen > LogSize)
            {
                seen = _changeCount;
                return -1;
            }

            int count = 0;
            while (seen < _changeCount && count < frames.Length)
                frames[count++] = _log[seen++ % LogSize];
            return count;
        }
    }

    private void Publish(Mfn frame)
    {
        lock (_logGate)
        {
            if (_subscribers.Length == 0)
                return;
            _log[_changeCount++ % LogSize] = frame.Value;
            foreach (VcpuState state in _subscribers)
                state.RequestCodeCheck();
        }
    }
}
