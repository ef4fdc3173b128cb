using Xen.Drivers.Net.Network;

namespace Xen.Drivers.Tests.Net;

/// <summary>How fast a guest may send.</summary>
public sealed class RateTests
{
    [Theory]
    [InlineData("10Mb/s", 1_250_000, 50_000, "62500,50000")]
    [InlineData("1MB/s@20ms", 1_000_000, 20_000, "20000,20000")]
    [InlineData("250KB/s", 250_000, 50_000, "12500,50000")]
    [InlineData("1Gb/s@500us", 125_000_000, 500, "62500,500")]
    [InlineData("8000b/s@1s", 1000, 1_000_000, "1000,1000000")]
    [InlineData(" 3B/s ", 3, 50_000, "1,50000")]
    public void Parse_WhatXlTakes(string text, long bytes, long microseconds, string node)
    {
        Assert.Null(RateLimit.TryParse(text, out RateLimit limit));
        Assert.Equal(new RateLimit(bytes, TimeSpan.FromMicroseconds(microseconds)), limit);
        Assert.Equal(node, limit.ToNode());
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("10M/s")]
    [InlineData("10Mb")]
    [InlineData("-1Mb/s")]
    [InlineData("0Mb/s")]
    [InlineData("1Mb/s@")]
    [InlineData("1Mb/s@20")]
    [InlineData("1Mb/s@0ms")]
    [InlineData("1Mb/s@11s")]
    [InlineData("1Mb/s@1ms@1ms")]
    [InlineData("99999999999999999999Gb/s")]
    [InlineData("999999999999Gb/s")]
    public void Parse_WhatIsWrong_SaysWhat(string text) => Assert.Contains("is not of the form", RateLimit.TryParse(text, out _), StringComparison.Ordinal);

    [Fact]
    public void Bucket_KeepsTheRateOverTime()
    {
        FakeClock clock = new();
        TokenBucket bucket = new(new RateLimit(1_000_000, TimeSpan.FromMilliseconds(20)), clock);
        Random random = new(5);
        long sent = 0;
        while (clock.GetTimestamp() < 10 * TimeSpan.TicksPerSecond)
        {
            if (bucket.HasCredit(out TimeSpan wait))
            {
                int size = random.Next(60, 65536);
                bucket.Charge(size);
                sent += size;
            }
            else
            {
                Assert.True(wait > TimeSpan.Zero);
                clock.Advance(wait - TimeSpan.FromTicks(2));
                clock.Advance(TimeSpan.FromTicks(2));
                Assert.True(bucket.HasCredit(out _));
            }
        }

        Assert.InRange(sent, 10_000_000, 10_000_000 + 20_000 + 65_536);
    }

    [Fact]
    public void Guest_OverItsRate_WaitsForTheTimer()
    {
        FakeClock clock = new();
        using NetRig rig = new();
        Vif a = rig.Guest(3, Packets.A, back: o => o with { Rate = new RateLimit(100_000, TimeSpan.FromMilliseconds(20)), Clock = clock });
        Vif b = rig.Guest(4, Packets.B);
        Assert.Equal("2000,20000", rig.World.Store.Read(a.Context.BackendPath + "/rate"));
        byte[] frame = Packets.Ethernet(Packets.A, Packets.B, 0x88B5, new byte[986]);
        for (int i = 0; i < 10; i++)
            a.Send(frame);

        // Two have credit; each further one costs ten milliseconds.
        for (int i = 0; i < 2; i++)
            Assert.Equal(frame, b.Receive().Bytes);
        for (int i = 2; i < 10; i++)
        {
            Assert.True(SpinWait.SpinUntil(() => clock.NextTimer is not null, NetRig.Patience));
            Assert.False(b.Frontend.TryReceive(new Frame()));
            Assert.InRange(clock.NextTimer!.Value, TimeSpan.FromMilliseconds(0), TimeSpan.FromMilliseconds(10.001));
            clock.Advance(clock.NextTimer!.Value);
            Assert.Equal(frame, b.Receive().Bytes);
        }
    }
}
