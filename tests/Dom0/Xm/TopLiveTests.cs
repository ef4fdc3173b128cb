using System.IO.Pipelines;
using System.Text;
using Xen.Xm;

namespace Xen.Dom0.Tests.Xm;

/// <summary><c>xm top</c> on a terminal: whatever ends it, the terminal is as before.</summary>
public sealed class TopLiveTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly Pipe _screen = new(new PipeOptions(pauseWriterThreshold: 0));
    private readonly FakeTerminal _terminal = new() { Size = (200, 20) };
    private readonly XmRun _xm;
    private string _seen = "";

    public TopLiveTests() => _xm = new XmRun { Output = _screen.Writer.AsStream(), Terminal = _terminal };

    public void Dispose() => _xm.Dispose();

    [Fact]
    public async Task Keys_ChangeWhatIsShown_AndQLeaves()
    {
        Task<int> top = await StartAsync();
        Assert.Equal(1, _terminal.Raw);
        _xm.Type("v");
        await SeeAsync("VCPUs(sec): ");
        _xm.Type("s");
        await SeeAsync("sort NAME");
        _xm.Type("\x1b[C\x1b[B");
        _xm.Type("d0.5\r");
        await SeeAsync("delay 0.5s");
        _xm.Type("q");
        Assert.Equal(0, await top.WaitAsync(Patience));
        await AssertRestoredAsync();
    }

    [Fact]
    public async Task Resize_DrawsAnew()
    {
        Task<int> top = await StartAsync("-d", "3600");
        _terminal.Size = (30, 10);
        _terminal.Resized!();

        await SeeAsync(seen => seen.Split("\x1b[H")[^1].Split("\x1b[J") is [var drawn, _] && drawn.Split("\r\n").Length == 10);
        _xm.Type("q");
        Assert.Equal(0, await top.WaitAsync(Patience));
    }

    [Fact]
    public async Task CtrlC_Leaves()
    {
        Task<int> top = await StartAsync();
        _xm.Type("\x03");
        Assert.Equal(ExitCode.CtrlC, await top.WaitAsync(Patience));
        await AssertRestoredAsync();
    }

    [Fact]
    public async Task Stop_Leaves()
    {
        Task<int> top = await StartAsync();
        _xm.Stop();
        Assert.Equal(ExitCode.Interrupted, await top.WaitAsync(Patience));
        await AssertRestoredAsync();
    }

    [Fact]
    public async Task Xend_ThatEnds_IsSaid()
    {
        Task<int> top = await StartAsync();
        await _xm.EndServiceAsync();
        Assert.Equal(1, await top.WaitAsync(Patience));
        await AssertRestoredAsync();
        Assert.Contains("xend ended meanwhile", _xm.Error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Iterations_End()
    {
        Task<int> top = await StartAsync("-i", "1");
        Assert.Equal(0, await top.WaitAsync(Patience));
        await AssertRestoredAsync();
    }

    private async Task<Task<int>> StartAsync(params string[] arguments)
    {
        Assert.Equal(0, (await _xm.AskAsync("create", _xm.Config)).Code);
        Task<int> top = _xm.RunAsync(["top", .. arguments]);
        await SeeAsync("     guest");
        return top;
    }

    private Task SeeAsync(string text) => SeeAsync(seen => seen.Contains(text, StringComparison.Ordinal));

    private async Task SeeAsync(Func<string, bool> isThere)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!isThere(_seen))
            await ReadAsync(patience.Token);
    }

    private async Task ReadAsync(CancellationToken cancellation)
    {
        ReadResult read = await _screen.Reader.ReadAsync(cancellation);
        foreach (ReadOnlyMemory<byte> part in read.Buffer)
            _seen += Encoding.UTF8.GetString(part.Span);
        _screen.Reader.AdvanceTo(read.Buffer.End);
    }

    private async Task AssertRestoredAsync()
    {
        await SeeAsync(TopPainter.Leave);
        Assert.StartsWith(TopPainter.Enter, _seen, StringComparison.Ordinal);
        Assert.EndsWith(TopPainter.Leave, _seen, StringComparison.Ordinal);
        Assert.Equal((0, 1), (_terminal.Raw, _terminal.Entered));
    }
}
