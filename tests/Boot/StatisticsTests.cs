using System.Globalization;
using System.Text.RegularExpressions;

namespace Xen.Boot.Tests;

/// <summary>What xm top and the metrics say of a real guest with a disk and a network.</summary>
public sealed class StatisticsTests
{
    [Fact]
    public async Task TopAndMetrics_CountWhatAGuestDid()
    {
        using DiskImage image = DiskImage.Empty(16);
        using GuestSession user = GuestSession.Start(["help"]);
        Assert.Equal((0, "", ""), user.Tool(Path.Combine(Repository.XendFolder, "xend"), "--metrics=127.0.0.1:0", "--memory=1024", "--idle-exit=60"));
        using GuestSession guest = GuestSession.BootBeside(user, "vmlinuz-cloud", $"disk=['file:{image.Path},xvda,w']", "vif=['']");
        guest.WaitForShell();
        guest.Run("until ifconfig eth0 | grep -q 10.0.2.15; do usleep 50000; done");
        guest.Run("dd if=/dev/xvda of=/dev/null bs=64k count=64 2>/dev/null; dd if=/dev/zero of=/dev/xvda bs=64k count=16 conv=notrunc 2>/dev/null; sync");

        (int code, string top, string error) = guest.Xm("top", "-b", "-f", "-i", "2", "-d", "0.5");
        Assert.Equal((0, ""), (code, error));
        string[][] lines = [.. top.TrimEnd('\n').Split('\n').Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        string[] titles = lines[0], last = lines[^1];
        Assert.Equal(6, lines.Length);
        Assert.Equal((guest.Name, "0.0"), (lines[2][0], lines[2][3]));
        Assert.Equal(guest.Name, last[0]);
        long Shown(string title) => long.Parse(last[Array.IndexOf(titles, title)], CultureInfo.InvariantCulture);
        Assert.Equal((1, 1), (Shown("NETS"), Shown("VBDS")));
        Assert.InRange(Shown("VBD_RD"), 1, long.MaxValue);
        Assert.InRange(Shown("VBD_WSECT"), 16 * 128, long.MaxValue);

        string log = await File.ReadAllTextAsync(Path.Combine(user.StateFolder, "log", "xend.log"));
        using var http = new HttpClient();
        string metrics = await http.GetStringAsync(Regex.Match(log, "http://127[^ \n]+").Value);
        double Told(string name, string labels) => double.Parse(
            Regex.Match(metrics, $"(?m)^{name}{{domain=\"{guest.Name}\",{labels}}} (.+)$").Groups[1].Value, CultureInfo.InvariantCulture);
        foreach ((string count, string operation) in (IEnumerable<(string, string)>)[("reads", "read"), ("writes", "write"), ("flushes", "flush")])
        {
            double requests = Told($"xen_domain_block_{count}_total", "device=\"xvda\"");
            Assert.True(requests > 0 || count == "flushes");
            Assert.Equal(requests, Told("xen_domain_block_latency_seconds_count", $"device=\"xvda\",operation=\"{operation}\""));
            Assert.Equal(requests > 0, Told("xen_domain_block_latency_seconds_sum", $"device=\"xvda\",operation=\"{operation}\"") > 0);
        }

        Assert.Equal(Shown("VBD_RD"), Told("xen_domain_block_reads_total", "device=\"xvda\""));
        foreach (string direction in (string[])["transmit", "receive"])
        {
            double packets = Told($"xen_domain_network_{direction}_packets_total", "device=\"0\"");
            Assert.True(packets > 0);

            // A packet may come between the two figures.
            Assert.InRange(Told("xen_domain_network_latency_seconds_count", $"device=\"0\",direction=\"{direction}\""), packets - 1, packets + 1);
        }

        guest.Type("poweroff\n");
        Assert.Equal(0, guest.WaitForExit());
    }
}
