namespace Xen.Core;

/// <summary>
/// What a domain finds behind I/O ports: an interval timer that counts (kernels calibrate with it), and nothing else. Reads of nothing are all ones.
/// </summary>
/// <remarks>Threads: any vCPU's; one lock, held for a few instructions.</remarks>
internal sealed class IoPorts
{
    private const ushort FirstTimerPort = 0x40, TimerCommandPort = 0x43, SpeakerPort = 0x61, DebugConsolePort = 0xE9;

    private readonly Lock _lock = new();
    private readonly Domain _domain;
    private readonly IntervalTimer _timer = new();

    public IoPorts(Domain domain) => _domain = domain;

    /// <summary>Reads from a port.</summary>
    public uint Read(ushort port, int size)
    {
        if (size == 1 && port is (>= FirstTimerPort and <= TimerCommandPort) or SpeakerPort)
        {
            lock (_lock)
            {
                ulong now = _domain.ReadTsc();
                return port == SpeakerPort ? _timer.ReadSpeakerPort(now)
                    : port == TimerCommandPort ? byte.MaxValue
                    : _timer.ReadCounter(port - FirstTimerPort, now);
            }
        }

        // The console behind port 0xe9 says that it is there by its own number.
        return size == 1 && port == DebugConsolePort && _domain.DebugConsole is not null ? DebugConsolePort : uint.MaxValue;
    }

    /// <summary>Writes to a port.</summary>
    public void Write(ushort port, int size, uint value)
    {
        if (size != 1)
            return;
        if (port is (>= FirstTimerPort and <= TimerCommandPort) or SpeakerPort)
        {
            lock (_lock)
            {
                ulong now = _domain.ReadTsc();
                if (port == SpeakerPort)
                    _timer.WriteSpeakerPort((byte)value, now);
                else if (port == TimerCommandPort)
                    _timer.WriteCommand((byte)value, now);
                else
                    _timer.WriteCounter(port - FirstTimerPort, (byte)value, now);
            }
        }
        else if (port == DebugConsolePort)
        {
            _domain.DebugConsole?.Invoke(new[] { (byte)value });
        }
    }
}
