using System.Globalization;

namespace Xen.Xm;

/// <summary>What follows from a key.</summary>
internal enum TopAction
{
    Draw,
    Quit,

    /// <summary>As a signal would.</summary>
    Interrupt,

    /// <summary><see cref="TopScreen.Delay"/> is another.</summary>
    Delay,
}

/// <summary>The state of a live <c>xm top</c>: what is shown, where it is scrolled to, what is being typed.</summary>
internal sealed class TopScreen(TopView view, TimeSpan delay)
{
    public const double ShortestDelay = 0.1, LongestDelay = 3600;
    private const int LongestInput = 8;

    private string _message = "";
    private string? _input;

    public TopView View { get; private set; } = view;

    /// <summary>Between two samples.</summary>
    public TimeSpan Delay { get; private set; } = delay;

    public TopSample? Sample { get; set; }

    /// <summary>The first line of the table that is seen. More than there are is corrected by who draws.</summary>
    public int FirstLine { get; set; }

    /// <summary>The first column that is seen after the name.</summary>
    public int FirstColumn { get; private set; }

    /// <summary>Lines of the table that have room; set by who draws.</summary>
    public int PageSize { get; set; } = 1;

    /// <summary>The line at the bottom.</summary>
    public string Footer => _input is { } typed ? string.Create(CultureInfo.InvariantCulture, $"Seconds between samples (now {Delay.TotalSeconds}): {typed}_")
        : _message.Length > 0 ? _message
        : string.Create(
            CultureInfo.InvariantCulture,
            $"Q quit  D delay {Delay.TotalSeconds}s  N networks  B vbds  V vcpus  S sort {View.Sort?.Title ?? "ID"}{(View.IsReversed ? " reversed" : "")}  R reverse  arrows scroll");

    /// <summary>Whether that line is an answer to be typed or a complaint.</summary>
    public bool IsAsking => _input is not null || _message.Length > 0;

    /// <summary>A key was pressed.</summary>
    public TopAction Handle(TopKeyPress press)
    {
        _message = "";
        if (press.Key == TopKey.Interrupt)
            return TopAction.Interrupt;
        if (_input is not null)
            return Type(press);
        switch (press.Key)
        {
            case TopKey.Character:
                return Command(press.Character);
            case TopKey.Up:
                FirstLine--;
                break;
            case TopKey.Down:
                FirstLine++;
                break;
            case TopKey.PageUp:
                FirstLine -= PageSize;
                break;
            case TopKey.PageDown:
                FirstLine += PageSize;
                break;
            case TopKey.Home:
                FirstLine = FirstColumn = 0;
                break;
            case TopKey.End:
                FirstLine = int.MaxValue;
                break;
            case TopKey.Left:
                FirstColumn = Math.Max(FirstColumn - 1, 0);
                break;
            case TopKey.Right:
                FirstColumn = Math.Min(FirstColumn + 1, TopColumn.All.Count - 2);
                break;
            default:
                break;
        }

        FirstLine = Math.Max(FirstLine, 0);
        return TopAction.Draw;
    }

    private TopAction Command(char key)
    {
        switch (key)
        {
            case 'q':
                return TopAction.Quit;
            case 'd':
                _input = "";
                break;
            case 'n':
                View = View with { Networks = !View.Networks };
                break;
            case 'b':
                View = View with { Vbds = !View.Vbds };
                break;
            case 'v':
                View = View with { Vcpus = !View.Vcpus };
                break;
            case 'r':
                View = View with { IsReversed = !View.IsReversed };
                break;
            case 's':
                View = View with { Sort = Next(View.Sort) };
                break;
            default:
                break;
        }

        return TopAction.Draw;
    }

    /// <summary>From the numbers to the first column, and from the last to the numbers.</summary>
    private static TopColumn? Next(TopColumn? column)
    {
        int next = column is null ? 0 : TopColumn.All.ToList().IndexOf(column) + 1;
        return next < TopColumn.All.Count ? TopColumn.All[next] : null;
    }

    private TopAction Type(TopKeyPress press)
    {
        switch (press.Key)
        {
            case TopKey.Escape:
                _input = null;
                break;
            case TopKey.Backspace when _input!.Length > 0:
                _input = _input[..^1];
                break;
            case TopKey.Character when _input!.Length < LongestInput && (char.IsAsciiDigit(press.Character) || press.Character == '.'):
                _input += press.Character;
                break;
            case TopKey.Enter:
                string typed = _input!;
                _input = null;
                return typed.Length == 0 ? TopAction.Draw : TrySetDelay(typed);
            default:
                break;
        }

        return TopAction.Draw;
    }

    private TopAction TrySetDelay(string typed)
    {
        if (!double.TryParse(typed, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) || seconds is < ShortestDelay or > LongestDelay)
        {
            _message = string.Create(CultureInfo.InvariantCulture, $"The delay is from {ShortestDelay} to {LongestDelay} seconds.");
            return TopAction.Draw;
        }

        Delay = TimeSpan.FromSeconds(seconds);
        return TopAction.Delay;
    }
}
