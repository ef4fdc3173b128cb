using System.Diagnostics;
using System.Text;

namespace Xen.Boot.Tests;

/// <summary>A running xm with a guest's console on its standard input and output, driven as a person would.</summary>
internal sealed class GuestSession : IDisposable
{
    /// <summary>How long anything may take on a slow, busy machine. Nothing waits that long unless it is broken.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly object _changed = new();
    private readonly string _state;
    private readonly bool _ownsState;
    private int _read;
    private int _openStreams = 2;

    private GuestSession(string program, IEnumerable<string> arguments, GuestSession? neighbour)
    {
        _ownsState = neighbour is null;
        _state = neighbour?._state ?? Directory.CreateTempSubdirectory("xen-boot-").FullName;
        _process = Process.Start(Prepare(program, arguments)) ?? throw new InvalidOperationException("xm does not start");
        _ = Collect(_process.StandardOutput, _output);
        _ = Collect(_process.StandardError, _errors);
    }

    /// <summary>The domain's name; of those that <see cref="Boot(string, string[])"/> made.</summary>
    public string Name { get; private init; } = "";

    /// <summary>The folder with the logs and sockets of this xm and its xend.</summary>
    public string StateFolder => _state;

    /// <summary>Memory of xend's process that is in RAM, shared pages included. <b>Units</b>: bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            using Process xend = FindXend() ?? throw Failure("no xend runs");
            return xend.WorkingSet64;
        }
    }

    /// <summary>What xm wrote on standard error so far.</summary>
    public string Errors
    {
        get
        {
            lock (_changed)
                return _errors.ToString();
        }
    }

    /// <summary>What the console showed so far.</summary>
    public string Output
    {
        get
        {
            lock (_changed)
                return _output.ToString();
        }
    }

    /// <summary>Boots a stock kernel with the busybox initramfs and waits for its shell.</summary>
    public static GuestSession BootToShell(string kernel, params string[] overrides)
    {
        GuestSession session = Boot(kernel, overrides);
        session.WaitForShell();
        return session;
    }

    /// <summary>Starts a stock kernel with the busybox initramfs.</summary>
    public static GuestSession Boot(string kernel, params string[] overrides) => BootBeside(null, kernel, overrides);

    /// <summary>The same, as the user who started the neighbour: xm's folders are shared.</summary>
    public static GuestSession BootBeside(GuestSession? neighbour, string kernel, params string[] overrides) => Create(
        "debian.cfg", neighbour, ["kernel=" + Repository.Cached(kernel), "ramdisk=" + Repository.Cached("initramfs.cpio.gz"), .. overrides]);

    /// <summary>Creates a domain from one of the examples.</summary>
    public static GuestSession Create(string example, GuestSession? neighbour, params string[] overrides)
    {
        string name = "boot" + Guid.NewGuid().ToString("n")[..8];
        string[] arguments = ["create", "-c", Path.Combine(Repository.Root, "examples", example), "name=" + name, .. overrides];
        return new GuestSession(Repository.Xm, arguments, neighbour) { Name = name };
    }

    /// <summary>Starts xm with these arguments.</summary>
    public static GuestSession Start(IEnumerable<string> arguments) => new(Repository.Xm, arguments, null);

    /// <summary>Runs a shell's line on a terminal of its own.</summary>
    public static GuestSession StartAtTerminal(string line) => new("script", ["-q", "-e", "-c", line, "/dev/null"], null);

    /// <summary>Connects to one of this domain's consoles from another terminal.</summary>
    public GuestSession ConnectConsole(int number) =>
        new(Repository.Xm, ["console", "-n", number.ToString(System.Globalization.CultureInfo.InvariantCulture), Name], this);

    /// <summary>Runs another xm of the same user, to its end.</summary>
    public (int Code, string Out, string Error) Xm(params string[] arguments) => Tool(Repository.Xm, arguments);

    /// <summary>Runs a program to its end, as the same user would: xm finds this domain, xenstore's tools its machine's xenstore.</summary>
    public (int Code, string Out, string Error) Tool(string program, params string[] arguments)
    {
        using Process process = Process.Start(Prepare(program, arguments)) ?? throw new InvalidOperationException(program + " does not start");
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
            throw new GuestException($"{program} {string.Join(' ', arguments)} does not end");
        return (process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Waits until a node of this machine's xenstore has a value: a guest's devices connect while its shell starts.</summary>
    public void WaitForNode(string path, string value)
    {
        long start = Stopwatch.GetTimestamp();
        string seen;
        while ((seen = Tool("xenstore-read", path).Out.TrimEnd('\n')) != value)
        {
            if (Stopwatch.GetElapsedTime(start) > Patience)
                throw Failure($"{path} is '{seen}', not '{value}'");
        }
    }

    /// <summary>Waits until init runs and the shell prompts.</summary>
    public void WaitForShell()
    {
        WaitFor("xen-sln: init running");
        WaitFor("domu:~# ");
    }

    /// <summary>Waits until the text appears behind what was waited for before, and returns what came before it.</summary>
    public string WaitFor(string text)
    {
        return TryWaitFor(text) ?? throw Failure($"'{text}' did not appear");
    }

    private string? TryWaitFor(string text)
    {
        long deadline = Stopwatch.GetTimestamp() + (long)(Patience.TotalSeconds * Stopwatch.Frequency);
        lock (_changed)
        {
            while (true)
            {
                string seen = _output.ToString(_read, _output.Length - _read);
                int at = seen.IndexOf(text, StringComparison.Ordinal);
                if (at >= 0)
                {
                    _read += at + text.Length;
                    return seen[..at];
                }

                long left = deadline - Stopwatch.GetTimestamp();
                if (_openStreams == 0 || left <= 0 || !Monitor.Wait(_changed, TimeSpan.FromSeconds(left / (double)Stopwatch.Frequency)))
                    return null;
            }
        }
    }

    /// <summary>What can be said when a guest does not do what it should: its console, xm's messages, and where its vCPUs are.</summary>
    private GuestException Failure(string what)
    {
        bool ended = _process.HasExited;
        string vcpus = ended || Name.Length == 0 ? "" : "\n--- debug keys\n" + Xm("debug-keys", "qrd").Out;
        lock (_changed)
            return new GuestException($"{what} ({(ended ? "xm has ended" : "timeout")}).\n{Tail(_output)}\n--- stderr\n{Tail(_errors)}{vcpus}");
    }

    /// <summary>Types bytes into the console.</summary>
    public void Type(string text)
    {
        _process.StandardInput.Write(text);
        _process.StandardInput.Flush();
    }

    /// <summary>Runs a command in the guest's shell and returns what it printed.</summary>
    public string Run(string command)
    {
        // The markers are put together by the shell, so that the echo of the line, which its editor may wrap anywhere, does not match.
        Type("echo begin''-mark; " + command + "; echo done''-mark=$?\n");
        WaitFor("begin-mark\r\n");
        string output = WaitFor("done-mark=");
        string status = WaitFor("\n").Trim();
        WaitFor("domu:~# ");
        Assert.True(status == "0", $"'{command}' ended with {status}: {output}");
        return output.Replace("\r", "", StringComparison.Ordinal).TrimEnd('\n');
    }

    /// <summary>Ends xend as a power cut would: at once, with nothing said.</summary>
    public void KillXend()
    {
        using Process? xend = FindXend();
        xend?.Kill();
        xend?.WaitForExit();
    }

    /// <summary>Checks that no domain runs and none of its files is left.</summary>
    public void AssertNothingRuns()
    {
        Assert.DoesNotContain(Name, Xm("list").Out, StringComparison.Ordinal);
        string run = Path.Combine(_state, "run");
        string[] left = Directory.Exists(run) ? [.. Directory.GetFiles(run).Select(static file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)] : [];
        Assert.All(left, static file => Assert.Contains(file, new[] { "xend.lock", "xend.socket", "xenstored.socket", "xenstored.socket.lock" }));
    }

    /// <summary>Waits for xm to end and for the last of its output, and returns its exit code.</summary>
    public int WaitForExit()
    {
        if (!_process.WaitForExit(Patience))
            throw Failure("xm does not end");
        _process.WaitForExit();
        lock (_changed)
        {
            while (_openStreams > 0 && Monitor.Wait(_changed, Patience))
            {
            }
        }

        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        if (!_ownsState)
            return;
        KillXend();
        Directory.Delete(_state, recursive: true);
    }

    /// <summary>The xend that holds the lock of this session's folder.</summary>
    private Process? FindXend()
    {
        // Not by File: it would want a lock of its own.
        string holder = Tool("cat", Path.Combine(_state, "run", "xend.lock")).Out;
        try
        {
            return int.TryParse(holder, System.Globalization.CultureInfo.InvariantCulture, out int id) ? Process.GetProcessById(id) : null;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    private ProcessStartInfo Prepare(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.Latin1,
            StandardErrorEncoding = Encoding.UTF8,
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment["XDG_STATE_HOME"] = _state;
        start.Environment["XDG_RUNTIME_DIR"] = _state;
        start.Environment["XDG_CONFIG_HOME"] = _state;
        // Root has Xen's own folders, whatever the XDG variables say; these come first for everybody.
        start.Environment["XEN_RUNTIME_DIR"] = Path.Combine(_state, "run");
        start.Environment["XEN_LOG_DIR"] = Path.Combine(_state, "log");
        start.Environment["XEN_CONFIG_DIR"] = Path.Combine(_state, "etc");
        start.Environment["XENSTORED_PATH"] = Path.Combine(_state, "run", "xenstored.socket");
        start.Environment["PATH"] = Repository.XendFolder + ":" + start.Environment["PATH"];
        return start;
    }

    private static string Tail(StringBuilder text)
    {
        string all = text.ToString();
        return all.Length > 3000 ? "..." + all[^3000..] : all;
    }

    private async Task Collect(StreamReader reader, StringBuilder into)
    {
        var buffer = new char[4096];
        int count;
        while ((count = await reader.ReadAsync(buffer).ConfigureAwait(false)) > 0)
        {
            lock (_changed)
            {
                into.Append(buffer, 0, count);
                Monitor.PulseAll(_changed);
            }
        }

        lock (_changed)
        {
            _openStreams--;
            Monitor.PulseAll(_changed);
        }
    }
}

/// <summary>The guest or xm did not do what was waited for.</summary>
public sealed class GuestException : Exception
{
    public GuestException()
    {
    }

    public GuestException(string message)
        : base(message)
    {
    }

    public GuestException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
