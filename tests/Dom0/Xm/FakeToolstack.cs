using System.Text;
using System.Threading.Channels;
using Xen.Toolstack;

namespace Xen.Dom0.Tests.Xm;

/// <summary>A machine without a hypervisor: its one domain does what the test says.</summary>
internal sealed class FakeToolstack : IToolstack
{
    public event Action<string>? LogWritten;

    public List<string> Log { get; } = [];

    public List<string> StoreSockets { get; } = [];

    public FakeDomain? Domain { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>What <see cref="CreateDomain"/> fails with, if it shall.</summary>
    public string? Refusal { get; init; }

    /// <summary>The guest's program: called when the domain starts to run.</summary>
    public Action<FakeDomain> Guest { get; init; } = _ => { };

    public MachineInfo Info { get; } = new(1024, 512, 2, 2_000_000, "interpreter", "credit");

    public IReadOnlyList<IRunningDomain> Domains => Domain is null ? [] : [Domain];

    public IRunningDomain CreateDomain(DomainConfig config)
    {
        if (Refusal is not null)
            throw new ToolstackException(Refusal);
        if (Domain is { Completion.IsCompleted: false } before && before.Config.Name == config.Name)
            throw new ToolstackException($"a domain named '{config.Name}' exists already: choose another name=.");
        WriteLog($"d1 created: {config.Name}");
        return Domain = new FakeDomain(config, Guest);
    }

    public void ForgetDisks(IReadOnlySet<Guid> kept)
    {
    }

    public void WriteLog(string line)
    {
        Log.Add(line);
        LogWritten?.Invoke(line);
    }

    public void ListenForStore(string path) => StoreSockets.Add(path);

    public string ReadLog(bool clear = false)
    {
        string text = string.Join('\n', Log);
        if (clear)
            Log.Clear();
        return text;
    }

    public string DebugKey(char key) => $"key {key}\n";

    public void Dispose() => IsDisposed = true;
}

/// <summary>A domain that is consoles and a state.</summary>
internal sealed partial class FakeDomain(DomainConfig config, Action<FakeDomain> guest) : IRunningDomain
{
    private readonly TaskCompletionSource<DomainOutcome> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly FakeConsole[] _consoles = [.. config.Consoles.Select(static _ => new FakeConsole())];
    private int _pauses = 1;

    public event Action? Restarted;

    /// <summary>Never: its only domain does not restart.</summary>
    public event Action<IRunningDomain>? Kept
    {
        add { }
        remove { }
    }

    public Channel<string> Typed => _consoles[0].Typed;

    public int Id => 1;

    public DomainConfig Config => config;

    public DomainStatus Status => new(config.MemoryMiB, config.Vcpus, _pauses > 0 ? DomainState.Paused : DomainState.Running, TimeSpan.FromSeconds(1.25));

    public IReadOnlyList<IDomainConsole> Consoles => _consoles;

    public IDomainDevices Devices { get; } = new FakeDevices();

    public Task<DomainOutcome> Completion => _completion.Task;

    public bool IsDisposed { get; private set; }

    public FakeConsole this[int console] => _consoles[console];

    public void Print(string text) => _consoles[0].Print(text);

    public void End(ShutdownReason reason, string report = "") => End(new DomainOutcome(reason, false, report));

    /// <summary>Reads what is typed until the text is there.</summary>
    public Task ExpectAsync(string text) => _consoles[0].ExpectAsync(text);

    public void Pause() => _pauses++;

    public void Unpause()
    {
        if (--_pauses == 0)
            guest(this);
    }

    public void Destroy() => End(new DomainOutcome(ShutdownReason.Poweroff, true, ""));

    public string DescribeCounters() => "hypercalls 1";

    public void Dispose() => IsDisposed = true;

    private void End(DomainOutcome outcome)
    {
        foreach (FakeConsole console in _consoles)
            console.End();
        _completion.TrySetResult(outcome);
    }
}

/// <summary>A console whose guest is the test.</summary>
internal sealed class FakeConsole : IDomainConsole
{
    private readonly Channel<byte[]> _output = Channel.CreateUnbounded<byte[]>();
    private int _isTaken;

    public Channel<string> Typed { get; } = Channel.CreateUnbounded<string>();

    public bool IsTaken => Volatile.Read(ref _isTaken) != 0;

    public void Print(string text) => _output.Writer.TryWrite(Encoding.UTF8.GetBytes(text));

    public async Task ExpectAsync(string text)
    {
        string seen = "";
        while (!seen.Contains(text, StringComparison.Ordinal))
            seen += await Typed.Reader.ReadAsync();
    }

    public void End() => _output.Writer.TryComplete();

    public IDisposable? TryTake() => Interlocked.Exchange(ref _isTaken, 1) == 0 ? new Hold(this) : null;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        if (!await _output.Reader.WaitToReadAsync(cancellation) || !_output.Reader.TryRead(out byte[]? bytes))
            return 0;
        bytes.CopyTo(buffer);
        return bytes.Length;
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) =>
        Typed.Writer.WriteAsync(Encoding.UTF8.GetString(bytes.Span), cancellation);

    private sealed class Hold(FakeConsole console) : IDisposable
    {
        public void Dispose() => Volatile.Write(ref console._isTaken, 0);
    }
}
