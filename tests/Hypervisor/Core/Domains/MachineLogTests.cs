using Xen.Abi;

namespace Xen.Core.Tests.Domains;

public sealed class MachineLogTests
{
    [Fact]
    public void Log_KeepsTheLastLinesOnly()
    {
        var log = new MachineLog(new MachineClock(TimeProvider.System), null);
        for (int i = 0; i < MachineLog.Capacity + 10; i++)
            log.Write($"line {i};");

        IReadOnlyList<string> lines = log.Read();
        Assert.Equal(MachineLog.Capacity, lines.Count);
        Assert.Contains("line 10;", lines[0], StringComparison.Ordinal);
        log.Clear();
        Assert.Empty(log.Read());
    }

    [Fact]
    public void Hostile_LinesOfAGuest_AreLimited_AndCutOff()
    {
        List<string> seen = [];
        var log = new MachineLog(new MachineClock(TimeProvider.System), seen.Add);
        for (int i = 0; i < 1000; i++)
            log.WriteGuest(new DomId(1), new string('x', 100_000));
        log.WriteGuest(new DomId(2), "another");

        Assert.InRange(log.Read().Count, 2, 200);
        Assert.All(log.Read(), line => Assert.InRange(line.Length, 1, MachineLog.LineLength + 40));
        Assert.Contains(seen, line => line.EndsWith("(d2) another", StringComparison.Ordinal));
    }

    [Fact]
    public void Hostile_TextInALine_MakesNoOther()
    {
        List<string> seen = [];
        var log = new MachineLog(new MachineClock(TimeProvider.System), seen.Add);
        log.WriteGuest(new DomId(1), "a\n(XEN) forged\r\u001b[2J\u009b\tend");
        Assert.EndsWith("(d1) a?(XEN) forged??[2J? end", Assert.Single(seen), StringComparison.Ordinal);
    }

    [Fact]
    public void TraceRing_KeepsTheLastEvents_OldestFirst()
    {
        var ring = new TraceRing(new MachineClock(TimeProvider.System));
        for (ulong i = 0; i < TraceRing.Capacity + 5; i++)
            ring.Record(TraceKind.Hypercall, i);

        IReadOnlyList<TraceEvent> last = ring.Last(int.MaxValue);
        Assert.Equal(TraceRing.Capacity, last.Count);
        Assert.Equal(5ul, last[0].Word1);
        Assert.Equal(TraceRing.Capacity + 4ul, last[^1].Word1);
        Assert.Equal(2, ring.Last(2).Count);
        Assert.True(last[0].Time <= last[^1].Time);
    }
}
