using System.Globalization;
using System.Text;
using Xen.Contract.V1;
using Xen.Contract;

namespace Xen.Xm;

/// <summary>What of <c>xm top</c> is text: lines as xentop prints them.</summary>
internal static class TopText
{
    /// <summary>vCPUs in a line.</summary>
    private const int VcpusPerLine = 5;

    private const int NameWidth = 10;

    /// <summary>The lines above the table: time, domains by state, memory.</summary>
    public static IEnumerable<string> Summary(TopSample sample)
    {
        StatisticsSample raw = sample.Raw;
        DateTime time = DateTimeOffset.FromUnixTimeMilliseconds(raw.TimeUnixMs).LocalDateTime;
        yield return string.Create(CultureInfo.InvariantCulture, $"xm top - {time:HH:mm:ss}   xend {PrintableText.Of(raw.Version)}");
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{sample.Domains.Count} domains: {sample.Count('r')} running, {sample.Count('b')} blocked, {sample.Count('p')} paused, {sample.Count('c')} crashed, {sample.Count('d')} dying, {sample.Count('s')} shutdown");
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"Mem: {raw.TotalMemoryKib}k total, {raw.UsedMemoryKib}k used, {raw.FreeMemoryKib}k free    CPUs: {raw.PhysicalCpus} @ {raw.CpuKhz / 1000}MHz");
    }

    /// <summary>The table's titles.</summary>
    public static string Header() => Line(TopColumn.All, static column => column.Title, isFull: true);

    /// <summary>A domain's line.</summary>
    public static string Row(TopDomain domain, bool fullNames) => Line(TopColumn.All, column => column.TextOf(domain), fullNames);

    /// <summary>One cell with the space before it; a name that is too long loses its end.</summary>
    public static string Cell(TopColumn column, string text, bool isFirst, bool isFull)
    {
        if (!isFull && column == TopColumn.All[0] && text.Length > NameWidth)
            text = Cut(text);
        string cell = text.PadLeft(column.Width);
        return isFirst ? cell : " " + cell;
    }

    /// <summary>The lines under a domain that were asked for.</summary>
    public static IEnumerable<string> Details(TopDomain domain, TopView view)
    {
        DomainStatistics statistics = domain.Statistics;
        IEnumerable<string> none = [];
        return (view.Vcpus ? Vcpus(statistics) : none)
            .Concat(view.Networks ? statistics.Vifs.Select(Network) : none)
            .Concat(view.Vbds ? statistics.Vbds.Select(Vbd) : none);
    }

    private static string Cut(string name) => char.IsHighSurrogate(name[NameWidth - 1]) ? name[..(NameWidth - 1)] : name[..NameWidth];

    private static string Line(IReadOnlyList<TopColumn> columns, Func<TopColumn, string> text, bool isFull)
    {
        var line = new StringBuilder();
        for (int i = 0; i < columns.Count; i++)
            line.Append(Cell(columns[i], text(columns[i]), i == 0, isFull));
        return line.ToString();
    }

    private static IEnumerable<string> Vcpus(DomainStatistics domain) => domain.Vcpus.Where(static vcpu => vcpu.Online).Chunk(VcpusPerLine).Select(
        static (part, i) => (i == 0 ? "VCPUs(sec): " : "            ") + string.Concat(part.Select(
            static vcpu => string.Create(CultureInfo.InvariantCulture, $" {vcpu.Number,2}: {TopSample.Seconds(vcpu.CpuNs),10}s"))));

    private static string Network(VifStatistics vif) => string.Create(
        CultureInfo.InvariantCulture,
        $"Net{vif.Index} RX: {vif.RxBytes,8}bytes {vif.RxPackets,8}pkts {vif.RxErrors,8}err {vif.RxDropped,8}drop  TX: {vif.TxBytes,8}bytes {vif.TxPackets,8}pkts {vif.TxErrors,8}err {0,8}drop");

    private static string Vbd(VbdStatistics vbd) => string.Create(
        CultureInfo.InvariantCulture,
        $"VBD BlkBack {vbd.Number,5} [{vbd.Number >> 8,2:x}:{vbd.Number & 0xFF,2:x}]  OO: {vbd.OutOfRequests,8}   RD: {vbd.Reads,8}   WR: {vbd.Writes,8}  RSECT: {vbd.ReadSectors,10}  WSECT: {vbd.WrittenSectors,10}");
}
