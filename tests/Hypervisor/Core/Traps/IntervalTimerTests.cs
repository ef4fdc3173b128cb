namespace Xen.Core.Tests.Traps;

/// <summary>The interval timer, as kernels calibrate with it.</summary>
public sealed class IntervalTimerTests
{
    private const ulong Millisecond = 1_000_000;

    private readonly IntervalTimer _timer = new();

    [Fact]
    public void Counter_CountsDownWithTime()
    {
        Start(0, 0x34, 0xFFFF, now: 0);
        Assert.Equal(0xFFFF, Read(0, 0));
        Assert.Equal(0xFFFF - 1193, Read(0, Millisecond));
        Assert.Equal(0xFFFF - 11931, Read(0, 10 * Millisecond));
    }

    [Fact]
    public void Latch_HoldsTheCountUntilItIsRead()
    {
        Start(0, 0x34, 0xFFFF, now: 0);
        _timer.WriteCommand(0x00, Millisecond);
        Assert.Equal(0xFFFF - 1193, Read(0, 50 * Millisecond));
        Assert.NotEqual(0xFFFF - 1193, Read(0, 50 * Millisecond));
    }

    [Fact]
    public void SpeakerCounter_RaisesItsOutputWhenItRunsOut()
    {
        _timer.WriteSpeakerPort(1, 0);
        Start(2, 0xB0, 11932, now: 0);
        Assert.Equal(0x01, _timer.ReadSpeakerPort(9 * Millisecond));
        Assert.Equal(0x21, _timer.ReadSpeakerPort(11 * Millisecond));
    }

    [Fact]
    public void Hostile_AnyCommandAtAnyTime_IsHarmless()
    {
        var random = new Random(7);
        for (int i = 0; i < 20_000; i++)
        {
            ulong now = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            _timer.WriteCommand((byte)random.Next(256), now);
            _timer.WriteCounter(random.Next(3), (byte)random.Next(256), now);
            _timer.WriteSpeakerPort((byte)random.Next(256), now);
            _ = _timer.ReadCounter(random.Next(3), now);
            Assert.Equal(0, _timer.ReadSpeakerPort(now) & ~0x23);
        }
    }

    private void Start(int counter, byte command, ushort value, ulong now)
    {
        _timer.WriteCommand(command, now);
        _timer.WriteCounter(counter, (byte)value, now);
        _timer.WriteCounter(counter, (byte)(value >> 8), now);
    }

    private int Read(int counter, ulong now)
    {
        int low = _timer.ReadCounter(counter, now);
        return low | (_timer.ReadCounter(counter, now) << 8);
    }
}
