using System.Globalization;
using System.Text.RegularExpressions;

namespace Xen.Dom0.Tests.Service;

/// <summary>Reads Prometheus' text format as strictly as its description says.</summary>
internal sealed partial class PrometheusText
{
    private readonly Dictionary<string, double> _samples = [];

    /// <summary>A sample, by its name and labels as they are written.</summary>
    public double this[string name] => _samples.TryGetValue(name, out double value) ? value : throw new KeyNotFoundException($"there is no {name} among\n{string.Join('\n', _samples.Keys)}");

    public static PrometheusText Parse(string text)
    {
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        var parsed = new PrometheusText();
        HashSet<string> begun = [];
        string metric = "", type = "", helped = "";
        foreach (string line in text[..^1].Split('\n'))
        {
            if (Help().Match(line) is { Success: true } help)
            {
                helped = help.Groups[1].Value;
            }
            else if (Type().Match(line) is { Success: true } typed)
            {
                (metric, type) = (typed.Groups[1].Value, typed.Groups[2].Value);
                Assert.Equal(metric, helped);
                Assert.True(begun.Add(metric), $"{metric} is begun twice");
                Assert.Equal(type == "counter", metric.EndsWith("_total", StringComparison.Ordinal));
            }
            else
            {
                Match sample = Sample().Match(line);
                Assert.True(sample.Success, $"'{line}' is no sample");
                string suffix = type == "histogram" ? "_(bucket|sum|count)" : "";
                Assert.Matches($"^{metric}{suffix}$", sample.Groups[1].Value);
                Assert.True(parsed._samples.TryAdd(sample.Groups[1].Value + sample.Groups[2].Value, double.Parse(sample.Groups[3].Value, CultureInfo.InvariantCulture)), line);
            }
        }

        return parsed;
    }

    [GeneratedRegex("^# HELP ([a-z_]+) [^\\\\]+$")]
    private static partial Regex Help();

    [GeneratedRegex("^# TYPE ([a-z_]+) (counter|gauge|histogram)$")]
    private static partial Regex Type();

    [GeneratedRegex("""^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? ([0-9.e+-]+)$""")]
    private static partial Regex Sample();
}
