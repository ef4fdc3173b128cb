using Xen.Abi;
using Xen.Core;
using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>The toolstack of a machine in this process. Read this first: it makes the machine, and domains in it.</summary>
public sealed class LocalToolstack : IToolstack
{
    /// <summary>Frames for the hypervisor's own use: shared pages, grant tables. <b>Units</b>: MiB.</summary>
    private const int ReserveMiB = 64;

    private const int TscKhz = 1_000_000;

    private readonly Lock _lock = new();
    private readonly List<RunningDomain> _domains = [];
    private readonly Machine _machine;
    private readonly DomainControl _control;
    private readonly Dom0Services _dom0;
    private readonly List<IDisposable> _listeners = [];
    private readonly MachineOptions _options;

    private LocalToolstack(MachineOptions options, Func<VcpuState, ICpuEngine> createEngine)
    {
        _options = options;

        // The machine-to-physical table takes 8 bytes per frame of the whole.
        ulong frames = (ulong)(options.GuestMemoryMiB + ReserveMiB) << 8;
        frames += (frames / Page.EntriesPerTable) + 1;
        int cpus = Math.Clamp(Environment.ProcessorCount, 1, CpuSet.MaxCpus);
        _machine = new Machine(new MachineConfig(frames, cpus, createEngine) { LogSink = line => LogWritten?.Invoke(line) });
        _control = new DomainControl(_machine);
        _dom0 = new Dom0Services(_machine, options.TrunkFolder);
        _machine.DomainShutdown += OnShutdown;
    }

    public event Action<string>? LogWritten;

    public MachineInfo Info => new(
        (int)(_machine.Memory.FrameCount >> 8),
        (int)(_machine.Allocator.FreeFrames >> 8),
        _machine.Config.PhysicalCpuCount,
        TscKhz,
        _options.CpuEngine,
        "credit");

    public IReadOnlyList<IRunningDomain> Domains
    {
        get
        {
            lock (_lock)
                return [.. _domains.Where(static domain => !domain.Completion.IsCompleted).OrderBy(static domain => domain.Id)];
        }
    }

    /// <summary>Makes a machine.</summary>
    /// <exception cref="ToolstackException">There is no such CPU engine, or the host has too little memory.</exception>
    public static LocalToolstack Start(MachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!CpuEngines.Names.Contains(options.CpuEngine))
            throw new ToolstackException($"there is no CPU engine '{options.CpuEngine}': use {string.Join(" or ", CpuEngines.Names)}.");
        if (CpuEngines.WhyNot(options.CpuEngine) is { } reason)
            throw new ToolstackException($"the CPU engine '{options.CpuEngine}' does not run here: {reason}; use {CpuEngines.Interpreter}.");
        try
        {
            return new LocalToolstack(options, CpuEngines.FactoryOf(options.CpuEngine, options.CodeCacheMiB << 20));
        }
        catch (InsufficientMemoryException fault)
        {
            throw new ToolstackException($"the host has no room for a machine with {options.GuestMemoryMiB} MiB: lower memory= ({fault.Message}).", fault);
        }
    }

    public IRunningDomain CreateDomain(DomainConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        lock (_lock)
        {
            _domains.RemoveAll(static domain => domain.Completion.IsCompleted);
            if (_domains.Exists(domain => domain.Config.Name == config.Name))
                throw new ToolstackException($"a domain named '{config.Name}' exists already: choose another name=.");
            try
            {
                var domain = new RunningDomain(_control, _dom0, config, _options.ConsoleLogFolder);
                _domains.Add(domain);
                return domain;
            }
            catch (InsufficientMemoryException fault)
            {
                throw new ToolstackException($"the host has no memory for the vCPUs of '{config.Name}': lower code_cache= or vcpus= ({fault.Message}).", fault);
            }
        }
    }

    public void ListenForStore(string path)
    {
        IDisposable listener = _dom0.Listen(path);
        lock (_lock)
            _listeners.Add(listener);
    }

    public string ReadLog(bool clear = false)
    {
        string text = string.Join('\n', _machine.Log.Read());
        if (clear)
            _machine.Log.Clear();
        return text.Length == 0 ? "" : text + "\n";
    }

    public string DebugKey(char key)
    {
        IReadOnlyList<string> lines = DebugKeys.Print(_machine, key);
        foreach (string line in lines)
            _machine.Log.Write(line);
        return string.Join('\n', lines) + "\n";
    }

    public void Dispose()
    {
        _machine.DomainShutdown -= OnShutdown;
        RunningDomain[] domains;
        lock (_lock)
        {
            domains = [.. _domains];
            _domains.Clear();
        }

        foreach (RunningDomain domain in domains)
            domain.Dispose();
        foreach (IDisposable listener in _listeners)
            listener.Dispose();
        _dom0.Dispose();
        _machine.Dispose();
    }

    /// <summary>On a physical CPU's thread: what has to be done takes a while, and stops that processor's other work meanwhile if done here.</summary>
    private void OnShutdown(Domain domain) => ThreadPool.QueueUserWorkItem(_ =>
    {
        RunningDomain? owner;
        lock (_lock)
            owner = _domains.Find(candidate => candidate.Owns(domain));
        owner?.HandleShutdown(domain);
    });
}
