using System.Net;
using System.Net.Sockets;
using Xen.Contract.V1;
using Xen.Service;
using Xen.Toolstack;
using DomainStatistics = Xen.Contract.V1.DomainStatistics;
using LatencyHistogram = Xen.Contract.V1.LatencyHistogram;
using VbdStatistics = Xen.Contract.V1.VbdStatistics;
using VifStatistics = Xen.Contract.V1.VifStatistics;

namespace Xen.Dom0.Tests.Service;

/// <summary>Metrics for Prometheus.</summary>
public sealed class MetricsTests
{
    private static readonly ProcessFigures Process = new(1.5, 4096, 10, 1024, 1_700_000_000.25);

    [Fact]
    public async Task Endpoint_OffersMetrics_AndNothingElse()
    {
        await using RunningXend xend = await RunningXend.StartAsync(configure: static options => options with { Metrics = new IPEndPoint(IPAddress.Loopback, 0) });
        await xend.CreateAsync("one", xend.WriteIdleKernel());
        using var http = new HttpClient();
        string url = xend.Host.MetricsUrl!;
        Assert.Matches("^http://127\\.0\\.0\\.1:[1-9][0-9]*/metrics$", url);
        Assert.Contains(url, await File.ReadAllTextAsync(xend.Paths.ServiceLog), StringComparison.Ordinal);

        using HttpResponseMessage response = await http.GetAsync(url);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        PrometheusText text = PrometheusText.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(64 << 20, text["xen_domain_memory_bytes{domain=\"one\"}"]);
        Assert.Equal(text["xen_machine_memory_bytes"], text["xen_machine_memory_used_bytes"] + text["xen_machine_memory_free_bytes"]);
        Assert.True(text["process_cpu_seconds_total"] > 0 && text["process_open_fds"] > 3 && text["process_resident_memory_bytes"] > 1 << 20);
        double age = (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds - text["process_start_time_seconds"];
        Assert.InRange(age, 0, 24 * 3600);

        using HttpResponseMessage head = await http.SendAsync(new HttpRequestMessage(HttpMethod.Head, url));
        Assert.Equal((HttpStatusCode.OK, true), (head.StatusCode, head.Content.Headers.ContentLength > 0));
        using HttpResponseMessage root = await http.GetAsync(new Uri(new Uri(url), "/"));
        Assert.Equal(HttpStatusCode.NotFound, root.StatusCode);
        using HttpResponseMessage post = await http.PostAsync(url, null);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
    }

    [Fact]
    public async Task PortInUse_OneSentence_AndNothingIsLeft()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("xend-");
        try
        {
            ToolstackException fault = await Assert.ThrowsAsync<ToolstackException>(() => RunningXend.StartIn(folder.FullName, configure: options => options with { Metrics = (IPEndPoint)other.LocalEndpoint }));
            Assert.Matches("^metrics cannot be offered at 127\\.0\\.0\\.1:[0-9]+: [^.]+; give --metrics another address or port, 0 for any port\\.$", fault.Message);
            await (await RunningXend.StartIn(folder.FullName)).DisposeAsync();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("127.0.0.1:9090", false, "127.0.0.1:9090")]
    [InlineData("[::1]:0", false, "[::1]:0")]
    [InlineData("localhost:65535", false, "127.0.0.1:65535")]
    [InlineData("0.0.0.0:9090", true, "0.0.0.0:9090")]
    public void Address_IsRead(string text, bool any, string expected)
    {
        Assert.Null(MetricsAddress.TryParse(text, any, out IPEndPoint? address));
        Assert.Equal(expected, address!.ToString());
    }

    [Theory]
    [InlineData("0.0.0.0:9090", "--metrics-any")]
    [InlineData("[::]:9090", "--metrics-any")]
    [InlineData("192.0.2.1:9090", "--metrics-any")]
    [InlineData("[::ffff:192.0.2.1]:9090", "--metrics-any")]
    [InlineData("127.0.0.1", "ADDRESS:PORT")]
    [InlineData("127.0.0.1:65536", "ADDRESS:PORT")]
    [InlineData("127.0.0.1:-1", "ADDRESS:PORT")]
    [InlineData("::1:9090", "in brackets")]
    [InlineData("[127.0.0.1]:9090", "in brackets")]
    [InlineData("example.org:9090", "IP address")]
    [InlineData(":9090", "IP address")]
    public async Task Address_ThatIsWrong_ExitsWithTwo(string text, string sentence)
    {
        StringWriter output = new(), error = new();
        Assert.Equal(2, await new XendCommandLine(output, error).RunAsync(["--foreground", "--metrics=" + text]));
        Assert.StartsWith("xend: --metrics ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(sentence, error.ToString(), StringComparison.Ordinal);
        Assert.Single(error.ToString().TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void Histograms_AreCumulative_InSeconds()
    {
        var late = new LatencyHistogram { SumNs = 40_000_000_000 };
        for (int i = 0; i < 32; i++)
            late.Counts.Add(i == 1 ? 5 : i is 25 or 31 ? 1 : 0);
        PrometheusText text = PrometheusText.Parse(XendMetrics.Write(SampleWith("one", late), Process));
        const string labels = "domain=\"one\",device=\"xvda\",operation=\"read\"";
        Assert.Equal(0, text[$"xen_domain_block_latency_seconds_bucket{{{labels},le=\"1e-06\"}}"]);
        Assert.Equal(5, text[$"xen_domain_block_latency_seconds_bucket{{{labels},le=\"2e-06\"}}"]);
        Assert.Equal(5, text[$"xen_domain_block_latency_seconds_bucket{{{labels},le=\"16.777216\"}}"]);
        Assert.Equal(7, text[$"xen_domain_block_latency_seconds_bucket{{{labels},le=\"+Inf\"}}"]);
        Assert.Equal(7, text[$"xen_domain_block_latency_seconds_count{{{labels}}}"]);
        Assert.Equal(40, text[$"xen_domain_block_latency_seconds_sum{{{labels}}}"]);
        Assert.Equal(0, text["xen_domain_network_latency_seconds_count{domain=\"one\",device=\"0\",direction=\"receive\"}"]);
        Assert.Equal(5120, text["xen_domain_block_read_bytes_total{domain=\"one\",device=\"xvda\"}"]);
        Assert.Equal(1, text["xen_domains{state=\"paused\"}"]);
        Assert.Equal(1, text["xen_domain_state{domain=\"one\",state=\"paused\"}"]);
        Assert.Equal(1_700_000_000.25, text["process_start_time_seconds"]);
    }

    [Fact]
    public void Hostile_Names_AreEscaped_AndNoSampleIsThereTwice()
    {
        StatisticsSample sample = SampleWith("a\"b\\c\nd", new LatencyHistogram());
        sample.Domains.Add(sample.Domains[0].Clone());
        PrometheusText text = PrometheusText.Parse(XendMetrics.Write(sample, Process));
        Assert.Equal(2048 * 1024, text["xen_domain_memory_bytes{domain=\"a\\\"b\\\\c\\nd\"}"]);
    }

    private static StatisticsSample SampleWith(string name, LatencyHistogram reads)
    {
        LatencyHistogram none = new();
        return new StatisticsSample
        {
            TotalMemoryKib = 4096,
            Domains =
            {
                new DomainStatistics
                {
                    Name = name, Id = 1, State = "--p---", MemoryKib = 2048, MaxMemoryKib = 2048,
                    Vifs = { new VifStatistics { TxLatency = none, RxLatency = none } },
                    Vbds = { new VbdStatistics { Name = "xvda", ReadSectors = 10, ReadLatency = reads, WriteLatency = none, FlushLatency = none } },
                },
            },
        };
    }
}
