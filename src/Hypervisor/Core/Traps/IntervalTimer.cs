namespace Xen.Core;

/// <summary>
/// The counters of a PC's interval timer (8254), as far as software reads them: they count down at 1.193182 MHz from the value written. They raise no interrupt.
/// </summary>
/// <remarks>Not thread-safe. <b>Units</b>: times are in the guest's nanoseconds.</remarks>
internal sealed class IntervalTimer
{
    private const ulong FrequencyHz = 1_193_182, NanosecondsPerSecond = 1_000_000_000;
    private const byte SpeakerGate = 1, SpeakerOutput = 0x20, SpeakerWritable = 3;
    private const int SpeakerCounter = 2;

    private readonly Counter[] _counters = [new(), new(), new()];
    private byte _speaker;

    /// <summary>Reads a byte of a counter: low and high by turns, or as the command said.</summary>
    public byte ReadCounter(int index, ulong now)
    {
        Counter counter = _counters[index];
        ushort value = counter.Latch ?? counter.Value(now);
        bool high = counter.Access == 2 || (counter.Access == 3 && counter.ReadHigh);
        if (counter.Access == 3)
            counter.ReadHigh = !counter.ReadHigh;
        if (counter.Access != 3 || high)
            counter.Latch = null;
        return (byte)(high ? value >> 8 : value);
    }

    /// <summary>Writes a byte of a counter's start value.</summary>
    public void WriteCounter(int index, byte value, ulong now)
    {
        Counter counter = _counters[index];
        bool high = counter.Access == 2 || (counter.Access == 3 && counter.WriteHigh);
        counter.Start = (ushort)(high ? (counter.Start & 0xFF) | (value << 8) : (counter.Start & 0xFF00) | value);
        if (counter.Access == 3)
            counter.WriteHigh = !counter.WriteHigh;
        if (counter.Access != 3 || high)
            counter.StartedAt = now;
    }

    /// <summary>Writes the command port: latches a counter or sets how it is accessed. The read-back command is not there.</summary>
    public void WriteCommand(byte value, ulong now)
    {
        int index = value >> 6;
        if (index == _counters.Length)
            return;
        Counter counter = _counters[index];
        int access = (value >> 4) & 3;
        if (access == 0)
        {
            counter.Latch ??= counter.Value(now);
            return;
        }

        counter.Access = access;
        counter.Mode = (value >> 1) & 7;
        counter.ReadHigh = counter.WriteHigh = false;
        counter.Latch = null;
        counter.StartedAt = now;
    }

    /// <summary>Reads port 0x61: the speaker's gate, and whether its counter has run out.</summary>
    public byte ReadSpeakerPort(ulong now) =>
        (byte)(_speaker | (_counters[SpeakerCounter].Output(now) ? SpeakerOutput : 0));

    /// <summary>Writes port 0x61. Opening the gate starts the speaker's counter.</summary>
    public void WriteSpeakerPort(byte value, ulong now)
    {
        if ((_speaker & SpeakerGate) == 0 && (value & SpeakerGate) != 0)
            _counters[SpeakerCounter].StartedAt = now;
        _speaker = (byte)(value & SpeakerWritable);
    }

    private sealed class Counter
    {
        public int Access = 3;
        public int Mode;
        public ushort Start;
        public ushort? Latch;
        public bool ReadHigh;
        public bool WriteHigh;
        public ulong StartedAt;

        public ushort Value(ulong now) => (ushort)(Period - (Ticks(now) % Period));

        public bool Output(ulong now) =>
            Mode == 0 ? Ticks(now) >= Period : Ticks(now) % Period < Period / 2;

        private ulong Period => Start == 0 ? 0x10000u : Start;

        private ulong Ticks(ulong now)
        {
            ulong elapsed = now - StartedAt;
            return (elapsed / NanosecondsPerSecond * FrequencyHz) + (elapsed % NanosecondsPerSecond * FrequencyHz / NanosecondsPerSecond);
        }
    }
}
