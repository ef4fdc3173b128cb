using System.Globalization;
using System.Text;

namespace Xen.Service;

/// <summary>Writes Prometheus' text format. <b>Source</b>: "Exposition formats", text-based format 0.0.4.</summary>
/// <remarks>A metric's samples stand together, after its HELP and TYPE: so <see cref="Begin"/> comes before them, once for a name.</remarks>
internal sealed class MetricsText
{
    /// <summary>The format's content type.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly StringBuilder _text = new();
    private string _name = "";

    /// <summary>Begins a metric.</summary>
    /// <param name="name">Its name: letters, digits and underscores.</param>
    /// <param name="type">counter, gauge or histogram.</param>
    /// <param name="help">One line.</param>
    public void Begin(string name, string type, string help)
    {
        _name = name;
        _text.Append("# HELP ").Append(name).Append(' ').Append(help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
        _text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
    }

    /// <summary>A sample of the metric that was begun.</summary>
    public void Add(double value, params ReadOnlySpan<(string Name, string Value)> labels) => Add("", value, labels, null);

    /// <summary>A histogram of the metric that was begun.</summary>
    /// <param name="bounds">Upper bounds, rising.</param>
    /// <param name="counts">What is within each bound and not within the one before; one entry more for what is above all.</param>
    /// <param name="sum">Of all values.</param>
    /// <param name="labels">Its labels.</param>
    public void AddHistogram(ReadOnlySpan<double> bounds, ReadOnlySpan<long> counts, double sum, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        long total = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            total += counts[i];
            Add("_bucket", total, labels, i < bounds.Length ? Format(bounds[i]) : "+Inf");
        }

        Add("_sum", sum, labels, null);
        Add("_count", total, labels, null);
    }

    /// <summary>All that was written.</summary>
    public override string ToString() => _text.ToString();

    private void Add(string suffix, double value, ReadOnlySpan<(string Name, string Value)> labels, string? bound)
    {
        _text.Append(_name).Append(suffix);
        char before = '{';
        foreach ((string name, string label) in labels)
        {
            AddLabel(before, name, label);
            before = ',';
        }

        if (bound is not null)
        {
            AddLabel(before, "le", bound);
            before = ',';
        }

        _text.Append(before == ',' ? "} " : " ").Append(Format(value)).Append('\n');
    }

    private void AddLabel(char before, string name, string value)
    {
        _text.Append(before).Append(name).Append("=\"");
        foreach (char c in value)
        {
            _ = c switch
            {
                '\\' => _text.Append(@"\\"),
                '"' => _text.Append("\\\""),
                '\n' => _text.Append(@"\n"),
                _ => _text.Append(c),
            };
        }

        _text.Append('"');
    }

    /// <summary>As Go's float parser reads it; counts in full.</summary>
    private static string Format(double value) => Math.Abs(value) < 1e15 && value == Math.Floor(value)
        ? ((long)value).ToString(CultureInfo.InvariantCulture)
        : value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
}
