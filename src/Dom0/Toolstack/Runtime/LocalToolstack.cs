using System.Globalization;
using Xen.Abi;
using Xen.Core;
using Xen.Cpu;

namespace Xen.Toolstack;

/// <summary>The toolstack of a machine in this process. Read this first: it makes the machine, and domains in it.</summary>
public sealed class LocalToolstack : IToolstack
{
    /// <summary>Frames for the hypervisor's own use: shared pages, grant tables. <b>Units</b>: MiB.</summary>
    private const ulong ReserveMiB = 64;

    /// <summary>The largest machine: far more than a host has. <b>Units</b>: MiB.</summary>
    private const int MostMemoryMiB = 4 << 20;

    private const int TscKhz = 1_000_000;

    /// <summary>Domains that are dumped, ended or built anew at once after they have shut down; others wait for their turn.</summary>
    private const int MostShutdowns = 16;

    /// <summary>Guards the list of domains and that of listeners.</summary>
    private readonly Lock _lock = new();
    private readonly List<RunningDomain> _domains = [];
    private readonly Machine _machine;
    private readonly DomainHost _host;

    /// <summary>What follows when domains shut down: there is one piece for each, so that there is no need of a bound.</summary>
    private readonly WorkLane _shutdowns = new("shutdown", MostShutdowns, int.MaxValue);
    private readonly List<IDisposable> _listeners = [];
    private bool _disposed;

    private LocalToolstack(MachineOptions options)
    {
        // The machine-to-physical table takes 8 bytes per frame of the whole.
        ulong guestFrames = (ulong)options.GuestMemoryMiB << DomainLife.PagesPerMebibyteShift;
        ulong frames = guestFrames + (ReserveMiB << DomainLife.PagesPerMebibyteShift);
        frames += (frames / Page.EntriesPerTable) + 1;
        int cpus = Math.Clamp(Environment.ProcessorCount, 1, CpuSet.MaxCpus);
        _machine = new Machine(new MachineConfig(frames, cpus, CpuEngines.FactoryOf(CpuEngines.Default)) { LogSink = line => LogWritten?.Invoke(line) });
        _host = new DomainHost(
            new DomainControl(_machine), new Dom0Services(_machine, options.TrunkFolder), new DomainNames(), new MemoryClaims(_machine, guestFrames), options);
        _machine.DomainShutdown += OnShutdown;
    }

    public event Action<string>? LogWritten;

    public MachineInfo Info => new(
        (int)(_machine.Memory.FrameCount >> 8),
        _host.Claims.FreeMiB,
        _machine.Config.PhysicalCpuCount,
        TscKhz,
        CpuEngines.Default,
        "credit");

    public IReadOnlyList<IRunningDomain> Domains
    {
        get
        {
            lock (_lock)
                return [.. _domains.Where(static domain => !domain.Completion.IsCompleted).OrderBy(static domain => domain.Id)];
        }
    }

    /// <summary>What its domains live on.</summary>
    internal DomainHost Host => _host;

    /// <summary>Makes a machine.</summary>
    /// <exception cref="ToolstackException">The host has no room for it.</exception>
    public static LocalToolstack Start(MachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.GuestMemoryMiB is < 1 or > MostMemoryMiB)
            throw new ToolstackException(string.Create(CultureInfo.InvariantCulture, $"a machine has 1 to {MostMemoryMiB} MiB of memory, and not {options.GuestMemoryMiB}."));
        try
        {
            return new LocalToolstack(options);
        }
        catch (InsufficientMemoryException fault)
        {
            throw new ToolstackException(string.Create(CultureInfo.InvariantCulture,
                $"the host has no room for a machine with {options.GuestMemoryMiB} MiB: give it less memory ({fault.Message})."), fault);
        }
    }

    public IRunningDomain CreateDomain(DomainConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        CheckEngine(config);
        RunningDomain domain;
        try
        {
            domain = new RunningDomain(_host, config);
        }
        catch (InsufficientMemoryException fault)
        {
            throw new ToolstackException($"the host has no memory for the vCPUs of '{config.Name}': lower code_cache= or vcpus= ({fault.Message}).", fault);
        }

        if (TryAdd(domain))
        {
            domain.Kept += kept => TryAdd((RunningDomain)kept);
            return domain;
        }

        throw new ToolstackException($"domain '{config.Name}' cannot be created, because its machine ends.");
    }

    /// <returns>False: the machine ends, and the domain with it.</returns>
    private bool TryAdd(RunningDomain domain)
    {
        bool tooLate;
        lock (_lock)
        {
            tooLate = _disposed;
            _domains.RemoveAll(static old => old.Completion.IsCompleted);
            if (!tooLate)
                _domains.Add(domain);
        }

        if (tooLate)
            domain.Dispose();
        return !tooLate;
    }

    public void ForgetDisks(IReadOnlySet<Guid> kept) => _host.Overlays.ForgetOthers(kept, _host.Names);

    public void ListenForStore(string path)
    {
        IDisposable listener = _host.Dom0.Listen(path);
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
            _disposed = true;
            domains = [.. _domains];
            _domains.Clear();
        }

        foreach (RunningDomain domain in domains)
            domain.Dispose();
        foreach (IDisposable listener in _listeners)
            listener.Dispose();
        _shutdowns.Dispose();
        _host.Dom0.Dispose();
        _machine.Dispose();
    }

    private static void CheckEngine(DomainConfig config)
    {
        if (!CpuEngines.Names.Contains(config.CpuEngine))
            throw new ToolstackException($"there is no CPU engine '{config.CpuEngine}': use {string.Join(" or ", CpuEngines.Names)}.");
        if (CpuEngines.WhyNot(config.CpuEngine) is { } reason)
            throw new ToolstackException($"the CPU engine '{config.CpuEngine}' does not run here: {reason}; use {CpuEngines.Interpreter}.");
    }

    /// <summary>On a physical CPU's thread: what has to be done takes a while, and stops that processor's other work meanwhile if done here.</summary>
    /// <remarks>A life shuts down once, and its domain's lock puts what is done to it in order.</remarks>
    private void OnShutdown(Domain domain) => _shutdowns.TryPost(() =>
    {
        RunningDomain? owner;
        lock (_lock)
            owner = _domains.Find(candidate => candidate.Owns(domain));
        owner?.HandleShutdown(domain);
    });
}
