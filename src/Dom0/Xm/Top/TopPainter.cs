using Spectre.Console;
using Spectre.Console.Rendering;

namespace Xen.Xm;

/// <summary>Draws a <see cref="TopScreen"/>: the only place that knows Spectre.Console, and what a terminal is sent.</summary>
internal sealed class TopPainter : IDisposable
{
    /// <summary>Another screen than that of the shell, without a cursor; and back.</summary>
    public const string Enter = "\x1b[?1049h\x1b[?25l", Leave = "\x1b[?25h\x1b[?1049l";

    // Cursor home; the rest of a line, or of the screen, is blank. What stood there is written over, so nothing flickers.
    private const string Home = "\x1b[H", EndLine = "\x1b[K", EndScreen = "\x1b[J";

    private static readonly Style Titles = new(decoration: Decoration.Invert), Sorted = new(decoration: Decoration.Invert | Decoration.Bold),
        Name = new(decoration: Decoration.Bold), Detail = new(decoration: Decoration.Dim), Asking = new(Color.Yellow),
        Crashed = new(Color.Red), Paused = new(Color.Yellow), Dying = new(Color.Grey), Running = new(Color.Green);

    private readonly StringWriter _text = new();
    private readonly IAnsiConsole _console;

    /// <param name="colors">Whether there are colours; without, there still is bold and inverse.</param>
    public TopPainter(bool colors)
    {
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = colors ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
            Out = new TextOutput(_text),
        });
    }

    /// <summary>Draws a whole screen.</summary>
    /// <param name="screen">What; where it is scrolled to is corrected to what there is.</param>
    /// <param name="columns">The terminal's width.</param>
    /// <param name="rows">Its height.</param>
    /// <returns>What the terminal is to be sent.</returns>
    public string Draw(TopScreen screen, int columns, int rows)
    {
        List<Paragraph> lines = [];
        if (screen.Sample is { } sample)
        {
            lines.AddRange(TopText.Summary(sample).Select(static line => Line(line, Style.Plain)));
            lines.Add(Header(screen));
            List<Paragraph> table = [.. TableOf(screen, sample)];
            screen.PageSize = Math.Max(rows - lines.Count - 1, 1);
            screen.FirstLine = Math.Clamp(screen.FirstLine, 0, Math.Max(table.Count - screen.PageSize, 0));
            lines.AddRange(table.Skip(screen.FirstLine).Take(screen.PageSize));
        }

        while (lines.Count < rows - 1)
            lines.Add(Line("", Style.Plain));
        Paragraph footer = Line(screen.Footer, screen.IsAsking ? Asking : Detail);
        return Home + string.Join(EndLine + "\r\n", lines.Take(rows - 1).Append(footer).Select(line => Render(line, columns))) + EndLine + EndScreen;
    }

    public void Dispose() => _text.Dispose();

    private static IEnumerable<Paragraph> TableOf(TopScreen screen, TopSample sample)
    {
        bool isFirst = true;
        foreach (TopDomain domain in screen.View.Order(sample))
        {
            // The first has the titles that always stand there.
            if (screen.View.RepeatHeader && !isFirst)
                yield return Header(screen);
            isFirst = false;
            yield return Cells(screen, column => column.TextOf(domain), column => StyleOf(column, domain));
            foreach (string line in TopText.Details(domain, screen.View))
                yield return Line(line, Detail);
        }
    }

    private static Paragraph Header(TopScreen screen) => Cells(screen, static column => column.Title, column => column == screen.View.Sort ? Sorted : Titles);

    /// <summary>The name, and the columns from where the screen is scrolled to.</summary>
    private static Paragraph Cells(TopScreen screen, Func<TopColumn, string> text, Func<TopColumn, Style> style)
    {
        var line = new Paragraph { Overflow = Overflow.Crop };
        line.Append(TopText.Cell(TopColumn.All[0], text(TopColumn.All[0]), isFirst: true, screen.View.FullNames), style(TopColumn.All[0]));
        foreach (TopColumn column in TopColumn.All.Skip(1 + screen.FirstColumn))
            line.Append(TopText.Cell(column, text(column), isFirst: false, isFull: true), style(column));
        return line;
    }

    private static Style StyleOf(TopColumn column, TopDomain domain) => column.Title switch
    {
        "NAME" => Name,
        "STATE" => domain.Statistics.State switch
        {
            var state when state.Contains('c', StringComparison.Ordinal) => Crashed,
            var state when state.Contains('d', StringComparison.Ordinal) || state.Contains('s', StringComparison.Ordinal) => Dying,
            var state when state.Contains('p', StringComparison.Ordinal) => Paused,
            var state when state.Contains('r', StringComparison.Ordinal) => Running,
            _ => Style.Plain,
        },
        _ => Style.Plain,
    };

    private static Paragraph Line(string text, Style style) => new(text, style) { Overflow = Overflow.Crop };

    private string Render(Paragraph line, int columns)
    {
        _text.GetStringBuilder().Clear();
        _console.Profile.Width = Math.Max(columns, 1);
        _console.Write(new CroppedLine(line));
        return _text.ToString().TrimEnd('\n');
    }

    /// <summary>Where Spectre.Console writes. Its own asks System.Console, which would set the terminal's modes by itself.</summary>
    private sealed class TextOutput(TextWriter writer) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;

        public bool IsTerminal => true;

        public int Width => 80;

        public int Height => 24;

        public void SetEncoding(System.Text.Encoding encoding)
        {
        }
    }

    /// <summary>A paragraph that ends at the screen's edge, as a curses program's line does, rather than going on below.</summary>
    private sealed class CroppedLine(Paragraph line) : IRenderable
    {
        // Wider than any line: names may be long.
        private const int Endless = 1 << 16;

        public Measurement Measure(RenderOptions options, int maxWidth) => new(maxWidth, maxWidth);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) =>
            Segment.Truncate(
                ((IRenderable)line).Render(options, Endless).TakeWhile(static segment => !segment.IsLineBreak), maxWidth);
    }
}
