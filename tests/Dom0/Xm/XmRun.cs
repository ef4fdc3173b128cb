using System.IO.Pipelines;
using System.Text;
using Xen.Contract;
using Xen.Service;
using Xen.Xm;

namespace Xen.Dom0.Tests.Xm;

/// <summary>Runs xm's commands in this process, and the xend that they start, with folders, streams and a machine of the test's own.</summary>
internal sealed class XmRun : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("xen-xm-");
    private readonly CancellationTokenSource _stop = new();
    private XendHost? _xend;

    public XmRun()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "vmlinuz"), "kernel");
        Config = Path.Combine(_folder.FullName, "guest.cfg");
        File.WriteAllText(Config, "name = 'guest'\nkernel = 'vmlinuz'\nmemory = 256\nvcpus = 2\n");
        Paths = new XenPaths(Path.Combine(_folder.FullName, "run"), Path.Combine(_folder.FullName, "log"), [_folder.FullName]);
    }

    public string Config { get; }

    public XenPaths Paths { get; init; }

    public FakeToolstack Machine { get; init; } = new();

    /// <summary>What is typed; completing it is the end of the pipe.</summary>
    public Pipe Input { get; } = new();

    public Stream Output { get; init; } = new MemoryStream();

    public StringWriter Out { get; } = new();

    public StringWriter Error { get; } = new();

    public ITerminal? Terminal { get; init; }

    public string ConsoleText => Encoding.UTF8.GetString(((MemoryStream)Output).ToArray());

    public void Type(string text) => Input.Writer.WriteAsync(Encoding.UTF8.GetBytes(text)).AsTask().GetAwaiter().GetResult();

    public void Stop() => _stop.Cancel();

    public Task<int> RunAsync(params string[] arguments) => new XmCommandLine(new XmContext
    {
        Input = Input.Reader.AsStream(),
        Output = Output,
        Out = Out,
        Error = Error,
        Terminal = Terminal,
        Paths = Paths,
        StartService = StartServiceAsync,
        Stop = _stop.Token,
    }).RunAsync(arguments);

    /// <summary>What a command of another terminal prints.</summary>
    public async Task<(int Code, string Out, string Error)> AskAsync(params string[] arguments)
    {
        StringWriter output = new(), error = new();
        int code = await new XmCommandLine(new XmContext
        {
            Input = Stream.Null,
            Output = Stream.Null,
            Out = output,
            Error = error,
            Paths = Paths,
            StartService = StartServiceAsync,
        }).RunAsync(arguments);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>Ends the xend that a command has started.</summary>
    public async Task EndServiceAsync()
    {
        XendHost? xend = _xend;
        _xend = null;
        await xend!.DisposeAsync();
    }

    public void Dispose()
    {
        _xend?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _stop.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task StartServiceAsync(bool lookOnly, CancellationToken stop) =>
        _xend = await XendHost.StartAsync(new XendOptions(Paths) { MemoryMiB = 1024, StartsDomains = !lookOnly }, _ => Machine, watched: null);
}

/// <summary>A terminal that counts.</summary>
internal sealed class FakeTerminal : ITerminal
{
    public int Raw { get; private set; }

    public int Entered { get; private set; }

    /// <summary>What standard output is said to be.</summary>
    public (int Columns, int Rows)? Size { get; set; }

    public Action? Resized { get; private set; }

    public IDisposable OnResize(Action resized)
    {
        Resized = resized;
        return Stream.Null;
    }

    public IDisposable EnterRaw()
    {
        Raw++;
        Entered++;
        return new Restore(this);
    }

    private sealed class Restore(FakeTerminal terminal) : IDisposable
    {
        public void Dispose() => terminal.Raw--;
    }
}
