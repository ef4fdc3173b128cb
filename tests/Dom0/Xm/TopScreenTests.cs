using System.Text;
using System.Text.RegularExpressions;
using Xen.Contract.V1;
using Xen.Contract;
using Xen.Xm;

namespace Xen.Dom0.Tests.Xm;

/// <summary>What a live <c>xm top</c> makes of samples and keys, and sends to the terminal.</summary>
public sealed partial class TopScreenTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void CpuPercent_IsOfTheTimeBetweenSamples()
    {
        StatisticsSample before = Sample(10 * Second, ("a", 1, 5 * Second), ("b", 2, 100 * Second));
        Assert.All(TopSample.Of(before, null).Domains, static d => Assert.Equal(0, d.CpuPercent));
        StatisticsSample after = Sample(12 * Second, ("a", 1, 8 * Second), ("b", 3, Second), ("c", 4, Second));

        // b has restarted and c is new: nobody knows what they had used before.
        Assert.Equal([150.0, 0, 0], TopSample.Of(after, before).Domains.Select(static d => d.CpuPercent));
        Assert.Equal(0, TopSample.Of(before, before).Domains[0].CpuPercent);
    }

    [Theory]
    [InlineData("a\x1b[31mb", "a?[31mb")]
    [InlineData("tab\tnl\nbell\a", "tab?nl?bell?")]
    [InlineData("\u009b31m", "?31m")]
    [InlineData("\u202Eright", "?right")]
    [InlineData("zwölf-\U0001F427", "zwölf-\U0001F427")]
    public void Hostile_Names_BecomePrintable(string name, string expected) => Assert.Equal(expected, PrintableText.Of(name));

    [Fact]
    public void Hostile_HalfOfACharacter_IsNone() => Assert.Equal("?x?", PrintableText.Of(new string(['\ud800', 'x', '\udc00'])));

    [Fact]
    public void Hostile_Names_CannotDraw()
    {
        TopScreen screen = Screen(Sample(Second, ("\x1b]0;title\a\x1b[2J[red]x[/]\r\n", 1, 0)), new TopView { FullNames = true });
        string drawn = Draw(screen, colors: true);
        Assert.DoesNotContain("\x1b]", drawn, StringComparison.Ordinal);
        Assert.DoesNotContain("\x1b[2J", drawn, StringComparison.Ordinal);
        Assert.DoesNotContain('\a', drawn);
        Assert.Contains("?]0;title??[2J[red]x[/]??", drawn, StringComparison.Ordinal);
    }

    [Fact]
    public void NoColor_HasNoColor()
    {
        StatisticsSample sample = Sample(Second, ("a", 1, 0));
        sample.Domains[0].State = "----c-";
        Assert.Contains("\x1b[91m", Draw(Screen(sample), colors: true), StringComparison.Ordinal);
        Assert.DoesNotMatch("\x1b\\[([0-9]+;)*[39][0-7][m;]", Draw(Screen(sample), colors: false));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(20, 5)]
    [InlineData(80, 24)]
    [InlineData(300, 60)]
    public void Lines_FitTheTerminal(int columns, int rows)
    {
        (string, int, long)[] domains = [.. Enumerable.Range(0, 50).Select(static i => ($"domain-with-a-name-{i}-漢字漢字", i, 0L))];
        TopScreen screen = Screen(Sample(Second, domains), new TopView { FullNames = true, Vcpus = true, RepeatHeader = true });
        string[] lines = Lines(Draw(screen, columns: columns, rows: rows));
        Assert.Equal(rows, lines.Length);
        Assert.All(lines, line => Assert.InRange(line.EnumerateRunes().Sum(static r => r.Value >= 0x2E80 ? 2 : 1), 0, columns));
    }

    [Fact]
    public void Arrows_ScrollWithinWhatThereIs()
    {
        (string, int, long)[] domains = [.. Enumerable.Range(0, 30).Select(static i => ($"d{i}", i, 0L))];
        TopScreen screen = Screen(Sample(Second, domains));
        Assert.Contains("        d0 ", Lines(Draw(screen, rows: 15))[4], StringComparison.Ordinal);
        Press(screen, "\x1b[B");
        Assert.StartsWith("        d1 ", Lines(Draw(screen, rows: 15))[4], StringComparison.Ordinal);
        Press(screen, "\x1b[F");
        Assert.StartsWith("       d29 ", Lines(Draw(screen, rows: 15))[13], StringComparison.Ordinal);
        Press(screen, "\x1b[B\x1b[5~");
        Assert.StartsWith("       d20 ", Lines(Draw(screen, rows: 15))[13], StringComparison.Ordinal);
        Press(screen, "\x1b[H\x1b[A\x1b[C\x1b[C");
        string[] lines = Lines(Draw(screen, rows: 15));
        Assert.StartsWith("      NAME CPU(%)", lines[3], StringComparison.Ordinal);
        Assert.StartsWith("        d0 ", lines[4], StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_SwitchAndSort()
    {
        TopScreen screen = Screen(Sample(Second, ("a", 1, 0)));
        Press(screen, "NbV");
        Assert.Equal((true, true, true), (screen.View.Networks, screen.View.Vbds, screen.View.Vcpus));
        Press(screen, "n" + new string('s', 3) + "R");
        Assert.Equal((false, "CPU(sec)", true), (screen.View.Networks, screen.View.Sort!.Title, screen.View.IsReversed));
        Press(screen, new string('S', TopColumn.All.Count - 2));
        Assert.Null(screen.View.Sort);
        Assert.Equal(TopAction.Quit, Press(screen, "q"));
        Assert.Equal(TopAction.Interrupt, Press(screen, "\x03"));
    }

    [Theory]
    [InlineData("d1.5\r", 1.5, TopAction.Delay)]
    [InlineData("dq19\u007F5\r", 15, TopAction.Delay)]
    [InlineData("d\r", 3, TopAction.Draw)]
    [InlineData("d5\x1b", 3, TopAction.Draw)]
    [InlineData("d0\r", 3, TopAction.Draw)]
    [InlineData("d1.1.1\r", 3, TopAction.Draw)]
    [InlineData("d99999999999\r", 3, TopAction.Draw)]
    public void Delay_IsTyped(string keys, double seconds, object action)
    {
        TopScreen screen = Screen(Sample(Second, ("a", 1, 0)));
        Assert.Equal(action, Press(screen, keys));
        Assert.Equal(seconds, screen.Delay.TotalSeconds);
    }

    [Theory]
    [InlineData("\x1b")]
    [InlineData("\x1b[")]
    [InlineData("\x1b[999;999R")]
    [InlineData("\x1bO")]
    [InlineData("\0\x01\xff")]
    public void Hostile_Input_IsIgnored(string input)
    {
        TopScreen screen = Screen(Sample(Second, ("a", 1, 0)));
        TopView before = screen.View;
        Press(screen, input);
        Assert.Equal(before, screen.View);
    }

    private static TopAction Press(TopScreen screen, string keys)
    {
        TopAction last = TopAction.Draw;
        foreach (TopKeyPress press in TopKeys.Decode(Encoding.Latin1.GetBytes(keys)))
            last = screen.Handle(press);
        return last;
    }

    private static TopScreen Screen(StatisticsSample sample, TopView? view = null) => new(view ?? new TopView(), TimeSpan.FromSeconds(3)) { Sample = TopSample.Of(sample, null) };

    private static string Draw(TopScreen screen, bool colors = false, int columns = 200, int rows = 24)
    {
        using var painter = new TopPainter(colors);
        return painter.Draw(screen, columns, rows);
    }

    /// <summary>What is seen.</summary>
    private static string[] Lines(string drawn) => [.. drawn.Split("\r\n").Select(static line => Sequence().Replace(line, ""))];

    private static StatisticsSample Sample(long elapsed, params (string Name, int Id, long Cpu)[] domains)
    {
        var sample = new StatisticsSample { ElapsedNs = elapsed, TotalMemoryKib = 1 << 20, PhysicalCpus = 2, Version = "1" };
        foreach ((string name, int id, long cpu) in domains)
            sample.Domains.Add(new DomainStatistics { Name = name, Id = id, CpuNs = cpu, State = "r-----", Vcpus = { new VcpuStatistics { Online = true } } });
        return sample;
    }

    [GeneratedRegex("\x1b\\[[0-9;?]*[A-Za-z]")]
    private static partial Regex Sequence();
}
