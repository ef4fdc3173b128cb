using System.Globalization;
using Xen.Contract.V1;

namespace Xen.Xm;

/// <summary>A column of <c>xm top</c>: xentop's, with its width.</summary>
internal sealed class TopColumn
{
    private const int KiBShift = 10;

    private readonly Func<TopDomain, string> _text;
    private readonly Func<TopDomain, double>? _value;

    private TopColumn(string title, int width, Func<TopDomain, double> value, string format = "F0")
        : this(title, width, domain => value(domain).ToString(format, CultureInfo.InvariantCulture), value)
    {
    }

    private TopColumn(string title, int width, Func<TopDomain, string> text, Func<TopDomain, double>? value) =>
        (Title, Width, _text, _value) = (title, width, text, value);

    /// <summary>All of them, from left to right.</summary>
    public static IReadOnlyList<TopColumn> All { get; } =
    [
        new("NAME", 10, static d => d.Name, null),
        new("STATE", 6, static d => StateOf(d.Statistics), null),
        new("CPU(sec)", 10, static d => TopSample.Seconds(d.Statistics.CpuNs).ToString(CultureInfo.InvariantCulture), static d => d.Statistics.CpuNs),
        new("CPU(%)", 6, static d => d.CpuPercent, "F1"),
        new("MEM(k)", 10, static d => d.Statistics.MemoryKib),
        new("MEM(%)", 6, static d => d.MemoryPercent, "F1"),
        new("MAXMEM(k)", 10, static d => d.MaxMemoryPercent is null ? "no limit" : d.Statistics.MaxMemoryKib.ToString(CultureInfo.InvariantCulture), static d => LimitOf(d)),
        new("MAXMEM(%)", 9, static d => d.MaxMemoryPercent?.ToString("F1", CultureInfo.InvariantCulture) ?? "n/a", static d => LimitOf(d)),
        new("VCPUS", 5, static d => d.Statistics.OnlineVcpus),
        new("NETS", 4, static d => d.Statistics.Vifs.Count),
        new("NETTX(k)", 8, static d => d.Statistics.Vifs.Sum(static v => v.TxBytes) >> KiBShift),
        new("NETRX(k)", 8, static d => d.Statistics.Vifs.Sum(static v => v.RxBytes) >> KiBShift),
        new("VBDS", 4, static d => d.Statistics.Vbds.Count),
        new("VBD_OO", 8, static d => d.Statistics.Vbds.Sum(static v => v.OutOfRequests)),
        new("VBD_RD", 8, static d => d.Statistics.Vbds.Sum(static v => v.Reads)),
        new("VBD_WR", 8, static d => d.Statistics.Vbds.Sum(static v => v.Writes)),
        new("VBD_RSECT", 10, static d => d.Statistics.Vbds.Sum(static v => v.ReadSectors)),
        new("VBD_WSECT", 10, static d => d.Statistics.Vbds.Sum(static v => v.WrittenSectors)),
        new("SSID", 4, static _ => 0),
    ];

    public string Title { get; }

    /// <summary>Of what it shows; one space stands before it.</summary>
    public int Width { get; }

    /// <summary>What a person types for it: <c>cpu%</c>, <c>mem</c>, <c>vbd_rd</c>; the title does, too.</summary>
    public string Key => KeyOf(Title);

    /// <summary>Finds a column by its title or key, upper case or lower; null: there is none.</summary>
    public static TopColumn? Find(string text) => All.FirstOrDefault(column => column.Key == KeyOf(text));

    /// <summary>What it shows of a domain.</summary>
    public string TextOf(TopDomain domain) => _text(domain);

    /// <summary>The order of two domains: numbers from the greatest down, texts from A up; equals by their number.</summary>
    public int Compare(TopDomain left, TopDomain right)
    {
        int order = _value is null ? string.CompareOrdinal(_text(left), _text(right)) : _value(right).CompareTo(_value(left));
        return order != 0 ? order : left.Statistics.Id.CompareTo(right.Statistics.Id);
    }

    private static string KeyOf(string title) => title.ToLowerInvariant().Replace("(k)", "", StringComparison.Ordinal).Replace("(", "", StringComparison.Ordinal).Replace(")", "", StringComparison.Ordinal);

    private static double LimitOf(TopDomain domain) => domain.MaxMemoryPercent is null ? double.PositiveInfinity : domain.Statistics.MaxMemoryKib;

    /// <summary>xentop's six letters, in another order than xm list's: dying, shut down, blocked, crashed, paused, running.</summary>
    private static string StateOf(DomainStatistics domain) =>
        string.Concat("dsbcpr".Select(letter => domain.State.Contains(letter, StringComparison.Ordinal) ? letter : '-'));
}
